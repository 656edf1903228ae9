"""Moment tensor potentials: basis, kernels, fitting, D-optimal selection, formats, ASE calculator."""

from scalebridge.potential._kernels import Burst, Configuration, Kernel
from scalebridge.potential.assessment import ErrorReport, evaluate_errors
from scalebridge.potential.calculator import MTPCalculator
from scalebridge.potential.fitting import FitReport, FitSettings, fit, fit_report
from scalebridge.potential.model import Evaluation, MomentTensorPotential
from scalebridge.potential.training import FitWeights

__all__ = [
    "Burst",
    "Configuration",
    "ErrorReport",
    "Evaluation",
    "FitReport",
    "FitSettings",
    "FitWeights",
    "Kernel",
    "MTPCalculator",
    "MomentTensorPotential",
    "evaluate_errors",
    "fit",
    "fit_report",
]
