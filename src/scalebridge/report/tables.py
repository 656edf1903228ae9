"""The report's tables: what was computed, in the field's units, with its uncertainty."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from ase.geometry import cell_to_cellpar

from scalebridge.contracts import (
    FINAL_FILLING,
    ErrorSummary,
    Host,
    InterfaceEnergies,
    Isotherm,
    JumpDiffusivity,
    PotentialCard,
    RateCapability,
    StructureTable,
    TracerDiffusivity,
)
from scalebridge.foundation import constants
from scalebridge.plotting import left_out, normal_name, rate_name
from scalebridge.report.numbers import (
    UNKNOWN,
    FloatArray,
    error_alone,
    known_value,
    member_value,
    scientific,
    with_error,
)

EV = constants.EV
ANGSTROM = constants.ANGSTROM
ROOM_TEMPERATURE = 300.0
FIRST: Final = "first structures"
EXPLORED: Final = "found by walkers"
ERRORS: Final = (
    "held out of", "structures", "energy RMSE (meV/atom)", "energy MAE (meV/atom)", "force RMSE (eV/Å)",
    "force MAE (eV/Å)", "stress RMSE (GPa)",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Rows of text under a header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


def headline_table(rates: RateCapability, host: Host | None = None) -> Table:
    """Return capacity and mean voltage per rate, member 0 ± standard deviation over the members.

    Members whose solver failed at a rate are left out there; the caption counts them.
    """
    rows = []
    for index in np.argsort(rates.c_rate):
        known = rates.finished[:, index]
        capacity = rates.capacity[:, index] / constants.MAH_PER_G
        used = "" if host is None else f"{100 * rates.capacity[0, index] / host.theoretical_capacity:.0f} %"
        ends = [row[index] for row in rates.terminations]
        counted = ", ".join(f"{ends.count(end)}× {end}" for end in dict.fromkeys(ends))
        full = set(ends) == {FINAL_FILLING}
        rows.append(
            (
                rate_name(float(rates.c_rate[index])),
                f"≥ {capacity[0]:.4g}" if full else known_value(capacity, known),
                used if known[0] else UNKNOWN,
                known_value(rates.mean_voltage[:, index], known),
                known_value(rates.energy[:, index] / 3600.0, known),
                counted,
            )
        )
    header = ("rate", "capacity (mAh/g)", "of theoretical", "mean voltage (V)", "energy (Wh/kg)", "ended by")
    return Table(header, tuple(rows), _headline_caption(rates))


def _headline_caption(rates: RateCapability) -> str:
    missing = left_out(rates)
    caption = "Member 0 ± standard deviation over all members of the committee"
    caption = f"{caption}; {missing}." if missing else f"{caption}."
    if any(set(ends) == {FINAL_FILLING} for ends in zip(*rates.terminations, strict=True)):
        caption += " ≥: all members reached the design's final filling, which sets this capacity."
    return caption


def error_table(card: PotentialCard) -> Table:
    """Return held-out errors of every member, on the first structures and on those that walkers found."""
    rows = tuple(
        ("0 (best)" if member == 0 else str(member), *_errors(error, source))
        for source, errors in ((FIRST, card.errors), (EXPLORED, card.explored_errors))
        for member, error in enumerate(errors)
    )
    return Table(("member", *ERRORS), rows, _held_out_caption(card))


def _held_out_caption(card: PotentialCard) -> str:
    counts = f"{card.errors[0].structures} of the {FIRST}"
    if card.explored_errors:
        counts += f" and {card.explored_errors[0].structures} {EXPLORED} in active learning"
    return f"Errors on structures that no fit saw, {counts}; forces per component."


def error_by_x_table(card: PotentialCard) -> Table:
    """Return the best estimate's held-out errors by ion content."""
    both = [(entry, FIRST) for entry in card.errors_by_x]
    both += [(entry, EXPLORED) for entry in card.explored_errors_by_x]
    rows = tuple(
        (f"{entry.x:g}", *_errors(entry.errors, source))
        for entry, source in sorted(both, key=lambda pair: pair[0].x)
    )
    return Table(("x", *ERRORS), rows, "The same errors of the best estimate, by ion content.")


