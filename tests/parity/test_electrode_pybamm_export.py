"""An exported parameter set, solved by PyBaMM itself: skipped where that is not installed."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from particle_models import LAW, cell, particle
from scalebridge.contracts import Provenance
from scalebridge.electrode import (
    CellModel,
    Layer,
    PorousElectrode,
    named_electrolyte,
    solve_cell,
    to_pybamm,
    write_bpx,
    write_pybamm,
)
from scalebridge.foundation import InputError, MissingDependencyError
from scalebridge.materials import load_material
from scalebridge.particle import measured_particle


def solid_solution() -> CellModel:
    law = LAW.model_copy(update={"transition_state": "follows host", "rate_constant": 1.0})
    return cell(
        particle(1.0, shells=60, size=1e-6, diffusivity=2e-15, gradient_energy=0.0, rate_law=law),
        separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=10),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.8, volumes=20),
        electrolyte=named_electrolyte("LiPF6 in EC:EMC 3:7 (Nyman 2008)"),
        electronic_conductivity=0.7,
        initial_theta=0.05,
        final_theta=0.95,
        cutoff_voltage=2.9,
    )


def compare(physics: Any, values: Any, model: CellModel, c_rate: float) -> NDArray[np.float64]:
    """Return our voltage less PyBaMM's over 80 % of the capacity, at equal volumes and shells."""
    pybamm = pytest.importorskip("pybamm")
    simulation = pybamm.Simulation(
        physics,
        parameter_values=values,
        solver=pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-8),
        var_pts={"x_n": 20, "x_s": 10, "x_p": 20, "r_n": 60, "r_p": 60},
        C_rate=c_rate,
    )
    theirs = simulation.solve(np.linspace(0, 0.8 * 3600 / c_rate, 200))
    ours = solve_cell(model, c_rate, relative_tolerance=1e-6)
    time = theirs["Time [s]"].entries[5:]
    assert time[-1] > 0.78 * 3600 / c_rate
    difference = np.interp(time, ours.time, ours.voltage) - theirs["Voltage [V]"].entries[5:]
    print(f"{c_rate:g}C: {1e3 * np.sqrt(np.mean(difference**2)):.3f} mV rms")
    return np.asarray(difference)


@pytest.mark.slow
@pytest.mark.parametrize("c_rate", [0.2, 1.0])
def test_pybamm_solves_the_same_cell(c_rate: float) -> None:
    """Equal volumes and shells: below 0.2 mV rms, below 2 mV anywhere, over 80 % of the capacity."""
    pybamm = pytest.importorskip("pybamm")
    model = solid_solution()
    values = pybamm.ParameterValues("Xu2019")
    values.update(to_pybamm(model), check_already_exists=False)
    half = pybamm.lithium_ion.DFN({"working electrode": "positive"})
    difference = compare(half, values, model, c_rate)
    assert np.sqrt(np.mean(difference**2)) < 2e-4
    assert np.max(np.abs(difference)) < 2e-3


def full_cell(material: str) -> CellModel:
    """The same cathode against a measured carbon, thinner against the one that stores less."""
    provenance = Provenance(code_version="test", recipe_hash="0" * 64)
    carbon = measured_particle(
        load_material(material, provenance), temperature=298.0, shape="sphere", size=4e-6, shells=60
    )
    graphite = material == "graphite"
    model = solid_solution()
    return replace(
        model,
        cathode=replace(
            model.cathode, layer=replace(model.cathode.layer, thickness=70e-6 if graphite else 35e-6)
        ),
        anode=PorousElectrode(
            particle=carbon,
            layer=Layer(thickness=74e-6, porosity=0.33, bruggeman_exponent=1.6, volumes=20),
            volume_fraction=0.55 if graphite else 0.9,
            electronic_conductivity=14.0,
            initial_theta=0.9,
        ),
        cutoff_voltage=1.5,
    )


@pytest.mark.slow
@pytest.mark.parametrize("material", ["graphite", "hard_carbon"])
@pytest.mark.parametrize("form", ["dictionary", "BPX file"])
@pytest.mark.parametrize("c_rate", [0.2, 1.0])
@pytest.mark.filterwarnings("ignore:'Open-circuit voltage at")
def test_pybamm_solves_the_same_full_cell(material: str, form: str, c_rate: float, tmp_path: Path) -> None:
    """As a dictionary, and as the BPX file that PyBaMM reads by itself: below 0.5 mV rms."""
    pybamm = pytest.importorskip("pybamm")
    model = full_cell(material)
    if form == "BPX file":
        path = write_bpx(model, tmp_path / "full.json", title=f"against {material}")
        values = pybamm.ParameterValues.create_from_bpx(path)
    else:
        values = pybamm.ParameterValues(to_pybamm(model))
    difference = compare(pybamm.lithium_ion.DFN(), values, model, c_rate)
    assert np.sqrt(np.mean(difference**2)) < 5e-4


@pytest.mark.slow
def test_the_written_values_are_the_exported_ones(tmp_path: Path) -> None:
    """Read back from JSON, every number and every function gives what the dictionary gives."""
    pybamm = pytest.importorskip("pybamm")
    values = pybamm.ParameterValues(to_pybamm(solid_solution()))
    read = pybamm.ParameterValues.from_json(write_pybamm(solid_solution(), tmp_path / "values.json"))
    assert set(read.keys()) >= set(values.keys())
    arguments = {
        "Positive electrode OCP [V]": (0.3,),
        "Positive particle diffusivity [m2.s-1]": (0.3, 298.0),
        "Positive electrode exchange-current density [A.m-2]": (900.0, 1e4, 2e4, 298.0),
        "Exchange-current density for lithium metal electrode [A.m-2]": (900.0, 1.0, 298.0),
        "Electrolyte diffusivity [m2.s-1]": (900.0, 298.0),
        "Electrolyte conductivity [S.m-1]": (900.0, 298.0),
    }
    for name, value in values.items():
        if not callable(value):
            assert read[name] == value
            continue
        results = []
        for one in (values, read):
            given = {str(k): pybamm.Scalar(x) for k, x in enumerate(arguments[name])}
            results.append(one.evaluate(pybamm.FunctionParameter(name, given)))
        assert results[0] == pytest.approx(results[1], rel=1e-12), name
    with pytest.raises(InputError, match="cannot be written"):
        write_pybamm(solid_solution(), tmp_path / "none" / "values.json")


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="phases separate"):
        to_pybamm(cell())
    monkeypatch.setitem(sys.modules, "pybamm", None)
    with pytest.raises(MissingDependencyError, match=r"scalebridge\[pybamm"):
        to_pybamm(solid_solution())
