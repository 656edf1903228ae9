"""Homogeneous free energy g(θ,T) from ladders of works, one branch per phase.

Bennett's ratio between neighbouring rungs gives F(N+1) − F(N) of a cell with n sites. For ions that fill n
equal sites independently F contains −kT ln C(n, N), which for small n is far from the bulk's entropy of
mixing. It is replaced exactly: F_ex(N) = F(N) + kT ln C(n, N), and per site

    g(θ) = F_ex(N)/n + kT[θ ln θ + (1−θ) ln(1−θ)] − θ μ_metal,  θ = N/n .

What stays is the finite-size effect of the interactions, of order 1/n.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlogy

from scalebridge.contracts import FreeEnergyBranch, HomogeneousFreeEnergy, Provenance, Validity
from scalebridge.foundation import InputError, constants
from scalebridge.sampling import Ladder
from scalebridge.thermodynamics.redlich_kister import Increments, SeriesFit, choose_orders, fit_series

FloatArray = NDArray[np.float64]
LadderGrid = Sequence[Sequence[Ladder]]
"""Ladders by member, then temperature."""

CITATIONS = ("bennett1976", "redlich1948", "hurvich1989", "lawson1974")


@dataclass(frozen=True)
class FreeEnergySettings:
    """How sampled increments become a fit.

    Attributes
    ----------
    maximum_order
        Largest number of Redlich–Kister coefficients.
    error_floor
        Lower bound of the standard error of an increment [eV]; Bennett's estimate of a few works can be zero.
    confidence
        Standard errors by which increments must fall to admit a concave fit, a miscibility gap.
    """

    maximum_order: int = 7
    error_floor: float = 1e-4
    confidence: float = 2.0

    def __post_init__(self) -> None:
        if self.maximum_order < 1 or self.error_floor <= 0 or self.confidence < 0:
            raise InputError(
                f"maximum_order {self.maximum_order} must be at least 1, error_floor {self.error_floor:g} eV "
                f"positive, confidence {self.confidence:g} not negative"
            )


@dataclass(frozen=True)
class SampledFreeEnergy:
    """F_ex against ion content for one ladder.

    Attributes
    ----------
    temperature
        [K].
    theta
        (rungs,).
    increment, increment_error
        F_ex(N+1) − F_ex(N) and standard error [eV], (rungs − 1,).
    """

    temperature: float
    theta: FloatArray
    increment: FloatArray
    increment_error: FloatArray

    def in_thermal_units(self, error_floor: float) -> Increments:
        """Return the increments in units of kT, errors at least ``error_floor`` [eV]."""
        thermal = constants.BOLTZMANN_EV * self.temperature
        error = np.maximum(self.increment_error, error_floor)
        return Increments(self.theta, self.increment / thermal, error / thermal)


def sampled_free_energy(ladder: Ladder) -> SampledFreeEnergy:
    """Return F_ex of a ladder: Bennett's differences with the cell's entropy of mixing taken out.

    Raises
    ------
    InputError
        If the rungs are not consecutive.
    ConvergenceError
        If all attempts between two rungs were refused (from ``bennett``).
    """
    ions = np.array([rung.ions for rung in ladder.rungs])
    if len(ions) < 2 or np.any(np.diff(ions) != 1) or ions[0] < 0 or ions[-1] > ladder.n_sites:
        raise InputError(
            f"rungs at {ions.tolist()} ions are not consecutive contents of 0 … {ladder.n_sites}; merge the "
            "parts of the ladder first"
        )
    found = np.array([(item.difference, item.error) for item in ladder.free_energy_differences()])
    binomial = gammaln(ladder.n_sites + 1) - gammaln(ions + 1) - gammaln(ladder.n_sites - ions + 1)
    increment = found[:, 0] + constants.BOLTZMANN_EV * ladder.temperature * np.diff(binomial)
    return SampledFreeEnergy(ladder.temperature, ions / ladder.n_sites, increment, found[:, 1])


def fit_free_energy(
    branches: Mapping[str, LadderGrid],
    metal_chemical_potential: ArrayLike,
    *,
    sites_per_formula_unit: int,
    provenance: Provenance,
    ion_charge: int = 1,
    offsets: Mapping[str, FloatArray] | None = None,
    settings: FreeEnergySettings | None = None,
) -> HomogeneousFreeEnergy:
    """Fit one Redlich–Kister series per branch, member and temperature; all of one branch have equal order.

    Parameters
    ----------
    branches
        Name of each phase → its ladders by member and temperature.
    metal_chemical_potential
        μ_metal [eV], (temperature,) or (member, temperature).
    sites_per_formula_unit, ion_charge
        As in ``Host``.
    offsets
        g(θ = 0) of each branch [eV per site], (member, temperature); 0 where not given. Branches of different
        frameworks need them: ladders give differences only.

    Returns
    -------
    HomogeneousFreeEnergy, SI. Its remarks name fits that miss the sampled points and thin statistics.

    Raises
    ------
    InputError
        If members, temperatures or rungs of the ladders do not form a grid, or the sites do not agree.
    """
    settings = settings or FreeEnergySettings()
    fitted: list[FreeEnergyBranch] = []
    remarks: list[str] = []
    for name, ladders in branches.items():
        data = _sampled_grid(name, ladders, sites_per_formula_unit)
        said = [sentence for row in ladders for ladder in row for sentence in ladder.approximations]
        remarks.extend(f"free energy of '{name}': {sentence}" for sentence in dict.fromkeys(said))
        shape = (len(data), len(data[0]))
        metal = np.broadcast_to(np.asarray(metal_chemical_potential, dtype=np.float64), shape)
        offset = np.broadcast_to((offsets or {}).get(name, np.zeros(1)), shape)
        branch, said = _fit_branch(name, data, metal, offset, settings)
        fitted.append(branch)
        remarks.extend(said)
    theta = [branch.sampled_theta for branch in fitted]
    kelvin = fitted[0].temperature
    return HomogeneousFreeEnergy(
        provenance=provenance,
        validity=Validity(
            temperature=(float(kelvin.min()), float(kelvin.max())),
            composition=(
                sites_per_formula_unit * float(min(grid.min() for grid in theta)),
                sites_per_formula_unit * float(max(grid.max() for grid in theta)),
            ),
            remarks=tuple(remarks),
        ),
        citations=(*_bursts_cited(branches), *CITATIONS),
        sites_per_formula_unit=sites_per_formula_unit,
        ion_charge=ion_charge,
        branches=tuple(fitted),
    )


def _bursts_cited(branches: Mapping[str, LadderGrid]) -> tuple[str, ...]:
    ladders = (ladder for grid in branches.values() for row in grid for ladder in row)
    return tuple(dict.fromkeys(key for ladder in ladders for key in ladder.citations))


def _sampled_grid(name: str, ladders: LadderGrid, sites: int) -> list[list[SampledFreeEnergy]]:
    for ladder in (item for row in ladders for item in row):
        if ladder.n_sites != sites * ladder.formula_units:
            raise InputError(
                f"branch '{name}': a ladder has {ladder.n_sites} sites for {ladder.formula_units} formula "
                f"units; the host has {sites} per formula unit"
            )
    data = [[sampled_free_energy(ladder) for ladder in row] for row in ladders]
    if not data or not data[0]:
        raise InputError(f"branch '{name}' has no ladders; give at least one member and temperature")
    head = data[0]
    for row in data:
        same = [item.temperature for item in row] == [item.temperature for item in head]
        if not same or any(not np.array_equal(item.theta, head[0].theta) for item in row):
            raise InputError(
                f"branch '{name}': every member needs ladders at the same temperatures and contents; "
                "complete the missing ones"
            )
    if np.any(np.diff([item.temperature for item in head]) <= 0):
        raise InputError(f"branch '{name}': temperatures must rise; sort the ladders")
    return data


def _fit_branch(
    name: str,
    data: list[list[SampledFreeEnergy]],
    metal: FloatArray,
    offset: FloatArray,
    settings: FreeEnergySettings,
) -> tuple[FreeEnergyBranch, list[str]]:
    """Fit all members and temperatures of a branch; energies become joule here."""
    increments = [[item.in_thermal_units(settings.error_floor) for item in row] for row in data]
    flat = [item for row in increments for item in row]
    orders = choose_orders(flat, settings.maximum_order, confidence=settings.confidence)
    fits = [[fit_series(item, orders, confidence=settings.confidence) for item in row] for row in increments]
    kelvin = np.array([item.temperature for item in data[0]])
    theta = data[0][0].theta
    thermal = constants.BOLTZMANN * kelvin
    slope = np.array([[fit.slope for fit in row] for row in fits]) * thermal - metal * constants.EV
    interaction = np.array([[fit.interaction for fit in row] for row in fits]) * thermal[:, None]
    sampled, error = _cumulated(data, fits)
    missed = np.array([[fit.excess(theta) for fit in row] for row in fits]) - sampled
    mixing = xlogy(theta, theta) + xlogy(1 - theta, 1 - theta)
    energy = (sampled + mixing) * thermal[:, None] + (
        offset[..., None] - theta * metal[..., None]
    ) * constants.EV
    branch = FreeEnergyBranch(
        name=name,
        temperature=kelvin,
        offset=offset * constants.EV,
        slope=slope,
        interaction=interaction,
        sampled_theta=theta,
        sampled_energy=energy,
        sampled_error=error * thermal[:, None],
        fit_residual=np.sqrt(np.mean(missed**2, axis=-1)) * thermal,
    )
    return branch, _remarks(branch, flat, [fit for row in fits for fit in row])


def _cumulated(
    data: list[list[SampledFreeEnergy]], fits: list[list[SeriesFit]]
) -> tuple[FloatArray, FloatArray]:
    """Return g_ex at the rungs and its error [kT]; a ladder that starts above θ = 0 is tied to its fit."""
    values, errors = [], []
    for row, fit_row in zip(data, fits, strict=True):
        for item, fit in zip(row, fit_row, strict=True):
            thermal = constants.BOLTZMANN_EV * item.temperature
            steps = np.diff(item.theta) / thermal
            start = float(fit.excess(item.theta[:1])[0])
            values.append(start + np.concatenate([[0.0], np.cumsum(item.increment * steps)]))
            squares = np.cumsum((item.increment_error * steps) ** 2)
            errors.append(np.sqrt(np.concatenate([[0.0], squares])))
    shape = (len(data), len(data[0]), -1)
    return np.reshape(values, shape), np.reshape(errors, shape)


def _remarks(branch: FreeEnergyBranch, increments: list[Increments], fits: list[SeriesFit]) -> list[str]:
    """Say in plain words where the fit or the statistics are weak."""
    said = []
    orders = branch.interaction.shape[-1]
    freedom = sum(len(item.value) - orders - 1 for item in increments)
    dispersion = sum(fit.chi_square for fit in fits) / max(freedom, 1)
    residual = float(branch.fit_residual.max()) / constants.EV * 1e3
    if dispersion > 4:
        said.append(
            f"free energy of '{branch.name}': {orders} Redlich–Kister coefficients miss the sampled "
            f"increments by {np.sqrt(dispersion):.1f} standard errors (up to {residual:.1f} meV per site); "
            "ordering steps are smoothed"
        )
    worst = max(float(item.error.max()) for item in increments)
    if worst > 0.5:
        said.append(
            f"free energy of '{branch.name}': standard errors of the insertion free energy reach {worst:.1f} "
            "kT; more sweeps or longer switching would narrow them"
        )
    return said
