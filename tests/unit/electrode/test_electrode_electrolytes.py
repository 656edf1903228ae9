"""Electrolytes by concentrated-solution theory."""

from dataclasses import replace

import numpy as np
import pytest

from particle_models import cell, particle
from scalebridge.contracts import Electrolyte, Sourced
from scalebridge.electrode import (
    CellModel,
    Layer,
    SaltSolution,
    dilute,
    named_electrolyte,
    named_electrolytes,
    solve_cell,
)
from scalebridge.electrode._kernels import face_fluxes, outer_size
from scalebridge.electrode.arrays import cell_arrays
from scalebridge.electrode.model import design_electrolyte
from scalebridge.electrode.system import Unknowns, rest_state
from scalebridge.foundation import InputError, ValidityError, constants

NYMAN = named_electrolyte("LiPF6 in EC:EMC 3:7 (Nyman 2008)")


def solid_solution(**changes: object) -> CellModel:
    settings = {
        "separator": Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=8),
        "layer": Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=6),
    }
    return cell(particle(1.0, shells=8, gradient_energy=0.0, diffusivity=1e-13), **(settings | changes))


def test_published_values_at_one_molar() -> None:
    """Nyman et al. by hand; Landesfeind and Gasteiger as measured at 25 °C; Chayambuka et al., Figure A2."""
    at = np.array([1000.0])
    assert NYMAN.conductivity(at, 298.15) == pytest.approx(0.1297 - 2.51 + 3.329, rel=1e-12)
    assert NYMAN.diffusivity(at, 298.15) == pytest.approx((8.794 - 39.72 + 48.62) * 1e-11, rel=1e-12)
    sodium = named_electrolyte("NaPF6 in EC:PC 1:1 (Chayambuka 2022)")
    assert sodium.conductivity(at, 298.15) == pytest.approx(0.883, rel=1e-9)
    assert sodium.transference(at, 298.15) == pytest.approx(0.45)
    dmc, emc = (
        named_electrolyte(f"LiPF6 in {name} (Landesfeind 2019)") for name in ("EC:DMC 1:1", "EC:EMC 3:7")
    )
    # conductivities of 1 M at 25 °C: 11 to 12 mS/cm in EC:DMC, 9 to 10 mS/cm in EC:EMC
    assert 1.1 < dmc.conductivity(at, 298.15)[0] < 1.25
    assert 0.9 < emc.conductivity(at, 298.15)[0] < 1.0
    for solution in (dmc, emc):
        assert 2e-10 < solution.diffusivity(at, 298.15)[0] < 4.5e-10
        assert 0.1 < solution.transference(at, 298.15)[0] < 0.4


@pytest.mark.parametrize("name", named_electrolytes())
def test_properties_are_physical_where_measured(name: str) -> None:
    solution = named_electrolyte(name)
    concentration = np.linspace(*solution.concentrations, 50)
    for temperature in np.linspace(max(solution.temperatures[0], 273), solution.temperatures[1], 4):
        d, s, t, chi = solution.properties(concentration, float(temperature))
        assert min(d.min(), s.min(), chi.min()) > 0
        assert np.all(t < 1)
    outside = solution.properties(np.array([0.0, 1e5]), 298.15)
    assert outside == pytest.approx(solution.properties(np.array(solution.concentrations), 298.15))


def test_a_dilute_salt_obeys_nernst_and_planck() -> None:
    """N± = −D± ε^b (∇c ± c ∇φ), from D, t₊ and κ alone."""
    model = solid_solution(electrolyte=dilute("salt", 2.2e-10, 2.94e-10))
    arrays = cell_arrays(model)
    unknowns = Unknowns.of(model, arrays)
    state = rest_state(model, arrays, unknowns, 1.0)
    state[unknowns.concentration[3:5]] = 0.8, 1.3
    state[unknowns.concentration[3:5] + 1] = -0.4, 0.2
    anion, current = face_fluxes(arrays, state[-outer_size(arrays) :], 3)
    expected = -2.94e-10 * arrays.face[3] * (0.5 - 1.05 * 0.6)
    assert anion == pytest.approx(expected, rel=1e-9)
    assert current + anion == pytest.approx(-2.2e-10 * arrays.face[3] * (0.5 + 1.05 * 0.6), rel=1e-9)


