"""Electrodes of homogeneous and of Allen–Cahn particles."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import solve_ivp

from particle_models import LAW, cell, particle
from scalebridge.contracts import ActiveParticles, Contract, ElectrodeDesign, MaterialCard, Provenance
from scalebridge.electrode import (
    CellModel,
    Layer,
    MetalFoil,
    Population,
    PorousElectrode,
    Protocol,
    dilute,
    electrode_impedance,
    mean_active_fraction,
    solve_cell,
    solve_discharge,
    solve_protocol,
    time_scales,
    to_bpx,
)
from scalebridge.foundation import InputError

OMEGA = 3.5
THIN = {
    "separator": Layer(thickness=1e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=2),
    "layer": Layer(thickness=1e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=2),
    "electrolyte": dilute("quick", 1e-8, 1e-8),
    "electronic_conductivity": 1e3,
}
KINDS: dict[str, dict[str, Any]] = {
    "homogeneous": {"kind": "homogeneous", "shells": None, "size": 50e-9},
    "allen-cahn": {
        "kind": "allen-cahn", "shape": "plate", "shells": 24, "size": 5e-9, "length": 40e-9,
        "coherency_modulus": 1e8,
    },
}  # fmt: skip


def half_cell(kind: str, omega: float = OMEGA, **changes: Any) -> CellModel:
    own = {name: changes.pop(name) for name in ("rate_law",) if name in changes}
    return cell(particle(omega, **(KINDS[kind] | own)), **(THIN | changes))


def mosaic(theta: np.ndarray, scales: np.ndarray, rate: float) -> tuple[np.ndarray, float]:
    """Return dθ/dt of particles of equal shares that share ``rate``, and their drive Δ̃, in closed form.

    Σ s_k c_k (1−θ_k) (1/u − a_k u) = rate with u = e^{Δ̃/2} is a quadratic equation.
    """
    activity = np.exp(np.log(theta / (1 - theta)) + OMEGA * (1 - 2 * theta))
    forward = np.mean(scales * (1 - theta))
    backward = np.mean(scales * (1 - theta) * activity)
    u = (np.sqrt(rate**2 + 4 * forward * backward) - rate) / (2 * backward)
    return scales * (1 - theta) * (1 / u - activity * u), 2 * float(np.log(u))


@pytest.mark.parametrize("speed", [1.0, 100.0])
def test_homogeneous_particles_fill_one_after_another(speed: float) -> None:
    """Each goes to its spinodal, jumps and takes ions from those behind: against their equations alone."""
    sizes, c_rate = np.array([[40e-9, 50e-9], [60e-9, 75e-9]]), 0.2
    law = LAW.model_copy(update={"rate_constant": LAW.rate_constant * speed})
    population = Population(sizes, np.full((2, 2), 0.25))
    model = half_cell("homogeneous", rate_law=law, population=population, final_theta=0.97)
    solution = solve_cell(model, c_rate, relative_tolerance=1e-6)
    assert solution.termination == "final filling"
    scales = law.rate_constant * 3 / sizes.ravel() / model.particle.charge_density
    rate = c_rate / 3600
    reference = solve_ivp(
        lambda _, theta: mosaic(theta, scales, rate)[0],
        (0, solution.time[-1]), np.full(4, 0.01), "LSODA", solution.time, rtol=1e-9, atol=1e-11,
    ).y.T  # fmt: skip
    theta = solution.theta.reshape(-1, 4)
    assert theta == pytest.approx(reference, abs=3e-3)
    drives = [mosaic(each, scales, rate)[1] for each in reference[2:]]
    voltage = model.particle.mean_voltage + np.array(drives) * model.particle.thermal_voltage
    assert solution.voltage[2:] == pytest.approx(voltage, abs=1e-3)
    assert np.max(theta[:, 0] - theta[:, 1]) > 0.7
    assert np.diff(theta[:, 1]).min() < -0.01
    assert solution.filling == pytest.approx(0.01 + rate * solution.time, abs=1e-9)


@pytest.mark.parametrize("film", [0.0, 2e-3])
@pytest.mark.parametrize("double_layer", [0.0, 0.1])
def test_impedance_in_closed_form(film: float, double_layer: float) -> None:
    """Z = film + 1/(iωC_dl + 1/(R_ct + 1/iωC)) of all particles side by side, of both kinds alike."""
    frequencies, filling = np.array([1e-3, 0.1, 3.0, 100.0]), 0.05
    for kind in KINDS:
        foil = MetalFoil(LAW.model_copy(update={"rate_constant": 1e8, "transition_state": "none"}))
        made = half_cell(kind, omega=2.5, film_resistance=film, anode=foil)
        found = electrode_impedance(made, filling, frequencies, double_layer=double_layer)
        model, cathode = made.particle, made.cathode
        surface = cathode.capacity_per_area / model.charge_density * model.grid.surface_area
        exchange = LAW.rate_constant * (1 - filling) * np.sqrt(filling / (1 - filling)) * np.exp(
            0.5 * 2.5 * (1 - 2 * filling)
        )  # fmt: skip
        transfer = model.thermal_voltage / (exchange * surface)
        omega = 2j * np.pi * frequencies
        faradaic = transfer + 1 / (omega * found.capacitance)
        expected = film / surface + 1 / (omega * double_layer * surface + 1 / faradaic)
        assert found.values == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_protocol_of_a_half_cell_conserves_charge(kind: str) -> None:
    sizes = KINDS[kind]["size"] * np.array([0.8, 1.2])
    model = half_cell(
        kind, population=Population.listed(sizes, None, volumes=2), film_resistance=1e-3, cutoff_voltage=2.0
    )
    protocol = Protocol.parse(
        "Discharge at 2C for 10 minutes; Rest for 30 minutes; Hold at 3.3 V for 5 minutes; "
        "Charge at 1C for 10 minutes"
    )
    solution = solve_protocol(model, protocol)
    assert solution.finished
    pulse, rest = (step.solution for step in solution.steps[:2])
    assert pulse.filling - pulse.filling[0] == pytest.approx(2 * pulse.time / 3600, abs=1e-9)
    assert rest.filling == pytest.approx(rest.filling[0], abs=1e-10)
    assert np.all((solution.whole.theta > 0) & (solution.whole.theta < 1))
    energy = sum(
        model.cathode.particle_shares[k, j]
        * model.particle.scaled_to(float(sizes[j])).free_energy(rest.theta[:, k, j])
        for k, j in np.ndindex(2, 2)
    )
    assert np.diff(energy).max() < 1e-5
    assert energy[-1] < energy[0]


def test_full_cell_of_two_kinds() -> None:
    """Allen–Cahn particles against a homogeneous solid solution: what leaves one enters the other."""
    anode = PorousElectrode(
        particle=particle(0.5, **KINDS["homogeneous"]),
        layer=THIN["layer"],
        volume_fraction=0.7,
        electronic_conductivity=1e3,
        initial_theta=0.9,
    )  # fmt: skip
    model = half_cell("allen-cahn", anode=anode, cutoff_voltage=-1.0, final_theta=0.8)
    solution = solve_cell(model, 0.5)
    assert solution.termination == "final filling"
    assert solution.anode is not None
    moved = (solution.filling - solution.filling[0]) * model.cathode.capacity_per_area
    left = (solution.anode.filling[0] - solution.anode.filling) * anode.capacity_per_area
    assert moved == pytest.approx(left, rel=1e-8, abs=1e-6)


def test_platelets_separate_from_their_thermal_fluctuations() -> None:
    """A slow discharge forms phases; the start belongs to the seed."""
    changes = {"initial_theta": 0.05, "final_theta": 0.4}
    models = [half_cell("allen-cahn", 4.5, seed=seed, **changes) for seed in (1, 1, 2)]
    starts = [model.cathode.initial_profiles() for model in models]
    assert np.array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[2])
    solution = solve_cell(models[0], 0.2)
    assert solution.theta[0] == pytest.approx(starts[0], abs=1e-12)
    assert np.ptp(solution.theta, axis=-1).max() > 0.5
    assert solution.filling == pytest.approx(0.05 + 0.2 * solution.time / 3600, abs=1e-9)


def test_exports_refuse_particles_without_diffusion() -> None:
    with pytest.raises(InputError, match="homogeneous particles, in which no ion diffuses"):
        to_bpx(half_cell("homogeneous", 1.0), title="test")


def test_seeds_are_for_platelets() -> None:
    with pytest.raises(InputError, match="homogeneous particles start even; leave the seed out"):
        solve_cell(half_cell("homogeneous", seed=1), 1.0)


def test_time_scales_know_no_diffusion() -> None:
    assert time_scales(half_cell("allen-cahn"))["diffusion"] == 0.0
    assert time_scales(half_cell("homogeneous"))["reaction"] > 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_design_to_stored_fields(kind: str, synthetic_contracts: dict[str, Contract]) -> None:
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    changes: dict[str, Any] = {"kind": kind, "contact_conductance": None}
    if kind == "allen-cahn":
        length = design.particles.size.model_copy(update={"value": 30e-9})
        changes |= {"shape": "plate", "length": length}
    particles = design.particles.model_copy(update=changes)
    provenance = Provenance(code_version="test", recipe_hash="test")
    solution = solve_discharge(
        card, design.model_copy(update={"particles": particles}), 1.0, provenance=provenance, map_times=4
    )
    assert solution.finished, solution.status
    radius, theta = solution.fields["radius"].values, solution.fields["theta"].values
    assert radius[0] == 0.0
    assert theta.shape[-1] == radius.size
    assert radius[-1] == pytest.approx(30e-9 if kind == "allen-cahn" else float(design.particles.size))
    if kind == "homogeneous":
        assert solution.fields["boundary_level"].values.size == 0
        assert np.all(theta[..., 0] == theta[..., 1])
    assert 0 < mean_active_fraction(solution) <= 1


def test_designs_that_do_not_fit_are_refused(synthetic_contracts: dict[str, Contract]) -> None:
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(design, ElectrodeDesign)
    good = design.particles.model_dump(mode="json", by_alias=True)
    assert ActiveParticles.model_validate(good).kind == "cahn-hilliard"
    for changes in ({"kind": "allen-cahn"}, {"length [m]": good["size [m]"]}):
        with pytest.raises(ValidationError, match="give shape 'plate' and a length to allen-cahn"):
            ActiveParticles.model_validate(good | changes)
    with pytest.raises(ValidationError, match="homogeneous"):
        ActiveParticles.model_validate(good | {"kind": "ACR"})
