"""How honest error bars are: what their band holds of held-out energies, and the widening that makes it so.

One factor widens all bars [scaling of the variance, Imbalzano et al., J. Chem. Phys. 154, 074102 (2021),
section II C]; what the widened band holds is counted with the factor that all other structures ask for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from ase import Atoms
from scipy.stats import norm
from scipy.stats import t as student_t

from scalebridge.foundation import InputError
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential.assessment import ErrorReport

BAND: Final = 0.90
"""Confidence of the band whose coverage is reported."""
FEWEST_HELD_OUT: Final = 5
"""Held-out structures that a calibration needs."""


@dataclass(frozen=True)
class Calibration:
    """Error bars held against errors.

    Attributes
    ----------
    coverage : float
        Fraction of the errors inside the 90 % band as it is.
    scale : float
        Factor that makes the bars as wide as the errors; below 1 it narrows them.
    widened_coverage : float
        Fraction inside the widened band, each with the scale of all others; NaN for a single error.
    """

    coverage: float
    scale: float
    widened_coverage: float


def require_held_out(held_out: Sequence[Atoms]) -> None:
    """Refuse a calibration on fewer than `FEWEST_HELD_OUT` structures.

    Raises
    ------
    InputError
        If they are fewer.
    """
    if len(held_out) < FEWEST_HELD_OUT:
        raise InputError(
            f"{len(held_out)} held-out structures cannot calibrate the posterior; give {FEWEST_HELD_OUT} or "
            "more"
        )


def calibrate(errors: FloatArray, band: FloatArray) -> Calibration:
    """Hold error bars against errors.

    Parameters
    ----------
    errors, band : (F,)
        Error and half width of the 90 % band of each structure, in one unit.
    """
    normal = float(norm.ppf(0.5 + BAND / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(errors == 0.0, 0.0, np.square(normal * errors / band))
        others = (ratios.sum() - ratios) / (len(ratios) - 1)
    widened = float(np.mean(ratios <= normal**2 * others)) if len(ratios) > 1 else float("nan")
    return Calibration(float(np.mean(np.abs(errors) <= band)), float(np.sqrt(ratios.mean())), widened)


def calibrate_committee(reports: Sequence[ErrorReport]) -> Calibration:
    """Hold the spread of a committee against the energy errors of member 0, the best estimate.

    The band is Student's, for as many members as there are.

    Parameters
    ----------
    reports
        Errors of member 0 and of two or more others on the same held-out structures.
    """
    predicted = np.array([report.predicted_energies for report in reports[1:]])
    width = float(student_t.ppf(0.5 + BAND / 2, len(predicted) - 1)) * predicted.std(axis=0, ddof=1)
    return calibrate(reports[0].predicted_energies - reports[0].reference_energies, width)
