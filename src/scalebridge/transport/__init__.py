"""Mean-squared displacement, barriers with transition state theory, walkers on site networks."""

from scalebridge.transport.arrhenius import (
    REFERENCE_TEMPERATURE,
    ArrheniusFit,
    fit_arrhenius,
)
from scalebridge.transport.barrier import (
    Barrier,
    BarrierSettings,
    dip_depth,
    solve_barrier,
)
from scalebridge.transport.calibrate import (
    Calibration,
    expected_hops,
    fit_prefactor,
)
from scalebridge.transport.chain import (
    JumpChain,
    solve_diffusivity,
)
from scalebridge.transport.combine import (
    combine,
)
from scalebridge.transport.correlation import (
    VacancyTracer,
    solve_vacancy_tracer,
)
from scalebridge.transport.displacement import (
    DiffusivityEstimate,
    SiteWalk,
    collective_walker,
    fit_diffusivity,
    follow_sites,
    mean_squared_displacement,
    one_hop_bound,
    relative_to_framework,
)
from scalebridge.transport.dynamics import (
    DynamicsSettings,
    Trajectory,
    refresh_velocities,
    rescale_velocities,
    sample_trajectory,
)
from scalebridge.transport.network import HopNetwork, find_hops
from scalebridge.transport.vibrations import (
    StationaryPoint,
    attempt_frequency,
    mode_eigenvalues,
    path_frequency,
    solve_hessian,
    solve_stationary_point,
    updated_hessian,
)
from scalebridge.transport.walker import HopEnergies, solve_walker_diffusivity, walker_chain
from scalebridge.transport.work import (
    BarrierResult,
    BarrierTask,
    End,
    FailedTrajectory,
    TrajectoryResult,
    TrajectoryTask,
    hop_network,
    run_barrier,
    run_trajectory,
)

__all__ = [
    "REFERENCE_TEMPERATURE",
    "ArrheniusFit",
    "Barrier",
    "BarrierResult",
    "BarrierSettings",
    "BarrierTask",
    "Calibration",
    "DiffusivityEstimate",
    "DynamicsSettings",
    "End",
    "FailedTrajectory",
    "HopEnergies",
    "HopNetwork",
    "JumpChain",
    "SiteWalk",
    "StationaryPoint",
    "Trajectory",
    "TrajectoryResult",
    "TrajectoryTask",
    "VacancyTracer",
    "attempt_frequency",
    "collective_walker",
    "combine",
    "dip_depth",
    "expected_hops",
    "find_hops",
    "fit_arrhenius",
    "fit_diffusivity",
    "fit_prefactor",
    "follow_sites",
    "hop_network",
    "mean_squared_displacement",
    "mode_eigenvalues",
    "one_hop_bound",
    "path_frequency",
    "refresh_velocities",
    "relative_to_framework",
    "rescale_velocities",
    "run_barrier",
    "run_trajectory",
    "sample_trajectory",
    "solve_barrier",
    "solve_diffusivity",
    "solve_hessian",
    "solve_stationary_point",
    "solve_vacancy_tracer",
    "solve_walker_diffusivity",
    "updated_hessian",
    "walker_chain",
]
