"""Cells as parameters of PyBaMM's Doyle–Fuller–Newman model, where their physics fits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode.bpx_export import to_bpx
from scalebridge.electrode.model import STANDARD_CONCENTRATION, CellModel, MetalFoil
from scalebridge.electrode.porous import PorousElectrode
from scalebridge.foundation import InputError, optional_package

FloatArray = NDArray[np.float64]

PYBAMM = ("pybamm", "its parameter sets")
"""For `optional_package`."""
METAL_THICKNESS = 1e-6
"""Of the metal electrode, which costs nothing [m]."""
METAL_CONDUCTIVITY = 1e8
"""[S/m]"""
HIGHEST = 1.0
"""Upper voltage cut-off above the voltage at the start [V]."""


def to_pybamm(model: CellModel) -> dict[str, Any]:
    """Return a cell as a dictionary for ``pybamm.ParameterValues``.

    For ``pybamm.lithium_ion.DFN()`` of 1 m², of a half cell with the option ``{"working electrode":
    "positive"}``. Tables are interpolated linearly, as in BPX. What fits into BPX fits, see `to_bpx`.

    Raises
    ------
    InputError
        If PyBaMM's model has no place for something of the model.
    MissingDependencyError
        If PyBaMM is not installed.
    """
    content = to_bpx(model, title="cell")["Parameterisation"]
    pybamm = optional_package(*PYBAMM)
    negative = (
        _metal(model.anode)
        if isinstance(model.anode, MetalFoil)
        else _electrode(pybamm, "Negative", model.anode, content["Negative electrode"])
    )
    temperature = model.particle.temperature
    return (
        _electrode(pybamm, "Positive", model.cathode, content["Positive electrode"])
        | negative
        | _between(pybamm, model, content["Electrolyte"])
        | {
            "Electrode width [m]": 1.0,
            "Electrode height [m]": 1.0,
            "Number of electrodes connected in parallel to make a cell": 1.0,
            "Number of cells connected in series to make a battery": 1.0,
            "Contact resistance [Ohm]": 0.0,
            "Ambient temperature [K]": temperature,
            "Reference temperature [K]": temperature,
            "Initial temperature [K]": temperature,
            "Lower voltage cut-off [V]": model.cutoff_voltage,
            "Upper voltage cut-off [V]": model.open_circuit_voltage + HIGHEST,
            "Nominal cell capacity [A.h]": model.one_c_current,
            "Current function [A]": model.one_c_current,
        }
    )


def write_pybamm(model: CellModel, path: Path) -> Path:
    """Write a cell as JSON for ``pybamm.ParameterValues.from_json``; return the path.

    Raises
    ------
    InputError
        See `to_pybamm`; or if the file cannot be written.
    MissingDependencyError
        If PyBaMM is not installed.
    """
    values = to_pybamm(model)
    try:
        optional_package(*PYBAMM).ParameterValues(values).to_json(str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); give another path") from error
    return path


def _electrode(pybamm: Any, side: str, electrode: PorousElectrode, table: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the electrode called "Positive" or "Negative"; ``table``: its part of BPX."""
    layer, rate = electrode.layer, electrode.particle.rate_law.rate_constant
    diffusivity = _interpolated(pybamm, table["Diffusivity [m2.s-1]"], "diffusivity")
    largest, lower = table["Maximum concentration [mol.m-3]"], side.lower()

    def exchange(c_e: Any, c_s: Any, c_max: Any, _: Any) -> Any:
        filled = c_s / c_max
        return rate * pybamm.sqrt(c_e / STANDARD_CONCENTRATION * filled * (1 - filled))

    return {
        f"{side} electrode thickness [m]": layer.thickness,
        f"{side} electrode porosity": layer.porosity,
        f"{side} electrode Bruggeman coefficient (electrolyte)": layer.bruggeman_exponent,
        f"{side} electrode Bruggeman coefficient (electrode)": 0.0,
        f"{side} electrode conductivity [S.m-1]": electrode.electronic_conductivity,
        f"{side} electrode active material volume fraction": (1 - layer.porosity) * electrode.volume_fraction,
        f"{side} particle radius [m]": electrode.particle.size,
        f"Maximum concentration in {lower} electrode [mol.m-3]": largest,
        f"Initial concentration in {lower} electrode [mol.m-3]": electrode.initial_theta * largest,
        f"{side} electrode OCP [V]": _interpolated(pybamm, table["OCP [V]"], "open_circuit_potential"),
        f"{side} electrode OCP entropic change [V.K-1]": 0.0,
        f"{side} particle diffusivity [m2.s-1]": lambda sto, _: diffusivity(sto),
        f"{side} electrode exchange-current density [A.m-2]": exchange,
    }


def _metal(foil: MetalFoil) -> dict[str, Any]:
    law = foil.rate_law

    def exchange(c_e: Any, _c: Any, _t: Any) -> Any:
        return law.rate_constant * (c_e / STANDARD_CONCENTRATION) ** (1 - law.transfer_coefficient)

    return {
        "Negative electrode thickness [m]": METAL_THICKNESS,
        "Negative electrode conductivity [S.m-1]": METAL_CONDUCTIVITY,
        "Exchange-current density for lithium metal electrode [A.m-2]": exchange,
    }


def _between(pybamm: Any, model: CellModel, electrolyte: dict[str, Any]) -> dict[str, Any]:
    """Return the values of separator and electrolyte."""
    salt = _interpolated(pybamm, electrolyte["Diffusivity [m2.s-1]"], "salt_diffusivity")
    conductivity = _interpolated(pybamm, electrolyte["Conductivity [S.m-1]"], "conductivity")
    return {
        "Separator thickness [m]": model.separator.thickness,
        "Separator porosity": model.separator.porosity,
        "Separator Bruggeman coefficient (electrolyte)": model.separator.bruggeman_exponent,
        "Initial concentration in electrolyte [mol.m-3]": model.salt_concentration,
        "Electrolyte diffusivity [m2.s-1]": lambda c, _: salt(c),
        "Electrolyte conductivity [S.m-1]": lambda c, _: conductivity(c),
        "Cation transference number": electrolyte["Cation transference number"],
        "Thermodynamic factor": 1.0,
    }


def _interpolated(pybamm: Any, table: dict[str, list[float]], name: str) -> Callable[[Any], Any]:
    """Return a table as PyBaMM's interpolant of one variable."""
    x, y = np.array(table["x"]), np.array(table["y"])
    return lambda variable: pybamm.Interpolant(x, y, variable, name=name, interpolator="linear")
