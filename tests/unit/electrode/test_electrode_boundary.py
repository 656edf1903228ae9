"""Stored phase boundaries lie where the member's own free energy puts them."""

from pathlib import Path

import numpy as np
import pytest

from scalebridge.contracts import Contract, ElectrodeDesign, MaterialCard, Provenance, Solution
from scalebridge.electrode import CellModel, solve_discharge
from scalebridge.foundation import constants
from scalebridge.thermodynamics import solve_common_tangents

PROVENANCE = Provenance(code_version="test", recipe_hash="test")
THERMAL = constants.BOLTZMANN * 300.0


@pytest.fixture(scope="module")
def card(synthetic_contracts: dict[str, Contract]) -> MaterialCard:
    """Member 0: Ω = 3; member 1: skewed; member 2: solid solution; member 3: ordered at half filling."""
    made = synthetic_contracts["card/material_card.json"]
    assert isinstance(made, MaterialCard)
    (branch,) = made.free_energy.branches
    interaction = np.zeros((5, 3, 3))
    for member, orders in enumerate([(3, 0, 0), (3, -1, 0), (1, 0, 0), (-4, 0, 20), (3, 1, 0)]):
        interaction[member] = THERMAL * np.array(orders)
    free_energy = made.free_energy.model_copy(
        update={"branches": (branch.model_copy(update={"interaction": interaction}),)}
    )
    return made.model_copy(update={"free_energy": free_energy})


@pytest.fixture(scope="module")
def design(synthetic_contracts: dict[str, Contract]) -> ElectrodeDesign:
    """Two volumes of incoherent particles whose interfaces are resolved."""
    made = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(made, ElectrodeDesign)
    size = made.particles.size.model_copy(update={"value": 1e-8})
    particles = made.particles.model_copy(update={"coherent": False, "size": size})
    cathode = made.cathode.model_copy(update={"volumes": 2})
    return made.model_copy(update={"particles": particles, "cathode": cathode})


def discharge(card: MaterialCard, design: ElectrodeDesign, member: int, path: Path) -> Solution:
    """Discharge, by way of the file."""
    solution = solve_discharge(card, design, 1.0, member=member, provenance=PROVENANCE)
    return Solution.load(solution.save(path / "solution.json"))


def test_a_regular_solution_meets_at_one_half(
    card: MaterialCard, design: ElectrodeDesign, tmp_path: Path
) -> None:
    fields = discharge(card, design, 0, tmp_path).fields
    assert fields["boundary_level"].axes == ("gap",)
    assert fields["boundary_level"].values == pytest.approx([0.5], abs=1e-9)


def test_the_boundary_is_where_the_member_s_particles_cross_its_level(
    card: MaterialCard, design: ElectrodeDesign, tmp_path: Path
) -> None:
    fields = discharge(card, design, 1, tmp_path).fields
    (level,) = fields["boundary_level"].values
    (tangent,) = solve_common_tangents(card.free_energy, 300.0, member=1)
    assert level == pytest.approx(0.5 * (tangent.theta_low + tangent.theta_high), abs=1e-8)
    assert level > 0.55
    theta, radius = fields["theta"].values, fields["radius"].values
    boundary = fields["phase_boundary"]
    assert boundary.axes == ("map_time", "volume", "gap")
    entered = 0
    for profile, place in zip(theta.reshape(-1, radius.size), boundary.values.ravel(), strict=True):
        crossings = np.flatnonzero((profile[1:] > level) != (profile[:-1] > level))
        if crossings.size:
            assert radius[crossings[-1]] * 0.999 <= place <= radius[crossings[-1] + 1] * 1.001
            entered += 1
        else:
            assert place == (0.0 if profile[-1] > level else radius[-1])
    assert entered > 10


def test_a_solid_solution_stores_no_boundary(
    card: MaterialCard, design: ElectrodeDesign, tmp_path: Path
) -> None:
    fields = discharge(card, design, 2, tmp_path).fields
    assert fields["boundary_level"].values.shape == (0,)
    assert fields["front_level"].values.shape == (0,)
    assert fields["phase_boundary"].values.shape == (*fields["theta"].values.shape[:2], 0)


def test_each_gap_of_an_ordered_phase_has_its_boundary(card: MaterialCard, design: ElectrodeDesign) -> None:
    cell = CellModel.from_card(card, design, member=3)
    tangents = solve_common_tangents(card.free_energy, 300.0, member=3)
    assert len(tangents) == 2
    expected = [0.5 * (tangent.theta_low + tangent.theta_high) for tangent in tangents]
    assert cell.particle.boundary_levels == pytest.approx(expected, abs=1e-8)
    assert sum(cell.particle.boundary_levels) == pytest.approx(1.0, abs=1e-8)


def test_coherent_particles_meet_at_the_level_of_their_coherent_phases(
    card: MaterialCard, design: ElectrodeDesign
) -> None:
    """B = ½ ρkT of a regular solution Ω = 3 leaves Ω = 2.75; twice the limit 2(Ω − 2)ρkT closes the gap.

    Without coherency between them, particles still fill one after another.
    """
    density = card.site_density[0] * THERMAL
    for share, levels, fronts in ((0.5, [0.5], []), (4.0, [], [0.5])):
        modulus = np.full_like(card.interfaces.coherency_modulus, share * density)
        interfaces = card.interfaces.model_copy(update={"coherency_modulus": modulus})
        coherent = design.particles.model_copy(update={"coherent": True})
        cell = CellModel.from_card(
            card.model_copy(update={"interfaces": interfaces}),
            design.model_copy(update={"particles": coherent}),
        )
        assert cell.particle.boundary_levels == pytest.approx(levels, abs=1e-9)
        assert cell.particle.front_levels == pytest.approx(fronts, abs=1e-9)
