"""Discharge of a cell that warms: one temperature, in turn with the isothermal equations (splitting).

| symbol | name here |
|---|---|
| C dT/dt = q − h (T − T_a), per electrode area | ``HeatBalance`` |
| q = −dH/dt − I V, I > 0 discharges | ``ThermalSolution.heat`` |
| H = G − T ∂G/∂T of the ions in both electrodes, against the ion's metal | ``_enthalpy`` |

For uniform particles this is q = I (U − V) − I T dU/dT (Bernardi, Pawlikowski and Newman, J. Electrochem.
Soc. 132, 5 (1985)); H of the particles as they are adds the heat of mixing. The salt's heat of dilution is
left out. A slice of time has one temperature, that of its middle as the slice before foretells it: second
order in the slices' length.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import FINAL_FILLING, SOLVER_FAILURE, ElectrodeDesign, MaterialCard, Sourced
from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.discharge import (
    CellSolution,
    cell_solution,
    discharge_rules,
    discharge_status,
    joined,
    output_times,
    runnable,
    termination,
)
from scalebridge.electrode.model import CellModel
from scalebridge.electrode.porous import PorousElectrode
from scalebridge.electrode.system import Unknowns, rest_state
from scalebridge.foundation import ConvergenceError, InputError, ValidityError, constants
from scalebridge.particle import REFERENCE_TOLERANCE, consistent_start, solve_implicit

FloatArray = NDArray[np.float64]
Build = Callable[[float], CellModel]
"""A cell at a temperature [K], always with the same grid."""

FIRST_SLICE = 1e-3
"""Of the duration: nothing foretells its heat."""
LONGEST_SLICE = 0.05
"""Of the duration."""
GROWTH = 2.0
"""Of a slice over the one before."""
TEMPERATURE_STEP = 0.25
"""Largest change of temperature in a slice [K]."""
START_TOLERANCE = 1e-8
"""Of the potentials where a slice begins [kT/e]: rounding alone leaves 1e-9 where a cell conducts well."""
ENTROPY_STEP = 0.5
"""For ∂G/∂T [K]."""
OUT_OF_RANGE = "temperature range"
"""Termination where the cell leaves the temperatures of its materials."""


@dataclass(frozen=True, kw_only=True)
class HeatBalance:
    """What the cell exchanges with its surroundings.

    Raises
    ------
    InputError
        If a number breaks its bound.
    """

    heat_capacity: float
    """C, per electrode area [J/(m² K)]."""
    heat_transfer: float
    """h, per electrode area [W/(m² K)]; 0: adiabatic."""
    ambient_temperature: float
    """[K]"""

    def __post_init__(self) -> None:
        if not (self.heat_capacity > 0 and self.heat_transfer >= 0 and self.ambient_temperature > 0):
            raise InputError(
                f"heat capacity {self.heat_capacity:g} J/(m² K), heat transfer {self.heat_transfer:g} "
                f"W/(m² K) and ambient temperature {self.ambient_temperature:g} K must be positive (heat "
                "transfer may be 0); change the design's [thermal]"
            )

    @classmethod
    def from_design(cls, design: ElectrodeDesign) -> Self:
        """Take the numbers of a design's ``thermal``, which it must have."""
        assert design.thermal is not None
        ambient = design.thermal.ambient_temperature
        return cls(
            heat_capacity=float(design.thermal.heat_capacity),
            heat_transfer=float(design.thermal.heat_transfer_coefficient),
            ambient_temperature=float(design.temperature if ambient is None else ambient),
        )

    def after(self, temperature: float, heat: float, time: FloatArray | float) -> FloatArray:
        """Return the temperature [K] after times [s] of a constant heat [W/m²]."""
        rate = self.heat_transfer / self.heat_capacity
        approach = -np.expm1(-rate * np.asarray(time)) / rate if rate > 0 else np.asarray(time)
        slope = (heat - self.heat_transfer * (temperature - self.ambient_temperature)) / self.heat_capacity
        return np.asarray(temperature + slope * approach)

    def slope(self, temperature: float, heat: float) -> float:
        """Return dT/dt [K/s]."""
        return (heat - self.heat_transfer * (temperature - self.ambient_temperature)) / self.heat_capacity


@dataclass(frozen=True, eq=False)
class ThermalSolution:
    """A discharge with its temperature."""

    cell: CellSolution
    """Potentials of every time belong to the temperature of its slice."""
    temperature: FloatArray
    """(times,) [K]"""
    heat: FloatArray
    """(times,) released per electrode area, mean of the slice around each time [W/m²]."""


@dataclass(frozen=True, eq=False)
class _Run:
    """What stays the same from slice to slice."""

    build: Build
    c_rate: float
    balance: HeatBalance
    times: FloatArray
    temperature_step: float
    relative_tolerance: float

    @property
    def end(self) -> float:
        return float(self.times[-1])