def _errors(error: ErrorSummary, source: str) -> tuple[str, ...]:
    return (
        source,
        str(error.structures),
        f"{1e3 * error.energy_rmse / EV:.2f}",
        f"{1e3 * error.energy_mae / EV:.2f}",
        f"{error.force_rmse * ANGSTROM / EV:.3f}",
        f"{error.force_mae * ANGSTROM / EV:.3f}",
        f"{error.stress_rmse / 1e9:.3f}",
    )


def structure_rows(table: StructureTable) -> Table:
    """Return lattice and volume at every composition."""
    rows = []
    for index, x in enumerate(table.x):
        lengths = cell_to_cellpar(table.cell[0, index] / ANGSTROM)
        volume = table.volume[:, index] / ANGSTROM**3
        rows.append(
            (
                f"{x:.3g}",
                table.phases[index],
                table.space_groups[index],
                ", ".join(f"{value:.2f}" for value in lengths[:3]),
                ", ".join(f"{value:.1f}" for value in lengths[3:]),
                member_value(volume),
                f"{table.volume_error[0, index] / ANGSTROM**3:.2g}",
                _grades(table.largest_grade[:, index]),
            )
        )
    header = (
        "x", "started from", "space group", "a, b, c (Å)", "α, β, γ (°)", "volume (Å³ per formula unit)",
        "sampling error (Å³)", "largest grade (all members)",
    )  # fmt: skip
    caption = (
        f"Sampling cell at {table.temperature:.0f} K, member 0; space groups of the average structure within "
        f"{table.symmetry_tolerance / ANGSTROM:.2g} Å; volume ± standard deviation over the members. Largest "
        "extrapolation grade of member 0's sampled states, and of all members'."
    )
    return Table(header, tuple(rows), caption)


def _grades(grades: FloatArray) -> str:
    """Return member 0's grade and the largest of all."""
    return f"{grades[0]:.3g} ({grades.max():.3g})" if grades.max() > 0 else UNKNOWN


def comparison_table(
    host: Host, structures: StructureTable | None, isotherm: Isotherm | None, temperature: float
) -> Table:
    """Return this run's key values of thermodynamics; the literature's stand beside them in the page."""
    charge = host.theoretical_capacity / constants.MAH_PER_G
    rows = [("theoretical capacity", f"{charge:.1f} mAh/g")]
    if isotherm is not None:
        rows.extend(_voltage_rows(isotherm, temperature))
    if structures is not None:
        ends = np.argmin(structures.x), np.argmax(structures.x)
        for index in ends:
            volume = member_value(structures.volume[:, index] / ANGSTROM**3)
            rows.append((f"volume at x = {structures.x[index]:.3g}", f"{volume} Å³ per formula unit"))
        change = 100 * (structures.volume[:, ends[1]] / structures.volume[:, ends[0]] - 1)
        label = f"volume change, x = {structures.x[ends[0]]:.3g} → {structures.x[ends[1]]:.3g}"
        rows.append((label, f"{member_value(change)} %"))
    return Table(("quantity", "this run"), tuple(rows))


def _voltage_rows(isotherm: Isotherm, temperature: float) -> list[tuple[str, str]]:
    index = int(np.argmin(np.abs(isotherm.temperature - temperature)))
    kelvin = float(isotherm.temperature[index])
    mean = np.asarray(np.trapezoid(isotherm.voltage[:, index], isotherm.x, axis=1)) / np.ptp(isotherm.x)
    span = f"{isotherm.x.min():.3g} … {isotherm.x.max():.3g}"
    rows = [(f"mean equilibrium voltage, x = {span}, {kelvin:.0f} K", f"{member_value(mean)} V")]
    here = [plateau for plateau in isotherm.plateaus if np.isclose(plateau.temperature, kelvin)]
    members = isotherm.voltage.shape[0]
    for number, plateau in enumerate((p for p in here if p.member == 0), start=1):
        rows.append(
            (
                f"plateau {number} of member 0",
                f"{plateau.voltage:.3f} V for x = {plateau.x_low:.3f} … {plateau.x_high:.3f}",
            )
        )
    with_plateau = len({plateau.member for plateau in here})
    rows.append(("members with a two-phase plateau", f"{with_plateau} of {members}"))
    return rows


