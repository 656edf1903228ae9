"""Full cells: Jacobian, balances, limits of a second porous electrode, and what a design asks for."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from particle_models import LAW, cell, particle
from scalebridge.contracts import Contract, ElectrodeDesign, MaterialCard, Provenance, Sourced
from scalebridge.electrode import (
    CellModel,
    Layer,
    MetalFoil,
    Population,
    PorousElectrode,
    Protocol,
    electrode_impedance,
    limiting_process,
    solve_cell,
    solve_discharge,
    solve_protocol,
    time_scales,
)
from scalebridge.electrode._kernels import CURRENT, POWER, VOLTAGE, cell_residual
from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.system import Unknowns, cell_system
from scalebridge.foundation import InputError, random_stream
from scalebridge.materials import load_design, load_material
from scalebridge.particle import ParticleModel, measured_particle, sparse_matrices
from scalebridge.plotting import plot_discharge
from scalebridge.report.electrode_tables import design_table

PROVENANCE = Provenance(code_version="test", recipe_hash="0" * 64)
LAYER = Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=4)
SEPARATOR = Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=3)


def graphite(shells: int = 20, size: float = 2e-6) -> ParticleModel:
    material = load_material("graphite", PROVENANCE)
    return measured_particle(material, temperature=298.0, shape="sphere", size=size, shells=shells)


def solid_solution(shells: int = 12) -> ParticleModel:
    return particle(1.0, shells=shells, size=1e-7, gradient_energy=0.0)


def anode(inside: ParticleModel | None = None, **changes: Any) -> PorousElectrode:
    settings: dict[str, Any] = {
        "particle": graphite() if inside is None else inside,
        "layer": Layer(thickness=74e-6, porosity=0.33, bruggeman_exponent=1.6, volumes=5),
        "volume_fraction": 0.55,
        "electronic_conductivity": 14.0,
        "initial_theta": 0.9,
    }
    return PorousElectrode(**(settings | changes))


def full_cell(counter: PorousElectrode | None = None, **changes: Any) -> CellModel:
    settings = {"layer": LAYER, "separator": SEPARATOR, "final_theta": 0.98} | changes
    return cell(solid_solution(), anode=counter or anode(), **settings)


@pytest.mark.parametrize("control", [CURRENT, VOLTAGE, POWER])
def test_jacobian_against_finite_differences(control: int) -> None:
    """Both electrodes with sizes, films and chains of their own, and shells of different number."""
    few = {"volumes": 3, "thickness": 50e-6, "porosity": 0.4, "bruggeman_exponent": 1.5}
    coated = {"film_resistance": 1e-2, "contact_conductance": 1e-13}
    counter = anode(
        particle((1.0, -0.3), shells=4, size=1e-8),
        layer=Layer(**few),
        population=Population.listed(np.array([1e-8, 2e-8]), np.array([1.0, 3.0]), volumes=3),
        **coated,
    )
    sizes = Population.listed(np.array([1e-8, 1.5e-8, 3e-8]), np.array([1.0, 2.0, 3.0]), volumes=3)
    model = cell(
        particle((3.0, -0.3), shells=8, size=1e-8, coherency_modulus=2e8),
        anode=counter,
        separator=SEPARATOR,
        layer=Layer(**few),
        population=sizes,
        cutoff_voltage=-1.0,
        **coated,
    )
    arrays = cell_arrays(model, control=control, target=1.0)
    system = cell_system(arrays, Unknowns.of(arrays))
    size, cj = system.differential.size, 0.3
    rng = random_stream(2, "full cell")
    state, rates = rng.uniform(0.2, 0.8, size), rng.normal(size=size)
    by_state, by_rate = sparse_matrices(system.jacobian(state))
    matrix = (by_state + cj * by_rate).toarray()
    for column in range(size):
        sides = []
        for sign in (1, -1):
            step = np.zeros(size)
            step[column] = sign * 1e-6
            out = np.empty(size)
            cell_residual(arrays, state + step, rates + cj * step, out)
            sides.append(out)
        difference = (sides[0] - sides[1]) / 2e-6
        rounding = 2e-16 * np.abs(sides[0]).max() / 1e-6
        tolerance = 3e-7 * np.abs(matrix[:, column]).max() + 4 * rounding
        assert matrix[:, column] == pytest.approx(difference, abs=tolerance)


def test_what_leaves_one_electrode_enters_the_other() -> None:
    """Ions of both electrodes and salt are conserved; potentials count from the anode's collector."""
    model = full_cell()
    assert isinstance(model.anode, PorousElectrode)
    solution = solve_cell(model, 2.0)
    assert solution.anode is not None
    assert solution.filling - solution.filling[0] == pytest.approx(2.0 * solution.time / 3600, abs=1e-12)
    ratio = model.cathode.capacity_per_area / model.anode.capacity_per_area
    taken = solution.anode.filling - solution.anode.filling[0]
    assert taken == pytest.approx(-ratio * (solution.filling - solution.filling[0]), abs=1e-12)
    pores = np.concatenate([np.full(s.volumes, s.porosity * s.thickness / s.volumes) for s in model.layers])
    assert solution.concentration @ pores == pytest.approx(1000.0 * pores.sum(), rel=1e-12)
    drop = model.one_c_current * 2.0 * 0.5 * 74e-6 / 5 / 14.0
    assert solution.anode.solid_potential[1:, 0] == pytest.approx(drop * -1, abs=1e-9)
    shares = model.anode.particle_shares
    current = np.einsum("tkj,kj->t", solution.anode.reaction, shares)
    assert current == pytest.approx(-ratio * 2.0 / 3600, rel=1e-9)