@dataclass(frozen=True, eq=False)
class _Reached:
    """Where a slice begins."""

    time: float
    temperature: float
    heat: float
    """Of the slice before [W/m²]."""
    length: float
    """Wanted of the next slice [s]."""
    model: CellModel
    """To which ``state`` belongs."""
    state: FloatArray


def solve_thermal_cell(
    build: Build,
    c_rate: float,
    balance: HeatBalance,
    *,
    temperature: float,
    times: FloatArray | None = None,
    temperature_step: float = TEMPERATURE_STEP,
    relative_tolerance: float = REFERENCE_TOLERANCE,
) -> ThermalSolution:
    """Discharge (``c_rate`` > 0) or charge (< 0) at constant current from rest at ``temperature``.

    Parameters
    ----------
    build
        Returns the cell at a temperature, always with the same grid and voltage cutoff.
    temperature
        At the start [K].
    times
        Output times from 0 [s], as of `solve_cell`; the ends of slices join them.
    temperature_step
        Largest change of temperature within which the cell counts as isothermal [K].

    Raises
    ------
    InputError
        If the rate is 0, or negative without ``times``, the temperature step is not positive, or an electrode
        has a noise interval.
    ValidityError
        If the cell does not exist at the first temperatures. Where it leaves the range of its materials
        later, the run ends there with the termination `OUT_OF_RANGE`.
    ConvergenceError
        If no consistent start exists at time 0.
    """
    if c_rate == 0 or (c_rate < 0 and times is None):
        raise InputError(f"C-rate {c_rate:g} must be positive (negative, charging, only with output times)")
    if temperature_step <= 0:
        raise InputError(f"temperature step {temperature_step:g} K must be positive; choose some 0.25 K")
    model = build(temperature)
    model.refuse_noise("a cell that warms ([thermal])")
    asked = output_times(model, c_rate) if times is None else np.asarray(times, dtype=np.float64)
    run = _Run(build, c_rate, balance, asked, temperature_step, relative_tolerance)
    arrays = cell_arrays(model, target=c_rate)
    start = rest_state(model, arrays, Unknowns.of(arrays), c_rate)
    reached = _Reached(0.0, temperature, 0.0, FIRST_SLICE * run.end, model, start)
    parts: list[ThermalSolution] = []
    ended, status = FINAL_FILLING, ""
    while ended == FINAL_FILLING and reached.time < run.end:
        try:
            reached, part = _advanced(run, reached)
        except (ValidityError, ConvergenceError) as error:
            if not parts:
                raise
            outside = isinstance(error, ValidityError)
            ended = OUT_OF_RANGE if outside else SOLVER_FAILURE
            reason = "the cell left what its materials hold" if outside else "the solver stopped"
            status = f"{parts[-1].cell.time[-1]:.4g} s, where {reason}: {error}"
            break
        ended, status = part.cell.termination, part.cell.status
        parts.append(part)
    warmth = np.concatenate([part.temperature for part in parts])
    status = f"{status}; {warmth.min():.1f} … {warmth.max():.1f} K"
    return ThermalSolution(
        replace(joined([part.cell for part in parts]), termination=ended, status=status),
        warmth,
        np.concatenate([part.heat for part in parts]),
    )


def _advanced(run: _Run, at: _Reached) -> tuple[_Reached, ThermalSolution]:
    """Return where a slice ends, and its part of the solution but for the time shared with the one before."""
    balance, now = run.balance, at.time
    # a rest shorter than a tenth of the slice joins it
    end = now + at.length if run.end - now > 1.1 * at.length else run.end
    model = run.build(float(balance.after(at.temperature, at.heat, 0.5 * (end - now))))
    arrays = cell_arrays(model, target=run.c_rate)
    unknowns = Unknowns.of(arrays)
    system, events = runnable(model, arrays, unknowns, discharge_rules(model))
    carried = _carried(at.model, model, unknowns, at.state)
    start = consistent_start(system, carried, tolerance=START_TOLERANCE)
    asked = np.concatenate([[now], run.times[(run.times > now) & (run.times < end)], [end]]) - now
    result = solve_implicit(system, asked, start, events=events, relative_tolerance=run.relative_tolerance)
    heat = _heat(run.build, model, cell_solution(model, unknowns, result, termination="", status=""))
    ended, times = termination(model, unknowns, result), result.time
    kept = (
        replace(result, time=times + now)
        if now == 0
        else replace(result, time=times[1:] + now, states=result.states[1:])
    )
    solution = cell_solution(
        model, unknowns, kept, termination=ended, status=discharge_status(model, run.c_rate, kept, ended)
    )
    warmth = balance.after(at.temperature, heat, times)
    part = ThermalSolution(solution, warmth[-kept.time.size :], np.full(kept.time.size, heat))
    longest = min(GROWTH * at.length, LONGEST_SLICE * run.end)
    slope = abs(balance.slope(float(warmth[-1]), heat))
    length = min(longest, run.temperature_step / slope) if slope > 0 else longest
    return _Reached(now + float(times[-1]), float(warmth[-1]), heat, length, model, result.states[-1]), part


