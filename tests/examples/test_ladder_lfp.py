"""The bundled LiFePO4 recipe, from structure to report, with the smallest statistics that keep it whole."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from scalebridge.contracts import HomogeneousFreeEnergy, Isotherm, RateCapability, StructureTable
from scalebridge.pipeline import LADDER, load_recipe, parse_executor, recipe_path, run_stages
from scalebridge.report import write_report

pytest.importorskip("chgnet")
pytestmark = [pytest.mark.chgnet, pytest.mark.slow]

TINY = """
[profiles.tiny.labels]
structures_per_composition = 6
relaxation_steps = 30

[profiles.tiny.learning]
temperatures = [300.0, 800.0]
repeat = [1, 1, 1]
rounds = 2
sweeps = 3

[profiles.tiny.potential]
level = 8
iterations = 20

[profiles.tiny.thermodynamics]
repeat = [1, 1, 1]
equilibration = 20
sweeps = 40
walkers = 1

[profiles.tiny.transport]
picoseconds = 3.0
compositions = [0.5]

[profiles.tiny.electrode]
c_rates = [1.0]
"""


def test_the_ladder_reaches_a_report_and_repeats_only_what_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_path("lfp").read_text() + TINY)
    recipe = load_recipe(path, profile="tiny")
    run = tmp_path / "run"
    executor = parse_executor("processes:2")
    try:
        first = run_stages(recipe, run, LADDER, executor=executor)
        assert first.computed == tuple(stage.name for stage in LADDER)
        structures = StructureTable.load(run / "thermodynamics" / "structure_table.json")
        isotherm = Isotherm.load(run / "thermodynamics" / "isotherm.json")
        rates = RateCapability.load(run / "electrode" / "rate_capability.json")

        # the corrected calculator relaxed at 0 K: 3.35 V, 6 %; a level-8 potential of some 60 labels is held
        # to 0.15 V, 4 %
        mean_voltage = np.trapezoid(isotherm.voltage[0, 0], isotherm.x) / np.ptp(isotherm.x)
        assert mean_voltage == pytest.approx(3.35, abs=0.15)
        growth = structures.volume[0, -1] / structures.volume[0, 0] - 1
        assert growth == pytest.approx(0.06, abs=0.04)
        assert np.all(rates.capacity > 0)
        assert "FePO" in write_report(run).read_text()

        shutil.rmtree(run / "interfaces")
        second = run_stages(recipe, run, LADDER, executor=executor)
        assert second.computed == ("interfaces", "card", "electrode")
        again = HomogeneousFreeEnergy.load(run / "thermodynamics" / "homogeneous_free_energy.json")
        assert again.members == rates.capacity.shape[0]
    finally:
        executor.close()
