"""What the stage ``thermodynamics`` says of how it sampled."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from ase import Atoms

from scalebridge.pipeline.stages.thermodynamics import _warn_of_joined_phases, _warn_of_outliers
from scalebridge.sampling import HostCell


def test_a_member_whose_cell_runs_away_is_named_with_its_composition() -> None:
    said: list[str] = []
    context = cast(Any, SimpleNamespace(warn=said.append))
    volume = np.array([[73.4, 79.2], [73.1, 84.2], [73.1, 78.6], [73.1, 79.4], [72.6, 79.0]])
    structures = cast(Any, SimpleNamespace(volume=volume, x=np.array([0.0, 1.0])))
    _warn_of_outliers(context, structures)
    (text,) = said
    assert text.startswith("member 1's volume at x = 1 lies +6.3% off the median")


def test_a_change_of_framework_between_rungs_is_named_by_ions_and_phases() -> None:
    cubic = HostCell(Atoms("Fe", cell=[4.0] * 3, pbc=True), np.eye(3) / 2, 1, "Na", "cubic")
    tilted = replace(cubic, phase="rhombohedral")
    said: list[str] = []
    context = cast(Any, SimpleNamespace(warn=said.append))
    _warn_of_joined_phases(context, [cubic] * 4)
    assert said == []
    _warn_of_joined_phases(context, [cubic, cubic, cubic, tilted])
    (text,) = said
    assert text.startswith("from 2 to 3 of 3 ions the walkers start in 'cubic' and 'rhombohedral'")