def test_potential_of_a_concentration_cell() -> None:
    """Without current, ion-metal electrodes at two concentrations differ by 2 (RT/F) (1 − t₊) χ ln(c₂/c₁)."""
    solution = named_electrolyte("LiPF6 in EC:DMC 1:1 (Landesfeind 2019)")
    model = solid_solution(electrolyte=solution, particle=particle(1.0, shells=8, gradient_energy=0.0))
    arrays = cell_arrays(model)
    unknowns = Unknowns.of(model, arrays)
    state = rest_state(model, arrays, unknowns, 1.0)
    low, high = 0.95, 1.05
    state[unknowns.concentration[3:5]] = low, high
    _, _, t, chi = solution.properties(np.array([1000.0]), model.particle.temperature)
    slope = 1 - 2 * (1 - t[0]) * chi[0]
    # the unknown φ is the metal's potential less ln c
    state[unknowns.concentration[3:5] + 1] = 0.0, -slope * (high - low)
    assert face_fluxes(arrays, state[-outer_size(arrays) :], 3)[1] == pytest.approx(
        0.0, abs=1e-6 * arrays.face[3] * 4e-10
    )
    jump = -slope * (high - low) + np.log(high / low)
    assert jump == pytest.approx(2 * (1 - t[0]) * chi[0] * np.log(high / low), rel=2e-3)


def test_steady_salt_profile_with_a_diffusivity_that_depends_on_concentration() -> None:
    """∫D dc over the separator is −i (1 − t₊) x/(F ε^b): Kirchhoff's transform."""
    model = solid_solution(electrolyte=NYMAN)
    solution = solve_cell(model, 1.0)
    c, x = solution.concentration[200, :8], solution.position[:8]
    values = np.linspace(c[0], c[-1], 2001)
    integral = np.trapezoid(NYMAN.diffusivity(values, 298.0), values)
    flux = model.one_c_current * (1 - 0.2594) / constants.FARADAY
    assert integral == pytest.approx(-flux * (x[7] - x[0]) / 0.7**1.5, rel=3e-3)


def test_a_more_resistive_electrolyte_costs_voltage() -> None:
    """Halving κ alone costs half as much again as the drop over κ, at the first instant."""
    halved = replace(NYMAN, mobility_sum=lambda c, t: 0.5 * NYMAN.mobility_sum(c, t))
    first = [solve_cell(solid_solution(electrolyte=e), 1.0).voltage[0] for e in (NYMAN, halved)]
    model = solid_solution()
    separator = model.one_c_current * 25e-6 / (0.7**1.5 * NYMAN.conductivity(np.array([1000.0]), 298.0)[0])
    assert first[0] - first[1] > separator
    assert first[0] - first[1] < 4 * separator


def electrolyte(name: str, *, given: bool) -> Electrolyte:
    number = Sourced(value=1e-10, source="test")
    return Electrolyte(
        name=name,
        concentration=Sourced(value=1000.0, source="test"),
        cation_diffusivity=number if given else None,
        anion_diffusivity=number if given else None,
    )


def test_a_design_names_its_electrolyte() -> None:
    assert design_electrolyte(electrolyte("my own", given=True)).source.startswith("dilute")
    chosen: SaltSolution = design_electrolyte(electrolyte(NYMAN.name, given=False))
    assert chosen.citation == "nyman2008"
    with pytest.raises(InputError, match="'my own' gives no ion diffusivities"):
        design_electrolyte(electrolyte("my own", given=False))


def test_bad_electrolytes() -> None:
    with pytest.raises(InputError, match="anion diffusivity 0"):
        dilute("salt", 1e-10, 0.0)
    with pytest.raises(ValidityError, match=r"250 K is outside 293 … 303 K"):
        NYMAN.check_temperature(250.0)
