"""Reference calculators behind ASE's ``Calculator``, labelling with retries, and the label store."""

from scalebridge.oracle.calculators import CalculatorSpec
from scalebridge.oracle.difference import label_differences
from scalebridge.oracle.evaluation import LabelLimits, Outcome, label_fault
from scalebridge.oracle.labelling import LabelBatch, LabelFailure, Labeller
from scalebridge.oracle.relaxation import Relaxation, StoredCalculator, relax
from scalebridge.oracle.store import LabelStore, StoredLabel, structure_key

__all__ = [
    "CalculatorSpec",
    "LabelBatch",
    "LabelFailure",
    "LabelLimits",
    "LabelStore",
    "Labeller",
    "Outcome",
    "Relaxation",
    "StoredCalculator",
    "StoredLabel",
    "label_differences",
    "label_fault",
    "relax",
    "structure_key",
]
