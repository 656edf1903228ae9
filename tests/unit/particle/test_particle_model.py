"""Tables, grids, and the one place where a card becomes numbers."""

import numpy as np
import pytest

from particle_models import (
    GRADIENT_ENERGY,
    KT,
    LAW,
    LFP_OMEGA,
    SITE_DENSITY,
    TEMPERATURE,
    particle,
    regular_solution,
)
from scalebridge.contracts import Contract, ElectrodeDesign, HomogeneousFreeEnergy, MaterialCard
from scalebridge.foundation import InputError, ValidityError, constants
from scalebridge.particle import ParticleModel, shells_for, state_resolution
from scalebridge.particle.grid import shell_grid
from scalebridge.particle.resolution import (
    SHELLS_PER_INTERFACE,
    SHELLS_PER_WIDENED_INTERFACE,
    WIDENED_SHELLS,
)
from scalebridge.particle.tables import evaluate_many, integrate, tabulate


def test_table_follows_function_slope_and_integral() -> None:
    table = tabulate(lambda t: 5 * np.cos(4 * t))
    theta = np.linspace(0, 1, 1003)
    values, slopes = evaluate_many(table, theta)
    assert values == pytest.approx(5 * np.cos(4 * theta), abs=1e-9)
    assert slopes == pytest.approx(-20 * np.sin(4 * theta), abs=1e-5)
    assert integrate(table, theta) == pytest.approx(1.25 * np.sin(4 * theta), abs=1e-10)


@pytest.mark.parametrize(("shape", "surface"), [("plate", 1.0), ("cylinder", 2.0), ("sphere", 3.0)])
def test_grid_volumes_and_areas(shape: str, surface: float) -> None:
    grid = shell_grid(shape, 2.0, 7)  # type: ignore[arg-type]
    assert grid.fractions.sum() == pytest.approx(1.0)
    assert grid.surface_area == pytest.approx(surface / 2.0)
    assert grid.nodes[[0, -1]] == pytest.approx([0.0, 2.0])
    power = {"plate": 1, "cylinder": 2, "sphere": 3}[shape]
    faces = (np.arange(6) + 0.5) / 6
    assert np.cumsum(grid.fractions)[:-1] == pytest.approx(faces**power)
    assert grid.face_areas == pytest.approx(power * faces ** (power - 1) / 2.0)


def test_potential_and_voltage_are_those_of_the_contract() -> None:
    energy = regular_solution((4.0, -1.1, 0.6))
    model = particle((4.0, -1.1, 0.6))
    theta = np.linspace(1e-6, 1 - 1e-6, 301)
    expected = -energy.chemical_potential(theta, TEMPERATURE) / constants.ELEMENTARY_CHARGE
    assert model.equilibrium_voltage(theta) == pytest.approx(expected, abs=1e-9)
    assert model.mean_voltage == pytest.approx(3.422)
    uniform = theta[:, None] * np.ones(model.shells)
    straight = energy.energy(theta, TEMPERATURE) + 3.422 * constants.ELEMENTARY_CHARGE * theta
    assert model.free_energy(uniform) == pytest.approx(straight / KT, abs=1e-9)


def test_two_branches_join_to_their_lower_envelope() -> None:
    low, high = regular_solution(0.0).branches[0], regular_solution(0.0).branches[0]
    tilt = 0.8 * constants.EV
    high = high.model_copy(update={"slope": low.slope - tilt, "offset": low.offset + 0.5 * tilt})
    both = HomogeneousFreeEnergy(
        provenance=regular_solution(0.0).provenance, sites_per_formula_unit=1, branches=(low, high)
    )
    model = ParticleModel.from_free_energy(
        both, 1e-16, temperature=TEMPERATURE, shape="sphere", size=1e-8, shells=40,
        site_density=SITE_DENSITY, gradient_energy=GRADIENT_ENERGY, rate_law=LAW,
    )  # fmt: skip
    theta = np.array([0.1, 0.9])
    expected = [both.chemical_potential(theta[[k]], TEMPERATURE, branch=k)[0] for k in (0, 1)]
    assert model.equilibrium_voltage(theta) == pytest.approx(-np.array(expected) / constants.EV, abs=1e-5)
    assert model.unstable_interval() is not None


def test_card_gives_the_members_numbers(synthetic_contracts: dict[str, Contract]) -> None:
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    model = ParticleModel.from_card(card, design, member=2)
    theta = np.array([0.05, 0.3, 0.7])
    assert model.diffusivity(theta) == pytest.approx(
        card.jump_diffusivity.isotropic(theta, 300.0, member=2), rel=0.02
    )
    stable = card.interfaces.gradient_energy[2] > 0
    assert model.gradient_energy == pytest.approx(card.interfaces.gradient_energy[2][stable].mean())
    assert model.coherency_modulus == pytest.approx(card.interfaces.coherency_modulus[2].mean())
    assert model.mean_voltage == pytest.approx(-card.free_energy.branches[0].slope[2, 0] / constants.EV)
    hot = design.model_copy(update={"temperature": design.temperature.model_copy(update={"value": 600.0})})
    with pytest.raises(ValidityError, match="temperature 600 K"):
        ParticleModel.from_card(card, hot)