def test_a_slow_discharge_is_the_difference_of_two_equilibria() -> None:
    model = full_cell(anode(graphite(size=1e-7)))
    assert isinstance(model.anode, PorousElectrode)
    solution = solve_cell(model, 1e-4)
    assert solution.anode is not None
    expected = model.particle.equilibrium_voltage(solution.filling)
    expected = expected - model.anode.particle.equilibrium_voltage(solution.anode.filling)
    assert solution.voltage[5:] == pytest.approx(expected[5:], abs=1e-4)
    assert model.open_circuit_voltage == pytest.approx(solution.voltage[0], abs=1e-4)


def test_a_thin_fast_anode_of_flat_voltage_acts_as_the_foil() -> None:
    """1 µm of many small grains, with the foil at their equilibrium: the same curve but for a constant."""
    fast = LAW.model_copy(update={"rate_constant": 1e4})
    flat = particle(0.0, shells=6, size=1e-8, gradient_energy=0.0, rate_law=fast, diffusivity=1e-12)
    # so dense that half a percent of its sites feed the whole cathode: its voltage stays
    dense = ParticleModel(**{**vars(flat), "site_density": flat.site_density * 1e4})
    thin = Layer(thickness=1e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=2)
    counter = anode(dense, layer=thin, electronic_conductivity=1e3, initial_theta=0.5)
    porous = full_cell(counter, cutoff_voltage=-2.0, final_theta=0.9)
    foil = cell(
        solid_solution(),
        anode=MetalFoil(fast),
        layer=LAYER,
        separator=SEPARATOR,
        cutoff_voltage=1.4,
        final_theta=0.9,
    )
    assert isinstance(porous.anode, PorousElectrode)
    times = np.linspace(0, 1500, 80)
    theirs, ours = (solve_cell(model, 2.0, times=times) for model in (foil, porous))
    shift = porous.anode.open_circuit_voltage
    assert ours.voltage + shift == pytest.approx(theirs.voltage, abs=2e-3)


def test_cycling_returns_the_ions() -> None:
    model = full_cell()
    there, back = "Discharge at 1 C for 30 minutes", "Charge at 1 C for 30 minutes"
    protocol = Protocol.parse(f"{there}; {back}; Rest for 2 hours")
    solution = solve_protocol(model, protocol)
    assert solution.finished
    whole = solution.whole
    assert whole.anode is not None
    assert whole.anode.filling.shape == whole.time.shape
    assert whole.anode.filling[-1] == pytest.approx(0.9, abs=1e-9)
    assert whole.voltage[-1] == pytest.approx(model.open_circuit_voltage, abs=2e-3)


def test_series_impedance_at_high_frequency() -> None:
    """Without double layers: charge transfer of both electrodes and all that conducts, real at the top."""
    model = full_cell()
    found = electrode_impedance(model, 0.4, [1e-3, 1e4])
    step = model.one_c_current * 1e-3
    assert isinstance(model.anode, PorousElectrode)
    ratio = model.cathode.capacity_per_area / model.anode.capacity_per_area
    rest = full_cell(anode(initial_theta=0.9 - ratio * 0.39), initial_theta=0.4)
    times = np.array([0.0, 1e-6, 2e-6])
    pulse = solve_cell(rest, 1e-3, times=times, relative_tolerance=1e-8)
    resistance = (rest.open_circuit_voltage - pulse.voltage[1]) / step
    assert found.values[1].real == pytest.approx(resistance, rel=2e-3)
    assert found.values[0].real > resistance


