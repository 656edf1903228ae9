"""What the stage ``thermodynamics`` says of how it sampled."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from ase import Atoms

from scalebridge.pipeline.stages.thermodynamics import _warn_of_joined_phases
from scalebridge.sampling import HostCell


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
