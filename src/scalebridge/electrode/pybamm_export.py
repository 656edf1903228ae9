"""A half cell as parameters of PyBaMM's Doyle–Fuller–Newman model, where its physics fits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.electrode.bpx_export import to_bpx
from scalebridge.electrode.model import STANDARD_CONCENTRATION, CellModel, MetalFoil
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
    """Return a half cell as a dictionary for ``pybamm.ParameterValues``.

    For ``pybamm.lithium_ion.DFN({"working electrode": "positive"})`` of 1 m². Tables are interpolated by
    PyBaMM's cubic splines. The same electrodes fit as in BPX, see `to_bpx`.

    Raises
    ------
    InputError
        If PyBaMM's model has no place for something of the model.
    MissingDependencyError
        If PyBaMM is not installed.
    """
    content = to_bpx(model, title="half cell")["Parameterisation"]
    pybamm = optional_package(*PYBAMM)
    particle, electrolyte = content["Positive electrode"], content["Electrolyte"]
    temperature, largest = model.particle.temperature, particle["Maximum concentration [mol.m-3]"]
    solid = (1 - model.cathode.layer.porosity) * model.cathode.volume_fraction
    initial = model.cathode.initial_theta * largest
    assert isinstance(model.anode, MetalFoil)  # `to_bpx` refuses others
    law, metal = model.particle.rate_law, model.anode.rate_law
    diffusivity = _interpolated(pybamm, particle["Diffusivity [m2.s-1]"], "diffusivity")
    salt = _interpolated(pybamm, electrolyte["Diffusivity [m2.s-1]"], "salt_diffusivity")
    conductivity = _interpolated(pybamm, electrolyte["Conductivity [S.m-1]"], "conductivity")

    def exchange(c_e: Any, c_s: Any, c_max: Any, _: Any) -> Any:
        filled = c_s / c_max
        return law.rate_constant * pybamm.sqrt(c_e / STANDARD_CONCENTRATION * filled * (1 - filled))

    def foil(c_e: Any, _c: Any, _t: Any) -> Any:
        return metal.rate_constant * (c_e / STANDARD_CONCENTRATION) ** (1 - metal.transfer_coefficient)

    return _geometry(model) | {
        "Positive electrode active material volume fraction": solid,
        "Positive particle radius [m]": model.particle.size,
        "Maximum concentration in positive electrode [mol.m-3]": largest,
        "Initial concentration in positive electrode [mol.m-3]": initial,
        "Initial concentration in electrolyte [mol.m-3]": model.salt_concentration,
        "Positive electrode OCP [V]": _interpolated(pybamm, particle["OCP [V]"], "open_circuit_potential"),
        "Positive electrode OCP entropic change [V.K-1]": 0.0,
        "Positive particle diffusivity [m2.s-1]": lambda sto, _: diffusivity(sto),
        "Positive electrode exchange-current density [A.m-2]": exchange,
        "Exchange-current density for lithium metal electrode [A.m-2]": foil,
        "Electrolyte diffusivity [m2.s-1]": lambda c, _: salt(c),
        "Electrolyte conductivity [S.m-1]": lambda c, _: conductivity(c),
        "Cation transference number": electrolyte["Cation transference number"],
        "Thermodynamic factor": 1.0,
        "Ambient temperature [K]": temperature,
        "Reference temperature [K]": temperature,
        "Initial temperature [K]": temperature,
        "Lower voltage cut-off [V]": model.cutoff_voltage,
        "Upper voltage cut-off [V]": model.open_circuit_voltage + HIGHEST,
        "Nominal cell capacity [A.h]": model.one_c_current,
        "Current function [A]": model.one_c_current,
    }


def write_pybamm(model: CellModel, path: Path) -> Path:
    """Write a half cell as JSON for ``pybamm.ParameterValues.from_json``; return the path.

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


def _geometry(model: CellModel) -> dict[str, Any]:
    separator, cathode = model.separator, model.cathode.layer
    return {
        "Separator thickness [m]": separator.thickness,
        "Positive electrode thickness [m]": cathode.thickness,
        "Negative electrode thickness [m]": METAL_THICKNESS,
        "Separator porosity": separator.porosity,
        "Positive electrode porosity": cathode.porosity,
        "Separator Bruggeman coefficient (electrolyte)": separator.bruggeman_exponent,
        "Positive electrode Bruggeman coefficient (electrolyte)": cathode.bruggeman_exponent,
        "Positive electrode Bruggeman coefficient (electrode)": 0.0,
        "Positive electrode conductivity [S.m-1]": model.cathode.electronic_conductivity,
        "Negative electrode conductivity [S.m-1]": METAL_CONDUCTIVITY,
        "Electrode width [m]": 1.0,
        "Electrode height [m]": 1.0,
        "Number of electrodes connected in parallel to make a cell": 1.0,
        "Number of cells connected in series to make a battery": 1.0,
        "Contact resistance [Ohm]": 0.0,
    }


def _interpolated(pybamm: Any, table: dict[str, list[float]], name: str) -> Callable[[Any], Any]:
    """Return a table as PyBaMM's interpolant of one variable."""
    x, y = np.array(table["x"]), np.array(table["y"])
    return lambda variable: pybamm.Interpolant(x, y, variable, name=name, interpolator="cubic")