def test_a_slow_anode_limits() -> None:
    """Large grains: their diffusion is named, smaller ones take it away as R²."""
    fast = LAW.model_copy(update={"rate_constant": 1e5})
    grains = (replace(graphite(size=size), rate_law=fast) for size in (1e-4, 1e-7))
    slow, quick = (full_cell(anode(grain)) for grain in grains)
    assert limiting_process(slow, 1.0).process == "anode diffusion"
    ratio = time_scales(slow)["anode diffusion"] / time_scales(quick)["anode diffusion"]
    assert ratio == pytest.approx(1e6)
    assert limiting_process(quick, 1.0).process != "anode diffusion"
    foil = time_scales(cell(solid_solution(), layer=LAYER, separator=SEPARATOR))
    assert time_scales(slow)["ionic conduction"] > foil["ionic conduction"]
    assert "anode reaction" not in foil


def test_one_temperature() -> None:
    material = load_material("graphite", PROVENANCE)
    warm = measured_particle(material, temperature=310.0, shape="sphere", size=2e-6)
    with pytest.raises(InputError, match="anode at 310 K and cathode at 298 K"):
        full_cell(anode(warm))


def test_the_cutoff_counts_from_the_open_circuit_voltage_of_the_cell() -> None:
    assert full_cell().open_circuit_voltage < cell(solid_solution()).open_circuit_voltage
    with pytest.raises(InputError, match="must be below the open-circuit voltage"):
        full_cell(cutoff_voltage=3.45)


def test_a_full_cell_of_a_card_and_a_design(synthetic_contracts: dict[str, Contract]) -> None:
    """Fields of the anode, axis and table that say so, and an anode of another ion refused."""
    card = cast(MaterialCard, synthetic_contracts["card/material_card.json"])
    design = cast(ElectrodeDesign, synthetic_contracts["electrode/electrode_design.json"])
    ours, other = ("mnhcf-full", "lfp-full") if card.host.ion == "Na" else ("lfp-full", "mnhcf-full")
    bundled = {name: load_design(name, PROVENANCE).anode for name in (ours, other)}
    full = design.model_copy(update={"anode": bundled[ours], "counter_rate_law": None})
    solution = solve_discharge(card, full, 0.5, provenance=PROVENANCE, shells=30)
    assert bundled[ours] is not None
    assert set(bundled[ours].material.citations) <= set(solution.citations)
    fields = solution.fields
    taken = fields["anode_filling"].values
    assert taken[0] == pytest.approx(0.9)
    assert np.all(np.diff(taken) < 0)
    assert fields["anode_theta"].values.shape == (
        fields["map_time"].values.size, 10, fields["anode_radius"].values.size,
    )  # fmt: skip
    assert plot_discharge([solution], card.host).axes[0].get_ylabel() == "cell voltage (V)"
    rows = {row[0]: row[1] for row in design_table(full).rows}
    assert rows["anode: material: equilibrium voltage: theta"].startswith(("20 points", "79 points"))
    wrong = design.model_copy(update={"anode": bundled[other], "counter_rate_law": None})
    with pytest.raises(InputError, match=f"exchanges {card.host.ion}; choose a material of that ion"):
        solve_discharge(card, wrong, 0.5, provenance=PROVENANCE)


def test_errors_name_the_electrode(synthetic_contracts: dict[str, Contract]) -> None:
    card = cast(MaterialCard, synthetic_contracts["card/material_card.json"])
    design = cast(ElectrodeDesign, synthetic_contracts["electrode/electrode_design.json"])
    anode = load_design("mnhcf-full" if card.host.ion == "Na" else "lfp-full", PROVENANCE).anode
    assert anode is not None
    full = design.model_copy(update={"anode": anode, "counter_rate_law": None})
    thin = full.cathode.model_copy(update={"thickness": Sourced(value=0.0, source="nothing")})
    with pytest.raises(InputError, match=r"^cathode: porous layer: thickness 0 m"):
        CellModel.from_card(card, full.model_copy(update={"cathode": thin}), shells=30)
    wrong = full.model_copy(update={"anode": anode.model_copy(update={"layer": thin})})
    with pytest.raises(InputError, match=r"^anode: porous layer: thickness 0 m"):
        CellModel.from_card(card, wrong, shells=30)