def cells_at(card: MaterialCard, design: ElectrodeDesign, first: CellModel, member: int) -> Build:
    """Return what builds ``first``, a member's cell in a design, at other temperatures.

    Shells, gradient energy (which a card holds for all temperatures, and a thin interface raises) and voltage
    cutoff are those of ``first``. Raises as `CellModel.from_card`.
    """
    own = first.particle
    widened = own.material_gradient_energy is not None

    def build(temperature: float) -> CellModel:
        warm = design.model_copy(
            update={"temperature": Sourced(value=temperature, source="the cell's heat balance")}
        )
        cell = CellModel.from_card(card, warm, member=member, shells=None if widened else own.shells)
        particle = replace(
            cell.particle,
            shells=own.shells,
            gradient_energy=own.gradient_energy,
            material_gradient_energy=own.material_gradient_energy,
        )
        return replace(
            cell, cathode=replace(cell.cathode, particle=particle), cutoff_voltage=first.cutoff_voltage
        )

    return build


def _carried(old: CellModel, new: CellModel, unknowns: Unknowns, state: FloatArray) -> FloatArray:
    """Return a state with its potentials [V] in the thermal voltage of another temperature."""
    ratio = old.particle.thermal_voltage / new.particle.thermal_voltage
    carried = state.copy()
    carried[unknowns.concentration + 1] *= ratio
    sides = ((old.cathode, new.cathode, unknowns.cathode), (old.anode, new.anode, unknowns.anode))
    for before, after, own in sides:
        if isinstance(before, PorousElectrode) and isinstance(after, PorousElectrode):
            places = np.union1d(own.solid, own.own_potential)
            standard = [e.particle.mean_voltage / e.particle.thermal_voltage for e in (before, after)]
            carried[places] = (state[places] + standard[0]) * ratio - standard[1]
    return carried


def _heat(build: Build, model: CellModel, solution: CellSolution) -> float:
    """Return −ΔH/Δt − ⟨I V⟩ of an isothermal run [W/m²], 0 of one without duration."""
    duration = float(solution.time[-1] - solution.time[0])
    if duration == 0:
        return 0.0
    work = float(np.trapezoid(solution.current * solution.voltage, solution.time))
    enthalpy = _enthalpy(build, model, solution)
    return (float(enthalpy[0] - enthalpy[-1]) - work) / duration


def _enthalpy(build: Build, model: CellModel, solution: CellSolution) -> FloatArray:
    """Return H of the ions in the electrodes at the first and the last time, per area (2,) [J/m²]."""
    temperature = model.particle.temperature
    energy = _gibbs_energy(model, solution)
    around = [_near(build, model, shift) for shift in (-ENTROPY_STEP, ENTROPY_STEP)]
    width = around[1].particle.temperature - around[0].particle.temperature
    if width == 0:
        return energy
    entropy = (_gibbs_energy(around[0], solution) - _gibbs_energy(around[1], solution)) / width
    return energy + temperature * entropy


def _near(build: Build, model: CellModel, shift: float) -> CellModel:
    """Return the cell at a temperature nearby, itself where there is none."""
    try:
        return build(model.particle.temperature + shift)
    except ValidityError:
        return model


def _gibbs_energy(model: CellModel, solution: CellSolution) -> FloatArray:
    """Return G of the ions in the electrodes at the first and the last time, per area (2,) [J/m²]."""
    phases = None if solution.phase_fractions is None else solution.phase_fractions[[0, -1]]
    total = _electrode_energy(model.cathode, solution.theta[[0, -1]], phases)
    if isinstance(model.anode, PorousElectrode) and solution.anode is not None:
        total = total + _electrode_energy(model.anode, solution.anode.theta[[0, -1]])
    return total


def _electrode_energy(
    electrode: PorousElectrode, theta: FloatArray, phases: FloatArray | None = None
) -> FloatArray:
    """Return G of an electrode at ``theta`` (times, volumes, particles, shells), per area (times,) [J/m²].

    ``phases`` (…, branches): see `CellSolution.phase_fractions`.
    """
    particle = electrode.particle
    sites = electrode.capacity_per_area / (particle.ion_charge * constants.ELEMENTARY_CHARGE)
    sizes, shares = electrode.particle_sizes, electrode.particle_shares
    filling = theta @ particle.grid.fractions
    energy = particle.standard_potential * np.einsum("tkj,kj->t", filling, shares)
    for size in np.unique(sizes):
        alike = sizes == size
        own = None if phases is None else phases[:, alike]
        per_site = particle.scaled_to(float(size)).free_energy(theta[:, alike], own)
        energy = energy + particle.thermal_energy * per_site @ shares[alike]
    return np.asarray(sites * energy)
