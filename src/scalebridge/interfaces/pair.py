"""The two phases that coexist."""

import math
from dataclasses import dataclass

from scalebridge.contracts import Host, HostPhase, Isotherm
from scalebridge.foundation import InputError


@dataclass(frozen=True)
class PhasePair:
    """Two phases on either side of an interface, each with whole ions in its cell.

    Attributes
    ----------
    low, high
        The phases, cells with corresponding vectors.
    low_ions, high_ions
        Ions in the cell of each; ``high`` holds the larger fraction of its sites.
    reason
        Why these compositions, in plain words.

    Raises
    ------
    InputError
        If the ions do not fit the cells, or ``high`` does not hold more than ``low``.
    """

    low: HostPhase
    high: HostPhase
    low_ions: int
    high_ions: int
    reason: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.theta_low < self.theta_high <= 1:
            raise InputError(
                f"{self.low_ions} and {self.high_ions} ions on {len(self.low.sites)} and "
                f"{len(self.high.sites)} sites must fit, and the second phase must hold more; "
                "give whole numbers from 0 to the number of sites, in this order"
            )

    @property
    def x_low(self) -> float:
        """Ions per formula unit of the low phase."""
        return self.low_ions / self.low.formula_units

    @property
    def x_high(self) -> float:
        """Ions per formula unit of the high phase."""
        return self.high_ions / self.high.formula_units

    @property
    def theta_low(self) -> float:
        """Site fraction of the low phase."""
        return self.low_ions / len(self.low.sites)

    @property
    def theta_high(self) -> float:
        """Site fraction of the high phase."""
        return self.high_ions / len(self.high.sites)

    def __str__(self) -> str:
        ends = [f"x = {x:g} ({p.name})" for x, p in ((self.x_low, self.low), (self.x_high, self.high))]
        return " and ".join(ends)


def choose_pair(host: Host, isotherm: Isotherm, temperature: float) -> PhasePair:
    """Return the phases that coexist at the sampled temperature nearest to ``temperature`` [K].

    The widest plateau of the first member that has one gives two compositions; whole numbers of ions
    nearest to them fill the phases reported nearest in x. One pair for all members keeps their results
    comparable. Without a plateau the pair is the empty and the full host.
    """
    nearest = min(isotherm.temperature.tolist(), key=lambda sampled: abs(sampled - temperature))
    plateaus = [plateau for plateau in isotherm.plateaus if math.isclose(plateau.temperature, nearest)]
    if not plateaus:
        low, high = host.nearest_phase(0.0), host.nearest_phase(float(host.sites_per_formula_unit))
        return PhasePair(low, high, 0, len(high.sites), f"no plateau at {nearest:g} K: empty and full host")
    widest = min(plateaus, key=lambda plateau: (plateau.member, plateau.x_low - plateau.x_high))
    units = host.phases[0].formula_units
    ends = [round(widest.x_low * units), round(widest.x_high * units)]
    if ends[0] == ends[1]:
        ends = [math.floor(widest.x_low * units), math.ceil(widest.x_high * units)]
    low, high = (host.nearest_phase(ions / units) for ions in ends)
    return PhasePair(
        low,
        high,
        round(ends[0] * low.formula_units / units),
        round(ends[1] * high.formula_units / units),
        reason=f"nearest in this cell to member {widest.member}'s plateau at {nearest:g} K, "
        f"x = {widest.x_low:.3g} … {widest.x_high:.3g}",
    )
