"""The frozen objects that pass between scales."""

from scalebridge.contracts.base import Array, Contract, Provenance, Record, Validity, first_problem
from scalebridge.contracts.electrode import (
    ActiveParticles,
    CounterElectrode,
    ElectrodeDesign,
    Electrolyte,
    HeatExchange,
    ListedSizes,
    LognormalSizes,
    PorousLayer,
)
from scalebridge.contracts.host import Host, HostPhase, LiteratureValue
from scalebridge.contracts.interfaces import InterfaceEnergies, InterfaceSample
from scalebridge.contracts.material_card import MaterialCard
from scalebridge.contracts.measured_material import DiffusivityCurve, MeasuredMaterial, VoltageCurve
from scalebridge.contracts.potential import (
    CompositionErrors,
    Dataset,
    ErrorSummary,
    FileReference,
    LearningCost,
    LearningCoverage,
    LearningDeadEnd,
    LearningHistory,
    LearningStep,
    PotentialCard,
    ReferenceVoltage,
    RelaxedLabel,
    VerificationRun,
    VerificationRuns,
    WantedState,
)
from scalebridge.contracts.rate_law import RateLaw
from scalebridge.contracts.results import FINAL_FILLING, SOLVER_FAILURE, Field, RateCapability, Solution
from scalebridge.contracts.sourced import Sourced
from scalebridge.contracts.structure import Structure
from scalebridge.contracts.thermodynamics import (
    FreeEnergyBranch,
    HomogeneousFreeEnergy,
    Isotherm,
    Plateau,
    Spinodal,
    StructureTable,
)
from scalebridge.contracts.transport import (
    ArrheniusDiffusivity,
    DiffusivitySample,
    JumpDiffusivity,
    TracerDiffusivity,
)

__all__ = [
    "FINAL_FILLING",
    "SOLVER_FAILURE",
    "ActiveParticles",
    "Array",
    "ArrheniusDiffusivity",
    "CompositionErrors",
    "Contract",
    "CounterElectrode",
    "Dataset",
    "DiffusivityCurve",
    "DiffusivitySample",
    "ElectrodeDesign",
    "Electrolyte",
    "ErrorSummary",
    "Field",
    "FileReference",
    "FreeEnergyBranch",
    "HeatExchange",
    "HomogeneousFreeEnergy",
    "Host",
    "HostPhase",
    "InterfaceEnergies",
    "InterfaceSample",
    "Isotherm",
    "JumpDiffusivity",
    "LearningCost",
    "LearningCoverage",
    "LearningDeadEnd",
    "LearningHistory",
    "LearningStep",
    "ListedSizes",
    "LiteratureValue",
    "LognormalSizes",
    "MaterialCard",
    "MeasuredMaterial",
    "Plateau",
    "PorousLayer",
    "PotentialCard",
    "Provenance",
    "RateCapability",
    "RateLaw",
    "Record",
    "ReferenceVoltage",
    "RelaxedLabel",
    "Solution",
    "Sourced",
    "Spinodal",
    "Structure",
    "StructureTable",
    "TracerDiffusivity",
    "Validity",
    "VerificationRun",
    "VerificationRuns",
    "VoltageCurve",
    "WantedState",
    "first_problem",
]
