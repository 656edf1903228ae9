"""Electrodes whose particles fluctuate: their equilibrium, conservation, seeds, what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from particle_models import FAST, LAW, branched, cell, particle, with_changes
from scalebridge.contracts import Contract, ElectrodeDesign, HeatExchange, MaterialCard, Provenance, Sourced
from scalebridge.electrode import (
    CellModel,
    Layer,
    MetalFoil,
    Population,
    PorousElectrode,
    Protocol,
    dilute,
    electrode_impedance,
    solve_cell,
    solve_discharge,
    solve_noisy_cell,
    solve_protocol,
)
from scalebridge.foundation import InputError
from scalebridge.particle import particle_sites

THIN = {
    "separator": Layer(thickness=1e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=2),
    "layer": Layer(thickness=1e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=2),
    "electrolyte": dilute("quick", 1e-8, 1e-8),
    "electronic_conductivity": 1e3,
}
KINDS: dict[str, dict[str, Any]] = {
    "cahn-hilliard": {"size": 30e-9, "shells": 16},
    "homogeneous": {"kind": "homogeneous", "shells": None, "size": 50e-9},
    "allen-cahn": {
        "kind": "allen-cahn", "shape": "plate", "shells": 20, "size": 5e-9, "length": 40e-9,
        "coherency_modulus": 1e8,
    },
}  # fmt: skip
BRANCHES = ((1.0, 0.5, 0.0), (0.8, 0.0, 2.5))
PROVENANCE = Provenance(code_version="test", recipe_hash="test")


def noisy(kind: str, omega: float = 3.5, **changes: Any) -> CellModel:
    own = {name: changes.pop(name) for name in ("rate_law",) if name in changes}
    settings = {"initial_theta": 0.05, "final_theta": 0.3, "seed": 1, "noise_interval": 10.0}
    return cell(particle(omega, **(KINDS[kind] | own)), **(THIN | settings | changes))


def test_equilibrium_of_many_particles() -> None:
    """Fillings of homogeneous particles that exchange ions: variance (1 − 1/P)/(N g″) tanh(½ωΔt)/(½ωΔt).

    Within 4.5 standard errors, correlation of the slices included: failure probability below 1e-5, of one
    seed. At a current so small that it moves nothing.
    """
    theta, count, slices, interval = 0.3, 24, 250, 20.0
    population = Population(np.full((2, count // 2), 50e-9), np.full((2, count // 2), 1 / count))
    model = noisy(
        "homogeneous", 1.0, population=population, initial_theta=theta, noise_interval=interval,
        rate_law=LAW.model_copy(update={"rate_constant": 1.6, "transition_state": "none"}),
    )  # fmt: skip
    times = interval * np.arange(slices + 1)
    found = solve_noisy_cell(model, 1e-9, times=times, relative_tolerance=1e-6)
    fillings = found.theta[5:, :, :, 0].reshape(-1, count)
    assert fillings.mean(axis=1) == pytest.approx(theta, abs=1e-6)
    own, curvature = model.particle, 1 / (theta * (1 - theta)) - 2.0
    exchange = np.exp(0.5 * (np.log(theta / (1 - theta)) + 1 - 2 * theta))
    z = interval * 1.6 * exchange * own.grid.surface_area / own.charge_density * curvature
    assert 0.3 < z < 3
    expected = (1 - 1 / count) * np.tanh(z / 2) / (z / 2) / (particle_sites(own) * curvature)
    memory = np.exp(-z)
    error = np.sqrt(2 / (len(fillings) * (count - 1)) * (1 + memory**2) / (1 - memory**2))
    assert error < 0.05
    assert np.mean((fillings - theta) ** 2) == pytest.approx(expected, rel=4.5 * error)


@pytest.mark.parametrize("kind", KINDS)
def test_noisy_discharges(kind: str) -> None:
    """Charge goes into the particles to rounding; runs belong to their seeds, particles have their own."""
    found, again, other = (solve_noisy_cell(noisy(kind, seed=seed), 2.0) for seed in (1, 1, 2))
    assert found.termination == "final filling"
    assert found.filling == pytest.approx(0.05 + 2 * found.time / 3600, abs=1e-12)
    assert np.array_equal(found.theta, again.theta)
    assert not np.array_equal(found.theta, other.theta)
    if kind != "homogeneous":
        assert not np.array_equal(found.theta[0, 0], found.theta[0, 1])
    assert np.all((found.theta > 0) & (found.theta < 1))
    quiet = solve_cell(with_changes(noisy(kind), seed=None, noise_interval=None), 2.0)
    middle = slice(quiet.time.size // 10, quiet.time.size // 3)
    assert np.median(np.abs(found.voltage[middle] - quiet.voltage[middle])) < 5e-3
    assert np.abs(found.theta - quiet.theta).max() > 1e-4


def full_cell(**changes: Any) -> CellModel:
    anode = PorousElectrode(
        particle=particle(0.5, **KINDS["homogeneous"]),
        layer=Layer(thickness=1e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=2),
        volume_fraction=0.7,
        electronic_conductivity=1e3,
        initial_theta=0.9,
        **changes,
    )
    return noisy("cahn-hilliard", anode=anode, cutoff_voltage=-1.0)


def test_full_cells() -> None:
    """Noise in both electrodes, of streams of their own; ions that leave one enter the other."""
    model = full_cell(seed=1, noise_interval=10.0)
    found = solve_noisy_cell(model, 2.0)
    assert found.termination == "final filling"
    assert found.anode is not None
    assert isinstance(model.anode, PorousElectrode)
    moved = (found.filling - found.filling[0]) * model.cathode.capacity_per_area
    left = (found.anode.filling[0] - found.anode.filling) * model.anode.capacity_per_area
    assert moved == pytest.approx(left, rel=1e-9, abs=1e-9)
    assert np.abs(np.diff(found.anode.theta[..., 0], axis=1)).max() > 1e-4
    one = replace(model, cathode=replace(model.cathode, noise_interval=None, seed=None))
    assert one.noise_interval == 10.0
    with pytest.raises(InputError, match=r"10 s .cathode. and 5 s .anode. must be one"):
        full_cell(seed=1, noise_interval=5.0)


def test_runs_without_noise_refuse_it() -> None:
    model = noisy("cahn-hilliard")
    with pytest.raises(InputError, match="noise interval 10 s and solve_cell, which runs without noise"):
        solve_cell(model, 1.0)
    with pytest.raises(InputError, match="noise interval 10 s and a protocol"):
        solve_protocol(model, Protocol.parse("Rest for 1 minute"))
    with pytest.raises(InputError, match="no electrode of the cell has a noise interval"):
        solve_noisy_cell(with_changes(model, noise_interval=None, seed=None), 1.0)
    with pytest.raises(InputError, match="C-rate 0 must be positive"):
        solve_noisy_cell(model, 0.0)
    with pytest.raises(InputError, match="noise interval -1 s must be positive"):
        noisy("cahn-hilliard", noise_interval=-1.0)
    with pytest.raises(InputError, match="noise interval 10 s without a seed"):
        noisy("cahn-hilliard", seed=None)
    with pytest.raises(InputError, match="phases have a rate of their own is not modelled"):
        with_changes(model, particle=particle(branched(*BRANCHES), phase_relaxation_time=1.0))


def test_impedance_is_that_without_noise() -> None:
    foil = MetalFoil(FAST)
    found, quiet = (
        electrode_impedance(noisy("cahn-hilliard", 1.0, anode=foil, **changes), 0.2, np.array([1e-2, 1.0]))
        for changes in ({}, {"noise_interval": None, "seed": None})
    )
    assert np.array_equal(found.values, quiet.values)


def test_design_to_stored_fields(synthetic_contracts: dict[str, Contract]) -> None:
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    changes = {"noise_interval": Sourced(value=20.0, source="test"), "seed": 3}
    particles = design.particles.model_copy(update=changes)
    stirred = design.model_copy(update={"particles": particles})
    assert ElectrodeDesign.model_validate_json(stirred.model_dump_json()) == stirred
    runs = [
        solve_discharge(card, made, 2.0, provenance=PROVENANCE, map_times=4) for made in (stirred, design)
    ]
    assert runs[0].finished, runs[0].status
    assert "cook1970" in runs[0].citations
    assert "cook1970" not in runs[1].citations
    ends = [run.fields["particle_filling"].values[-1] for run in runs]
    assert not np.allclose(ends[0], ends[1], atol=1e-6)
    thermal = HeatExchange(
        heat_capacity=Sourced(value=300.0, source="test"),
        heat_transfer_coefficient=Sourced(value=0.5, source="test"),
    )
    with pytest.raises(InputError, match=r"noise interval 20 s and a cell that warms"):
        solve_discharge(card, stirred.model_copy(update={"thermal": thermal}), 2.0, provenance=PROVENANCE)
