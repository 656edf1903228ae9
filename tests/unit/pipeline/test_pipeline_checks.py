"""Checks of the recipe against the host."""

import numpy as np
import pytest

from scalebridge.contracts import Host, HostPhase, Provenance, Structure
from scalebridge.foundation import InputError
from scalebridge.pipeline import check_compositions, check_cutoff, check_species
from scalebridge.pipeline.recipe_checks import cell_heights
from scalebridge.pipeline.sections import LearningSection

ANGSTROM = 1e-10


def host(symbols: tuple[str, ...] = ("Ti", "S", "S"), formula: str = "TiS2", ion: str = "Li") -> Host:
    cell = np.array([[4.0, 0.0, 0.0], [2.0, 3.0, 0.0], [0.0, 0.0, 6.0]]) * ANGSTROM
    framework = Structure(
        symbols=symbols, cell=cell, scaled_positions=np.linspace(0, 0.9, 3 * len(symbols)).reshape(-1, 3)
    )
    phase = HostPhase(
        name="layered",
        framework=framework,
        sites=np.zeros((1, 3)),
        formula_units=1,
        composition=0.0,
        source="test",
    )
    metal = Structure(symbols=(ion,), cell=np.eye(3) * 3 * ANGSTROM, scaled_positions=np.zeros((1, 3)))
    return Host(
        provenance=Provenance(code_version="0", recipe_hash=""),
        name="toy",
        formula=formula,
        ion=ion,
        sites_per_formula_unit=1,
        phases=(phase,),
        metal=metal,
        metal_source="test",
        formula_mass=0.112,
        mass_composition=0.0,
    )


def test_compositions_outside_the_sites_are_refused() -> None:
    inside = LearningSection(temperatures=(300.0,), compositions=(0.0, 1.0))
    check_compositions(host(), learning=inside)
    outside = LearningSection(temperatures=(300.0,), compositions=(0.0, 1.5))
    with pytest.raises(InputError, match=r"learning.compositions: x = 1.5 is outside 0 … 1"):
        check_compositions(host(), learning=outside)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (host(symbols=("Ti", "S", "O")), "holds O1S1Ti1 per formula unit, but the formula is S2Ti1"),
        (host(symbols=("Ti", "S")), "holds S1Ti1"),
        (host(formula="XzS2"), "'Xz' is no element"),
    ],
)
def test_wrong_species_are_refused(wrong: Host, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        check_species(wrong)


def test_right_species_pass() -> None:
    check_species(host())


def test_heights_of_an_oblique_cell() -> None:
    cell = host().phases[0].framework
    assert cell_heights(cell) == pytest.approx([4 * 3 / np.hypot(2, 3), 3.0, 6.0])


def test_cutoff_beyond_the_image_limit_is_refused_with_a_way_out() -> None:
    check_cutoff(host(), 2.9, learning=(1, 1, 1))
    check_cutoff(host(), 5.0, learning=(2, 2, 1))
    with pytest.raises(InputError) as caught:
        check_cutoff(host(), 5.0, learning=(1, 1, 1))
    shown = str(caught.value)
    assert "potential.cutoff 5.0 Å exceeds half the shortest cell height 1.5 Å" in shown
    assert "learning.repeat of at least 2×2×1 or a cutoff below 3.0 Å" in shown
