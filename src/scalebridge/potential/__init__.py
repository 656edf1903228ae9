"""Moment tensor potentials: basis, kernels, fitting, D-optimal selection, formats, ASE calculator."""

from scalebridge.potential._kernel_data import Burst
from scalebridge.potential._kernels import Configuration, Kernel, shortest_distances
from scalebridge.potential.active_set import ActiveSet
from scalebridge.potential.alignment import AlignedLabels, align_labels, label_differences
from scalebridge.potential.assessment import ErrorReport, evaluate_errors, merge_reports
from scalebridge.potential.calculator import MTPCalculator
from scalebridge.potential.calibration import (
    FEWEST_HELD_OUT,
    Calibration,
    calibrate_committee,
    require_held_out,
)
from scalebridge.potential.cfg import read_cfg, write_cfg
from scalebridge.potential.committee import fit_committee, fit_member
from scalebridge.potential.conformance import Check, check_conformance
from scalebridge.potential.fidelity import Correction, correct_potential, rebased
from scalebridge.potential.fitting import FitReport, FitSettings, fit, fit_report
from scalebridge.potential.grader import Grader
from scalebridge.potential.langevin import CellBath, LangevinEnd, LangevinPath, follow_langevin
from scalebridge.potential.local import LocalEnergies
from scalebridge.potential.model import Evaluation, MomentTensorPotential
from scalebridge.potential.posterior import LinearPosterior, linear_posterior
from scalebridge.potential.selection import extrapolation_grades, select
from scalebridge.potential.switching import (
    IN_BOTH,
    IN_FIRST,
    IN_SECOND,
    SwitchEnd,
    SwitchPath,
    follow_switch,
)
from scalebridge.potential.training import FitWeights, Label, labels_of

__all__ = [
    "FEWEST_HELD_OUT",
    "IN_BOTH",
    "IN_FIRST",
    "IN_SECOND",
    "ActiveSet",
    "AlignedLabels",
    "Burst",
    "Calibration",
    "CellBath",
    "Check",
    "Configuration",
    "Correction",
    "ErrorReport",
    "Evaluation",
    "FitReport",
    "FitSettings",
    "FitWeights",
    "Grader",
    "Kernel",
    "Label",
    "LangevinEnd",
    "LangevinPath",
    "LinearPosterior",
    "LocalEnergies",
    "MTPCalculator",
    "MomentTensorPotential",
    "SwitchEnd",
    "SwitchPath",
    "align_labels",
    "calibrate_committee",
    "check_conformance",
    "correct_potential",
    "evaluate_errors",
    "extrapolation_grades",
    "fit",
    "fit_committee",
    "fit_member",
    "fit_report",
    "follow_langevin",
    "follow_switch",
    "label_differences",
    "labels_of",
    "linear_posterior",
    "merge_reports",
    "read_cfg",
    "rebased",
    "require_held_out",
    "select",
    "shortest_distances",
    "write_cfg",
]
