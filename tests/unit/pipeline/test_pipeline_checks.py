"""Checks of the recipe against the host."""

from pathlib import Path

import numpy as np
import pytest
from pipeline_toys import RECIPE, toy_recipe

from scalebridge.contracts import Host, HostPhase, Provenance, Structure
from scalebridge.foundation import InputError
from scalebridge.materials import load_design, load_host
from scalebridge.pipeline import (
    check_compositions,
    check_cutoff,
    check_recipe,
    load_recipe,
    recipe_path,
)
from scalebridge.pipeline.recipe_checks import cell_heights
from scalebridge.pipeline.sections import LabelsSection
from scalebridge.sampling import HostCell

ANGSTROM = 1e-10


def host() -> Host:
    cell = np.array([[4.0, 0.0, 0.0], [2.0, 3.0, 0.0], [0.0, 0.0, 6.0]]) * ANGSTROM
    positions = np.linspace(0, 0.9, 9).reshape(3, 3)
    framework = Structure(symbols=("Ti", "S", "S"), cell=cell, scaled_positions=positions)
    phase = HostPhase(
        name="layered",
        framework=framework,
        sites=np.zeros((1, 3)),
        formula_units=1,
        composition=0.0,
        source="test",
    )
    metal = Structure(symbols=("Li",), cell=np.eye(3) * 3 * ANGSTROM, scaled_positions=np.zeros((1, 3)))
    return Host(
        provenance=Provenance(code_version="0", recipe_hash=""),
        name="toy",
        formula="TiS2",
        ion="Li",
        sites_per_formula_unit=1,
        phases=(phase,),
        metal=metal,
        metal_source="test",
        formula_mass=0.112,
        mass_composition=0.0,
    )


def test_compositions_outside_the_sites_are_refused() -> None:
    check_compositions(host(), labels=LabelsSection(compositions=(0.0, 1.0)))
    with pytest.raises(InputError, match=r"labels.compositions: x = 1.5 is outside 0 … 1"):
        check_compositions(host(), labels=LabelsSection(compositions=(0.0, 1.5)))


def test_heights_of_an_oblique_cell() -> None:
    cell = HostCell.from_phase(host().phases[0], "Li")
    assert cell_heights(cell) == pytest.approx([4 * 3 / np.hypot(2, 3), 3.0, 6.0])


def test_cutoff_beyond_the_image_limit_is_refused_with_a_way_out() -> None:
    check_cutoff(host(), 2.9, learning=(1, 1, 1))
    check_cutoff(host(), 5.0, learning=(2, 2, 1))
    with pytest.raises(InputError) as caught:
        check_cutoff(host(), 5.0, learning=(1, 1, 1))
    shown = str(caught.value)
    assert "potential.cutoff 5.0 Å exceeds half the shortest cell height 1.5 Å" in shown
    assert "learning.repeat of at least 2×2×1 or a cutoff below 3.0 Å" in shown


def test_electrode_temperature_outside_the_free_energy_is_refused(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path, RECIPE.replace("members = 4", "members = 4\ncutoff = 2.5"))
    design = load_design("lfp", Provenance(code_version="", recipe_hash=""))
    assert float(design.temperature) == 298.0
    with pytest.raises(InputError, match="300 K do not reach the electrode's temperature of 298 K"):
        check_recipe(recipe, host(), design)
    warm = {"temperature": design.temperature.model_copy(update={"value": 300.0})}
    check_recipe(recipe, host(), design.model_copy(update=warm))


@pytest.mark.parametrize(
    ("x", "repeat"), [(0.3, [2, 1, 1]), (0.0, [2, 1, 1]), (1.0, [2, 1, 1]), (0.5, [1, 1, 1])]
)
def test_ions_that_cannot_be_followed_are_refused(tmp_path: Path, x: float, repeat: list[int]) -> None:
    text = RECIPE.replace("members = 4", "members = 4\ncutoff = 2.5").replace("[300.0]", "[298.0]")
    text = text.replace("compositions = [0.5]", f"compositions = [{x}]\nrepeat = {repeat}")
    design = load_design("lfp", Provenance(code_version="", recipe_hash=""))
    with pytest.raises(InputError, match=rf"x = {x:g} is .* ions in this cell; .* a larger transport.repeat"):
        check_recipe(toy_recipe(tmp_path, text), host(), design)


def test_too_few_held_out_structures_for_a_posterior_are_refused_before_the_run() -> None:
    unmade = Provenance(code_version="", recipe_hash="")
    recipe = load_recipe(recipe_path("lfp"))
    few = recipe.model_copy(
        update={"labels": recipe.labels.model_copy(update={"structures_per_composition": 2})}
    )
    with pytest.raises(InputError, match=r"holds out \d, and potential.committee 'posterior' needs 5"):
        check_recipe(few, load_host("lfp", unmade), load_design("lfp", unmade))


@pytest.mark.parametrize("name", ["lfp", "mnhcf"])
@pytest.mark.parametrize("profile", ["quick", "standard"])
def test_bundled_recipes_fit_their_hosts(name: str, profile: str) -> None:
    unmade = Provenance(code_version="", recipe_hash="")
    recipe = load_recipe(recipe_path(name), profile=profile)
    check_recipe(recipe, load_host(name, unmade), load_design(name, unmade))
