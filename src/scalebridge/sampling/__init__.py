"""Hybrid grand-canonical Monte Carlo with molecular dynamics bursts, free energies in N, active learning."""

from scalebridge.sampling.active_learning import PotentialTools, learn, learn_round
from scalebridge.sampling.configuration import Change, Configuration, Template, sampling_masses
from scalebridge.sampling.dead_ends import DeadEnd, DeadEndLimits, Known, Watch, known_structures
from scalebridge.sampling.exchange import Trial, deletion_trial, insertion_trial, relocation_trial
from scalebridge.sampling.exploration import explore
from scalebridge.sampling.exploration_data import (
    Coverage,
    Exploration,
    ExplorationSettings,
    ExplorationTask,
    WalkerPlan,
    place,
    walker_plans,
)
from scalebridge.sampling.first_structures import Perturbation, ideal_structures
from scalebridge.sampling.flat_histogram import FlatHistogramSettings, even_windows, sample_flat_histogram
from scalebridge.sampling.free_energy_difference import (
    FreeEnergyDifference,
    bennett,
    statistical_inefficiency,
    transition_matrix,
)
from scalebridge.sampling.grading import Grader
from scalebridge.sampling.grand_canonical import (
    GrandCanonicalSettings,
    GrandCanonicalState,
    GrandCanonicalWalker,
    MoveCount,
)
from scalebridge.sampling.host_cell import HostCell, starting_cells
from scalebridge.sampling.ladder import sample_ladder
from scalebridge.sampling.ladder_data import (
    Ladder,
    LadderRung,
    LadderSettings,
    LadderTask,
    ladder_tasks,
    merge_ladders,
)
from scalebridge.sampling.langevin import LangevinSettings
from scalebridge.sampling.learning_data import (
    Cost,
    LearningRound,
    LearningSettings,
    LearningState,
    StoppingRule,
)
from scalebridge.sampling.macrostates import MacrostateDistribution, TransitionSums
from scalebridge.sampling.model import Burst, EnergyModel, Evaluation, PotentialModel
from scalebridge.sampling.momenta import kinetic_energy, maxwell_velocities
from scalebridge.sampling.moves import (
    BurstSettings,
    Ensemble,
    Move,
    burst_move,
    displacement_move,
    hybrid_burst,
    langevin_burst,
    strain_move,
    volume_move,
)
from scalebridge.sampling.pilot import measure_friction, optimise_schedule
from scalebridge.sampling.relaxation import MakeCalculator, RelaxationSettings, Relaxed, relax
from scalebridge.sampling.schedule import Schedule, constant_speed, schedule_from_friction
from scalebridge.sampling.site_density import SiteDensity
from scalebridge.sampling.stopping import spent
from scalebridge.sampling.switching import SwitchSettings
from scalebridge.sampling.verification import Verification, VerificationTask, verify

__all__ = [
    "Burst",
    "BurstSettings",
    "Change",
    "Configuration",
    "Cost",
    "Coverage",
    "DeadEnd",
    "DeadEndLimits",
    "EnergyModel",
    "Ensemble",
    "Evaluation",
    "Exploration",
    "ExplorationSettings",
    "ExplorationTask",
    "FlatHistogramSettings",
    "FreeEnergyDifference",
    "Grader",
    "GrandCanonicalSettings",
    "GrandCanonicalState",
    "GrandCanonicalWalker",
    "HostCell",
    "Known",
    "Ladder",
    "LadderRung",
    "LadderSettings",
    "LadderTask",
    "LangevinSettings",
    "LearningRound",
    "LearningSettings",
    "LearningState",
    "MacrostateDistribution",
    "MakeCalculator",
    "Move",
    "MoveCount",
    "Perturbation",
    "PotentialModel",
    "PotentialTools",
    "RelaxationSettings",
    "Relaxed",
    "Schedule",
    "SiteDensity",
    "StoppingRule",
    "SwitchSettings",
    "Template",
    "TransitionSums",
    "Trial",
    "Verification",
    "VerificationTask",
    "WalkerPlan",
    "Watch",
    "bennett",
    "burst_move",
    "constant_speed",
    "deletion_trial",
    "displacement_move",
    "even_windows",
    "explore",
    "hybrid_burst",
    "ideal_structures",
    "insertion_trial",
    "kinetic_energy",
    "known_structures",
    "ladder_tasks",
    "langevin_burst",
    "learn",
    "learn_round",
    "maxwell_velocities",
    "measure_friction",
    "merge_ladders",
    "optimise_schedule",
    "place",
    "relax",
    "relocation_trial",
    "sample_flat_histogram",
    "sample_ladder",
    "sampling_masses",
    "schedule_from_friction",
    "spent",
    "starting_cells",
    "statistical_inefficiency",
    "strain_move",
    "transition_matrix",
    "verify",
    "volume_move",
    "walker_plans",
]