def diffusivity_table(tracer: TracerDiffusivity | None, jump: JumpDiffusivity | None) -> Table:
    """Return D at 300 K with factor errors, activation energies and methods."""
    rows = []
    for name, diffusivity in (("tracer D*", tracer), ("jump D_J", jump)):
        if diffusivity is None:
            continue
        for index, x in enumerate(diffusivity.x):
            theta = diffusivity.theta[index]
            free = (
                1 - theta if isinstance(diffusivity, JumpDiffusivity) else 1.0
            )  # the contract has D_J/(1−θ)
            value = free * float(diffusivity.scalar(theta, ROOM_TEMPERATURE))
            energy_error = float(np.sqrt(diffusivity.covariance[index, 1, 1])) * ROOM_TEMPERATURE
            rows.append(
                (
                    name,
                    f"{x:.3g}",
                    diffusivity.phases[index],
                    diffusivity.methods[index],
                    f"{scientific(value)} ×/÷ {_factor(diffusivity.covariance[index]):.2g}",
                    with_error(
                        float(diffusivity.activation_energy[0, index]) / EV,
                        energy_error * constants.BOLTZMANN_EV,
                    ),
                    scientific(free * float(diffusivity.prefactor[0, index])),
                )
            )
    header = ("quantity", "x", "phase", "method", "D at 300 K (m²/s)", "activation energy (eV)", "D₀ (m²/s)")
    caption = (
        "Member 0, along the fastest direction, D = D₀ exp(−E/kT); errors from the covariance over members "
        "and fits, as a factor for D."
    )
    return Table(header, tuple(rows), caption)


def _factor(covariance: FloatArray) -> float:
    """Return exp(standard deviation of ln D at 300 K) from the covariance of (ln D0, E/(k · 300 K))."""
    gradient = np.array([1.0, -1.0])
    return float(np.exp(np.sqrt(max(0.0, float(gradient @ covariance @ gradient)))))


def interface_table(interfaces: InterfaceEnergies) -> Table:
    """Return interface, gradient and coherency energies of every normal."""
    rows = tuple(
        (
            normal_name(normal),
            member_value(1e3 * interfaces.interface_energy[:, index]),
            error_alone(1e3 * interfaces.interface_energy_error[0, index]),
            member_value(1e12 * interfaces.gradient_energy[:, index]),
            member_value(1e-6 * interfaces.coherency_energy_density[:, index]),
            member_value(1e-9 * interfaces.coherency_modulus[:, index]),
        )
        for index, normal in enumerate(interfaces.normals)
    )
    header = (
        "normal", "interface energy γ (mJ/m²)", "its standard error over arrangements (mJ/m²)",
        "gradient energy κ (10⁻¹² J/m)",
        "coherency energy of the slabs (MJ/m³)", "B(n) of ½B(Δθ)² (GPa)",
    )  # fmt: skip
    caption = (
        "Member 0 ± standard deviation over the members. Each member draws its own arrangements of the ions "
        "in partly filled phases, so this deviation holds the standard error of the mean over them, given "
        "for member 0."
    )
    return Table(header, rows, caption)


def strain_table(interfaces: InterfaceEnergies) -> Table:
    """Return stretches, volume change and compatibility of the transformation."""
    stretches = interfaces.stretches
    rows = [(f"λ{'₁₂₃'[index]}", member_value(stretches[:, index])) for index in range(stretches.shape[1])]
    rows.append(("ΔV/V (%)", member_value(100 * (np.prod(stretches, axis=1) - 1))))
    rows.append(("cofactor residual |λ₂ − 1|", member_value(interfaces.cofactor_residual)))
    caption = f"Transformation from θ = {interfaces.theta_low:g} to {interfaces.theta_high:g}."
    return Table(("principal stretch", "value"), tuple(rows), caption)


def tensor_table(values: FloatArray, labels: tuple[str, ...], caption: str, digits: int) -> Table:
    """Return a square matrix with its row and column names."""
    rows = tuple(
        (label, *(f"{value + 0.0:.{digits}f}" for value in row))
        for label, row in zip(labels, values, strict=True)
    )
    return Table(("", *labels), rows, caption)
