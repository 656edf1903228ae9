"""Heat of a cell that warms: its balance with the surroundings, and what its electrodes release.

| symbol | name here |
|---|---|
| C dT/dt = q − h (T − T_a), per electrode area | `HeatBalance` |
| q = −dH/dt − I V, I > 0 discharges | `released_heat` |
| H = G − T ∂G/∂T of the ions in both electrodes, against the ion's metal | ``_enthalpy`` |

For uniform particles this is q = I (U − V) − I T dU/dT (Bernardi, Pawlikowski and Newman, J. Electrochem.
Soc. 132, 5 (1985)); H of the particles as they are adds the heat of mixing. The salt's heat of dilution is
left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import ElectrodeDesign, MaterialCard, Sourced
from scalebridge.electrode.discharge import CellSolution
from scalebridge.electrode.model import CellModel
from scalebridge.electrode.porous import PorousElectrode
from scalebridge.electrode.system import Unknowns
from scalebridge.foundation import InputError, ValidityError, constants

FloatArray = NDArray[np.float64]
Build = Callable[[float], CellModel]
"""A cell at a temperature [K], always with the same grid."""

ENTROPY_STEP = 0.5
"""For ∂G/∂T [K]."""


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


def cells_at(card: MaterialCard, design: ElectrodeDesign, first: CellModel, member: int) -> Build:
    """Return what builds ``first``, a member's cell in a design, at other temperatures.

    Shells, gradient energy (which a card holds for all temperatures, and a thin interface raises) and voltage
    cutoff are those of ``first``. Raises as `CellModel.from_card`, and `InputError` if the card holds one
    temperature only.
    """
    sampled = card.free_energy.branches[0].temperature
    if np.ptp(sampled) == 0:
        raise InputError(
            f"the card's free energy holds {sampled[0]:g} K alone and the design's [thermal] lets the cell "
            "warm; add temperatures to the recipe's thermodynamics.temperatures, or leave [thermal] out"
        )
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


def carried(old: CellModel, new: CellModel, unknowns: Unknowns, state: FloatArray) -> FloatArray:
    """Return a state with its potentials [V] in the thermal voltage of another temperature."""
    ratio = old.particle.thermal_voltage / new.particle.thermal_voltage
    moved = state.copy()
    moved[unknowns.concentration + 1] *= ratio
    sides = ((old.cathode, new.cathode, unknowns.cathode), (old.anode, new.anode, unknowns.anode))
    for before, after, own in sides:
        if isinstance(before, PorousElectrode) and isinstance(after, PorousElectrode):
            places = np.union1d(own.solid, own.own_potential)
            standard = [e.particle.mean_voltage / e.particle.thermal_voltage for e in (before, after)]
            moved[places] = (state[places] + standard[0]) * ratio - standard[1]
    return moved


def released_heat(build: Build, model: CellModel, solution: CellSolution) -> float:
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
