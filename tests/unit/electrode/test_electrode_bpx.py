"""BPX: what is written describes the same physics, what is read gives the same cell, the rest is refused."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from particle_models import FAST, LAW, cell, particle, with_changes
from scalebridge.contracts import Provenance
from scalebridge.electrode import (
    CellModel,
    Layer,
    MetalFoil,
    Population,
    PorousElectrode,
    dilute,
    electrode_impedance,
    named_electrolyte,
    read_bpx,
    solve_cell,
    to_bpx,
    write_bpx,
)
from scalebridge.foundation import FormatError, InputError, MissingDependencyError, constants
from scalebridge.materials import load_material
from scalebridge.particle import measured_particle

bpx = pytest.importorskip("bpx")

NYMAN = "LiPF6 in EC:EMC 3:7 (Nyman 2008)"
FOLLOWING = LAW.model_copy(update={"transition_state": "follows host", "rate_constant": 2.0})


def solid_solution(**changes: Any) -> CellModel:
    model = particle(1.0, shells=20, size=1e-6, gradient_energy=0.0, diffusivity=2e-15, rate_law=FOLLOWING)
    settings: dict[str, Any] = {
        "separator": Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=3),
        "layer": Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.8, volumes=5),
        "electrolyte": named_electrolyte(NYMAN),
        "salt_concentration": 1200.0,
        "electronic_conductivity": 0.7,
    }
    return cell(model, **(settings | changes))


def test_the_file_is_valid_and_holds_the_capacity(tmp_path: Path) -> None:
    model = solid_solution()
    parsed = bpx.parse_bpx_file(write_bpx(model, tmp_path / "half.json", title="a half cell"))
    electrode = parsed.parameterisation.positive_electrode
    solid = electrode.surface_area_per_unit_volume * electrode.particle_radius / 3
    charge = solid * electrode.thickness * electrode.maximum_concentration * constants.FARADAY
    assert charge / 3600 == pytest.approx(parsed.parameterisation.cell.nominal_cell_capacity, rel=1e-9)
    assert charge == pytest.approx(model.cathode.capacity_per_area, rel=1e-9)
    assert parsed.header.model == "Partial"
    assert parsed.parameterisation.negative_electrode is None


def test_what_is_written_has_the_impedance_of_the_cell() -> None:
    """Charge transfer from K, finite diffusion from D, R, c_max and the slope of the OCP, nothing else."""
    # electrolyte, solid and metal cost nothing here
    model = solid_solution(
        electrolyte=dilute("fast", 1e-5, 1e-5),
        electronic_conductivity=1e4,
        anode=MetalFoil(FAST.model_copy(update={"rate_constant": 1e8})),
    )
    model = with_changes(model, particle=replace(model.particle, shells=60))
    written = to_bpx(model, title="x")["Parameterisation"]["Positive electrode"]
    theta, frequency, thermal = 0.3, 1e-4 * np.array([1.0, 4.0, 16.0]), model.particle.thermal_voltage
    ocp, table = written["OCP [V]"], written["Diffusivity [m2.s-1]"]
    k = int(np.searchsorted(ocp["x"], theta))
    slope = -np.diff(ocp["y"])[k - 1] / np.diff(ocp["x"])[k - 1]
    diffusivity = np.interp(theta, table["x"], table["y"])
    radius, rate = written["Particle radius [m]"], written["Reaction rate constant [mol.m-2.s-1]"]
    transfer = thermal / (constants.FARADAY * rate * np.sqrt(theta * (1 - theta)))
    q = radius * np.sqrt(2j * np.pi * frequency / diffusivity)
    charge = constants.FARADAY * written["Maximum concentration [mol.m-3]"]
    diffusion = slope * radius / (charge * diffusivity) * np.tanh(q) / (q - np.tanh(q))
    surface = written["Surface area per unit volume [m-1]"] * written["Thickness [m]"]
    found = electrode_impedance(model, theta, frequency).values
    assert found == pytest.approx((transfer + diffusion) / surface, rel=3e-3)


def test_there_and_back_discharges_alike(tmp_path: Path) -> None:
    """Geometry and electrolyte of a file, given to a cell that had others: the same voltage."""
    model = solid_solution()
    read = read_bpx(write_bpx(model, tmp_path / "half.json", title="a half cell"), volumes=(3, 5))
    other = with_changes(
        model,
        separator=Layer(thickness=50e-6, porosity=0.5, bruggeman_exponent=2.0, volumes=4),
        layer=Layer(thickness=20e-6, porosity=0.3, bruggeman_exponent=1.1, volumes=3),
        particle=replace(model.particle, size=3e-6),
        salt_concentration=500.0,
        volume_fraction=0.5,
        electronic_conductivity=9.0,
    )
    times = np.linspace(0, 1200, 50)
    ours, theirs = (solve_cell(m, 2.0, times=times) for m in (model, read.applied(other)))
    assert theirs.voltage == pytest.approx(ours.voltage, abs=3e-5)
    assert theirs.concentration[-1] == pytest.approx(ours.concentration[-1], rel=1e-3)


def full_cell(**changes: Any) -> CellModel:
    """The same cathode against graphite."""
    material = load_material("graphite", Provenance(code_version="test", recipe_hash="0" * 64))
    anode = {
        "particle": measured_particle(material, temperature=298.0, shape="sphere", size=4e-6, shells=20),
        "layer": Layer(thickness=74e-6, porosity=0.33, bruggeman_exponent=1.6, volumes=5),
        "volume_fraction": 0.55,
        "electronic_conductivity": 14.0,
        "initial_theta": 0.9,
    }
    settings = {"cutoff_voltage": 2.5, "initial_theta": 0.05, "final_theta": 0.95}
    return solid_solution(anode=PorousElectrode(**(anode | changes)), **settings)


def test_a_full_cell_is_a_whole_parameterisation(tmp_path: Path) -> None:
    """Valid, with the capacity of both electrodes, the balance of their ions, and the anode as measured."""
    model = full_cell()
    assert isinstance(model.anode, PorousElectrode)
    parsed = bpx.parse_bpx_file(write_bpx(model, tmp_path / "full.json", title="a full cell"))
    assert parsed.header.model == "DFN"
    exchanged = []
    for name, electrode in (("positive", model.cathode), ("negative", model.anode)):
        part = getattr(parsed.parameterisation, f"{name}_electrode")
        solid = part.surface_area_per_unit_volume * part.particle_radius / 3
        charge = solid * part.thickness * part.maximum_concentration * constants.FARADAY
        assert charge == pytest.approx(electrode.capacity_per_area, rel=1e-9)
        exchanged.append(charge * (part.maximum_stoichiometry - part.minimum_stoichiometry))
    assert exchanged[0] == pytest.approx(exchanged[1], rel=1e-9)
    assert part.maximum_stoichiometry == 0.9
    # measured at 296 K
    warm = np.exp(30300 / constants.GAS_CONSTANT * (1 / 296.15 - 1 / 298.0))
    assert np.interp(0.5, part.ocp.x, part.ocp.y) == pytest.approx(0.124022, abs=2e-5)
    assert np.interp(0.5, part.diffusivity.x, part.diffusivity.y) == pytest.approx(
        1.1155e-14 * warm, rel=1e-2
    )


def test_a_small_anode_ends_the_range_of_both(tmp_path: Path) -> None:
    model = full_cell(initial_theta=0.3)
    parts = to_bpx(model, title="x")["Parameterisation"]
    assert isinstance(model.anode, PorousElectrode)
    assert parts["Negative electrode"]["Minimum stoichiometry"] == pytest.approx(1e-4)
    positive = parts["Positive electrode"]
    ratio = model.anode.capacity_per_area / model.cathode.capacity_per_area
    assert positive["Maximum stoichiometry"] == pytest.approx(0.05 + ratio * (0.3 - 1e-4), rel=1e-9)


def test_a_full_cell_there_and_back(tmp_path: Path) -> None:
    """Both electrodes, separator and electrolyte return, so that the discharge is the same."""
    model = full_cell()
    assert isinstance(model.anode, PorousElectrode)
    path = write_bpx(model, tmp_path / "full.json", title="a full cell")
    read = read_bpx(path, volumes=(3, 5))
    for layer, written in ((read.separator, model.separator), (read.electrode.layer, model.cathode.layer)):
        assert vars(layer) == pytest.approx(vars(written), rel=1e-9)
    assert read.counter is not None
    assert vars(read.counter.layer) == pytest.approx(vars(model.anode.layer), rel=1e-9)
    assert read.counter.particle_radius == model.anode.particle.size
    concentration = np.array([200.0, 900.0, 2500.0])
    assert read.electrolyte.properties(concentration, 298.0)[:3] == pytest.approx(
        model.electrolyte.properties(concentration, 298.0)[:3], rel=2e-3
    )
    other = with_changes(
        full_cell(layer=Layer(thickness=30e-6, porosity=0.5, bruggeman_exponent=1.1, volumes=3)),
        separator=Layer(thickness=50e-6, porosity=0.5, bruggeman_exponent=2.0, volumes=4),
        salt_concentration=500.0,
        electronic_conductivity=9.0,
    )
    times = np.linspace(0, 1200, 50)
    ours, theirs = (solve_cell(m, 2.0, times=times) for m in (model, read.applied(other)))
    assert theirs.voltage == pytest.approx(ours.voltage, abs=3e-5)
    turned = read_bpx(path, electrode="negative", volumes=(3, 5))
    assert turned.electrode == read.counter
    assert turned.counter == read.electrode
    half = read_bpx(write_bpx(solid_solution(), tmp_path / "half.json", title="half"))
    assert half.counter is None
    with pytest.raises(InputError, match="'half' gives no counter electrode"):
        half.applied(model)


def test_reasons_name_the_electrode() -> None:
    model = with_changes(full_cell(film_resistance=0.1), contact_conductance=1e-9)
    with pytest.raises(InputError, match=r"cathode: chains of particles; .*anode: a film of 0.1 V m²/A"):
        to_bpx(model, title="x")


def test_expressions_numbers_and_activation_energies(tmp_path: Path) -> None:
    """A file as people write them: D an expression of c, κ a number, both with an Arrhenius law."""
    content = to_bpx(solid_solution(), title="x")
    salt = content["Parameterisation"]["Electrolyte"]
    salt["Diffusivity [m2.s-1]"] = "8.794e-17 * x**2 - 3.972e-13 * x + 4.862e-10"
    salt["Conductivity [S.m-1]"] = 0.9
    salt["Diffusivity activation energy [J.mol-1]"] = 17100.0
    salt["Conductivity activation energy [J.mol-1]"] = 20000.0
    path = tmp_path / "expressions.json"
    path.write_text(json.dumps(content))
    electrolyte = read_bpx(path).electrolyte
    c, reference, warm = np.array([300.0, 1000.0, 2000.0]), 298.0, 318.0
    nyman = named_electrolyte(NYMAN)
    assert electrolyte.properties(c, reference)[0] == pytest.approx(
        nyman.properties(c, reference)[0], rel=1e-9
    )
    assert electrolyte.conductivity(c, reference) == pytest.approx(np.full(3, 0.9), rel=1e-9)
    faster = np.exp(20000 / constants.GAS_CONSTANT * (1 / reference - 1 / warm))
    assert electrolyte.conductivity(c, warm) == pytest.approx(np.full(3, 0.9 * faster), rel=1e-9)


def test_a_file_of_version_0(tmp_path: Path) -> None:
    """A whole cell as files before 1.0 held it, its concentration among the electrolyte."""
    content = to_bpx(solid_solution(), title="x")
    content["Header"] |= {"BPX": 0.1, "Model": "DFN"}
    del content["State"]
    parts = content["Parameterisation"]
    parts["Negative electrode"] = parts["Positive electrode"] | {"Thickness [m]": 44e-6}
    parts["Electrolyte"]["Initial concentration [mol.m-3]"] = 1100.0
    parts["Cell"] |= {"Initial temperature [K]": 298.0, "Ambient temperature [K]": 298.0}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="legacy BPX"):
        read = read_bpx(path, electrode="negative")
    assert read.salt_concentration == 1100.0
    assert read.electrode.layer.thickness == 44e-6
    assert read.electrode.volume_fraction == pytest.approx(0.69, rel=1e-9)


REFUSED: dict[str, Any] = {
    "phases separate": {"particle": particle(rate_law=FOLLOWING)},
    "gradient energy adds": {
        "particle": particle(1.0, shells=40, size=20e-9, rate_law=FOLLOWING, gradient_energy=5e-10)
    },
    "the rate law": {"particle": particle(1.0, shells=20, size=1e-6, gradient_energy=0.0)},
    "shape 'plate'": {
        "particle": particle(1.0, shape="plate", shells=20, gradient_energy=0.0, rate_law=FOLLOWING)
    },
    "a distribution of sizes": {"population": Population.listed(np.array([1e-6, 2e-6]), None, volumes=5)},
    "a film": {"film_resistance": 0.1},
    "chains": {"contact_conductance": 1e-9},
    "thermodynamic factor": {"electrolyte": named_electrolyte("LiPF6 in EC:EMC 3:7 (Landesfeind 2019)")},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_does_not_fit_is_refused_with_the_reason(reason: str) -> None:
    with pytest.raises(InputError, match=f"no place in a BPX file: .*{reason}"):
        to_bpx(solid_solution(**REFUSED[reason]), title="x")


def test_all_reasons_at_once() -> None:
    with pytest.raises(InputError, match=r"distribution of sizes.*film.*chains"):
        to_bpx(
            solid_solution(
                population=Population.listed(np.array([1e-6, 2e-6]), None, volumes=5),
                film_resistance=0.1,
                contact_conductance=1e-9,
            ),
            title="x",
        )


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "half.json"
    with pytest.raises(FormatError, match="cannot be read"):
        read_bpx(path)
    path.write_text("{")
    with pytest.raises(FormatError, match="is no BPX file"):
        read_bpx(path)
    write_bpx(solid_solution(), path, title="x")
    with pytest.raises(InputError, match="has no negative electrode"):
        read_bpx(path, electrode="negative")
    content = json.loads(path.read_text())
    del content["State"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="has no initial electrolyte concentration"):
        read_bpx(path)
    monkeypatch.setitem(sys.modules, "bpx", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'scalebridge\[bpx\]'"):
        read_bpx(path)
