"""Geometry and electrolyte of a BPX file (Battery Parameter eXchange), to be given to a cell."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode.bpx_export import BPX
from scalebridge.electrode.electrolytes import Property, SaltSolution
from scalebridge.electrode.model import CellModel
from scalebridge.electrode.porous import Layer, PorousElectrode
from scalebridge.foundation import FormatError, InputError, constants, optional_package

FloatArray = NDArray[np.float64]

ROOM = 298.15
"""Reference temperature where a file gives none [K]."""
NEARBY = 5.0
"""From the reference temperature, where a file gives no activation energies [K]."""
CONCENTRATIONS = (1.0, 4000.0)
"""Between which a file's expressions are tried; they count as far as D and κ stay positive [mol/m³]."""
PROBES = 800


@dataclass(frozen=True, kw_only=True)
class BpxElectrode:
    """What a BPX file says of an electrode apart from its active material."""

    layer: Layer
    volume_fraction: float
    """Active material in the solid part."""
    electronic_conductivity: float
    """Effective [S/m]."""
    particle_radius: float
    """[m]"""

    def applied(self, electrode: PorousElectrode) -> PorousElectrode:
        """Return an electrode with this geometry; its material, rate law, filling and films stay.

        Raises
        ------
        InputError
            See `PorousElectrode`.
        """
        return replace(
            electrode,
            particle=replace(electrode.particle, size=self.particle_radius, shape="sphere"),
            layer=self.layer,
            volume_fraction=self.volume_fraction,
            electronic_conductivity=self.electronic_conductivity,
            population=None,
            contact_conductance=None,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class BpxCell:
    """What a BPX file says of a cell apart from its active materials."""

    separator: Layer
    electrode: BpxElectrode
    counter: BpxElectrode | None
    """The other one, None where the file has none or a blend of materials."""
    electrolyte: SaltSolution
    salt_concentration: float
    """[mol/m³]"""
    title: str

    def applied(self, model: CellModel) -> CellModel:
        """Return a cell with this geometry and electrolyte; its materials and rate laws stay.

        ``electrode`` becomes the cathode; a porous anode takes the numbers of ``counter``.

        Raises
        ------
        InputError
            If the model's anode is porous and the file has no counter electrode; see also `CellModel`.
        ValidityError
            If the electrolyte does not hold at the model's temperature.
        """
        anode = model.anode
        if isinstance(anode, PorousElectrode):
            if self.counter is None:
                raise InputError(
                    f"'{self.title}' gives no counter electrode of one material, which the porous anode of "
                    "this cell needs; give a file with both electrodes, or a half cell"
                )
            anode = self.counter.applied(anode)
        return replace(
            model,
            cathode=self.electrode.applied(model.cathode),
            separator=self.separator,
            anode=anode,
            electrolyte=self.electrolyte,
            salt_concentration=self.salt_concentration,
        )


def read_bpx(
    path: Path,
    *,
    electrode: Literal["positive", "negative"] = "positive",
    volumes: tuple[int, int] = (10, 20),
) -> BpxCell:
    """Read geometry and electrolyte of a BPX file, of version 0 as well.

    The active material's open-circuit potential, diffusivity and rate constant are left behind: those come
    from a material card.

    Parameters
    ----------
    electrode
        Which of the two becomes `BpxCell.electrode`; the other one is its ``counter``.
    volumes
        Finite volumes of separator and of each electrode, which a BPX file does not name.

    Raises
    ------
    FormatError
        If the file cannot be read, or is not BPX.
    InputError
        If it lacks a part, or the electrode is a blend.
    MissingDependencyError
        If ``bpx`` is not installed.
    """
    parsed = _parsed(path)
    parts = parsed.parameterisation
    chosen: Any = getattr(parts, f"{electrode}_electrode", None)
    state = None if parsed.state is None else parsed.state.initial_conditions
    salt = None if state is None else state.initial_electrolyte_concentration
    needed = {
        f"{electrode} electrode with porosity": getattr(chosen, "porosity", None),
        "separator": getattr(parts, "separator", None),
        "electrolyte": getattr(parts, "electrolyte", None),
        "initial electrolyte concentration": salt,
    }
    missing = [name for name, value in needed.items() if value is None]
    if missing or salt is None:
        raise InputError(f"{path}: has no {' and no '.join(missing)}; give a BPX file of a DFN cell")
    if not hasattr(chosen, "particle_radius"):
        raise InputError(f"{path}: the {electrode} electrode blends several materials; give a file with one")
    other = getattr(parts, f"{'negative' if electrode == 'positive' else 'positive'}_electrode", None)
    cell = getattr(parts, "cell", None)
    reference = getattr(cell, "reference_temperature", None) or ROOM
    return BpxCell(
        separator=_layer(parts.separator, volumes[0]),
        electrode=_electrode(chosen, volumes[1]),
        counter=_electrode(other, volumes[1]) if hasattr(other, "particle_radius") else None,
        electrolyte=_electrolyte(parts.electrolyte, float(reference), str(path.name)),
        salt_concentration=float(salt),
        title=parsed.header.title or path.stem,
    )


def _parsed(path: Path) -> Any:
    bpx = optional_package(*BPX)
    try:
        return bpx.parse_bpx_file(path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); give a BPX file") from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise FormatError(f"{path}: is no BPX file ({reason}); see https://bpxstandard.com") from error


def _electrode(part: Any, volumes: int) -> BpxElectrode:
    layer = _layer(part, volumes)
    solid = part.surface_area_per_unit_volume * part.particle_radius / 3
    return BpxElectrode(
        layer=layer,
        volume_fraction=float(solid / (1 - layer.porosity)),
        electronic_conductivity=float(part.conductivity),
        particle_radius=float(part.particle_radius),
    )


def _layer(part: Any, volumes: int) -> Layer:
    porosity, efficiency = float(part.porosity), float(part.transport_efficiency)
    if not 0 < porosity < 1 or not 0 < efficiency <= 1:
        raise InputError(
            f"porosity {porosity:g} and transport efficiency {efficiency:g} must obey 0 < ε < 1, 0 < b ≤ 1; "
            "correct the BPX file"
        )
    exponent = float(np.log(efficiency) / np.log(porosity))
    return Layer(
        thickness=float(part.thickness), porosity=porosity, bruggeman_exponent=exponent, volumes=volumes
    )


def _electrolyte(part: Any, reference: float, name: str) -> SaltSolution:
    diffusivity, low_d, high_d = _function(part.diffusivity)
    conductivity, low_k, high_k = _function(part.conductivity)
    heats = (part.diffusivity_activation_energy, part.conductivity_activation_energy)
    low, high = max(low_d, low_k), min(high_d, high_k)
    probes = np.linspace(low, high, PROBES)
    wrong = np.flatnonzero((diffusivity(probes) <= 0) | (conductivity(probes) <= 0))
    if wrong.size and wrong[0] > 0:
        high = float(probes[wrong[0] - 1])
    if high <= low or (wrong.size and wrong[0] == 0):
        raise InputError(
            f"{name}: diffusivity or conductivity of the electrolyte is not positive at {low:g} mol/m³; "
            "correct the BPX file"
        )
    scale = constants.GAS_CONSTANT / constants.FARADAY**2
    transference, known = float(part.cation_transference_number), None not in heats

    def diffusion(c: FloatArray, temperature: float) -> FloatArray:
        return diffusivity(c) * _arrhenius(heats[0], reference, temperature)

    def mobility(c: FloatArray, temperature: float) -> FloatArray:
        return conductivity(c) * _arrhenius(heats[1], reference, temperature) * scale * temperature / c

    constant: Callable[[float], Property] = lambda value: lambda c, _: np.full(np.shape(c), value)  # noqa: E731
    return SaltSolution(
        name=f"electrolyte of {name}",
        source=name,
        diffusivity=diffusion,
        mobility_sum=mobility,
        transference=constant(transference),
        thermodynamic_factor=constant(1.0),
        concentrations=(low, high),
        temperatures=(0.0, np.inf) if known else (reference - NEARBY, reference + NEARBY),
    )


def _arrhenius(heat: float | None, reference: float, temperature: float) -> float:
    exponent = (heat or 0.0) / constants.GAS_CONSTANT * (1 / reference - 1 / temperature)
    return float(np.exp(exponent))


def _function(value: Any) -> tuple[Callable[[FloatArray], FloatArray], float, float]:
    """Return a number, expression or table as a function of concentration, and where it holds."""
    if hasattr(value, "to_python_function"):
        expression = value.to_python_function(preamble="from numpy import exp, tanh, cosh")
        return lambda c: np.asarray(expression(c) + 0.0 * c), *CONCENTRATIONS
    if hasattr(value, "x"):
        x, y = np.array(value.x), np.array(value.y)
        return lambda c: np.interp(c, x, y), max(float(x[0]), CONCENTRATIONS[0]), float(x[-1])
    number = float(value)
    return lambda c: np.full(np.shape(c), number), *CONCENTRATIONS