def test_plates_take_the_nearest_normal(synthetic_contracts: dict[str, Contract]) -> None:
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    plate = design.particles.model_copy(update={"shape": "plate", "direction": (0.1, 1.0, 1.0)})
    model = ParticleModel.from_card(card, design.model_copy(update={"particles": plate}), member=2)
    assert model.coherency_modulus == card.interfaces.coherency_modulus[2, 1]
    assert model.gradient_energy == card.interfaces.gradient_energy[2, 1]
    theta = np.array([0.05, 0.3, 0.7])
    along = card.jump_diffusivity.along(np.array([0.1, 1.0, 1.0]), theta, 300.0, member=2)
    assert model.diffusivity(theta) == pytest.approx(along, rel=0.02)


def test_too_coarse_a_grid_is_refused_with_the_way_out() -> None:
    length = particle().interface_length
    assert length == pytest.approx(2.97e-9, rel=1e-3)
    with pytest.raises(InputError, match=f"use at least {shells_for(100e-9, length)} shells"):
        particle(shells=30)
    assert particle(shells=None).grid.spacing <= length / SHELLS_PER_INTERFACE


def test_thin_interfaces_are_widened_where_asked_and_said_so() -> None:
    wide = particle(shells=None, size=2e-6, widen=True)
    assert wide.shells == WIDENED_SHELLS
    assert wide.interface_length == pytest.approx(SHELLS_PER_WIDENED_INTERFACE * wide.grid.spacing)
    assert wide.material_gradient_energy == GRADIENT_ENERGY
    assert wide.gradient_energy == pytest.approx(
        GRADIENT_ENERGY * (wide.interface_length / 2.97e-9) ** 2, rel=2e-3
    )
    none = particle(shells=None, gradient_energy=0.0, widen=True)
    assert none.material_gradient_energy == 0.0
    assert particle(shells=None, widen=True).material_gradient_energy is None
    assert particle(1.0, shells=None, gradient_energy=0.0, widen=True).gradient_energy == 0.0
    with pytest.raises(InputError, match="must be below the interface length"):
        particle(shells=None, size=2e-6)


def test_widening_names_members_the_card_s_kappa_the_one_used_and_their_ratio() -> None:
    fine = particle(shells=None, widen=True)
    assert state_resolution({0: fine}) == []
    wide = particle(shells=None, size=2e-6, widen=True)
    wider = particle(shells=None, size=4e-6, widen=True)
    none = particle(shells=None, gradient_energy=0.0, widen=True)
    thin, numerical = state_resolution({0: wide, 1: none, 2: fine, 4: wider})
    assert thin == (
        "members 0, 4: the card's κ of 5.01e-10 J/m makes an interface too thin for 160 shells in a "
        "particle; it is 1.69e-07 … 3.39e-07 m wide, of κ = 1.63e-06 … 6.52e-06 J/m, "
        "3.25e+03 … 1.3e+04 times the card's, and its energy 57 … 114 times the material's"
    )
    assert numerical == (
        "member 1: the card has no stable interface (κ = 0), the free energy a gap; the interface is "
        f"numerical, 8.47e-09 m wide, of κ = {none.gradient_energy:.3g} J/m"
    )


def test_a_coarse_grid_that_was_asked_for_is_said() -> None:
    sentence, *others = state_resolution({0: particle(shells=51), 1: particle(shells=None)})
    assert not others
    assert sentence == (
        "member 0: shells are 0.673 interface lengths wide, so the interface's energy is about 4.53 % off "
        f"and the grid pins it; {particle(shells=None).shells} shells leave 0.6 %"
    )
    assert state_resolution({0: particle(1.0, shells=20), 1: particle(shells=1, kind="homogeneous")}) == []


def test_gap_without_gradient_energy_is_refused_unless_coherency_closes_it() -> None:
    with pytest.raises(InputError, match="an interface needs κ > 0"):
        particle(gradient_energy=0.0)
    closing = (2 * LFP_OMEGA - 4) * SITE_DENSITY * KT
    assert particle(gradient_energy=0.0, coherency_modulus=1.01 * closing).unstable_interval() is None
    with pytest.raises(InputError, match="unstable between"):
        particle(gradient_energy=0.0, coherency_modulus=0.97 * closing)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": "cube"}, "shape 'cube' is unknown"),
        ({"size": -1e-9}, "size > 0"),
        ({"shells": 2}, "shells ≥ 4"),
        ({"site_density": 0.0}, "must be positive"),
        ({"coherency_modulus": -1.0}, "must not be negative"),
    ],
)
def test_bad_numbers(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        particle(1.0, **changes)


def test_spinodal_of_the_regular_solution() -> None:
    for omega, spinodal in ((2.5, 0.276393), (3.0, 0.211325), (4.0, 0.146447), (5.0, 0.112702)):
        interval = particle(omega).unstable_interval()
        assert interval == pytest.approx((spinodal, 1 - spinodal), abs=5e-4)


def test_shells_follow_the_thin_interface_of_a_deep_gap() -> None:
    """A single shell may not hold the whole interface: κ of a deep gap is raised more than ℓ = 5 h asks."""
    deep = particle(12.0, shells=None, gradient_energy=1e-15, widen=True)
    assert deep.resolved_length == pytest.approx(SHELLS_PER_WIDENED_INTERFACE * deep.grid.spacing)
    assert deep.interface_length > 1.9 * deep.resolved_length
    with pytest.raises(InputError, match="must be below the interface length"):
        particle(12.0, shells=50, gradient_energy=1.1 * deep._energy_density * deep.grid.spacing**2)
