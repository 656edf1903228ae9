"""The ladder: the stages of a run from the host to the electrode, in order.

What a stage computes is in ``pipeline/stages/<name>.py`` (``compute(context)``), imported when it is needed.
"""

import importlib
from collections.abc import Callable
from typing import Final

from scalebridge.pipeline.stage import Stage, StageContext


def _compute(module: str) -> Callable[[StageContext], None]:
    def compute(context: StageContext) -> None:
        importlib.import_module(f"scalebridge.pipeline.stages.{module}").compute(context)

    return compute


LADDER: Final[tuple[Stage, ...]] = (
    Stage(
        "host",
        _compute("host"),
        sections=("host",),
        title="read the host's structures and sites",
        weight=1,
    ),
    Stage(
        "labels",
        _compute("labels"),
        parents=("host",),
        sections=("host", "oracle", "labels", "seed"),
        version=5,
        title="read or label the first training set",
        weight=50,
    ),
    Stage(
        "learning",
        _compute("learning"),
        parents=("host", "labels"),
        sections=("host", "oracle", "learning", "potential", "seed"),
        version=5,
        title="explore all ion contents, label what is new, refit",
        weight=110,
    ),
    Stage(
        "potential",
        _compute("potential"),
        parents=("host", "learning"),
        sections=("potential", "seed"),
        version=5,
        title="fit the committee",
        weight=20,
    ),
    Stage(
        "verification",
        _compute("verification"),
        parents=("host", "learning", "potential"),
        sections=("verification", "seed"),
        title="run the potential in large cells and grade what it meets",
        weight=30,
    ),
    Stage(
        "thermodynamics",
        _compute("thermodynamics"),
        parents=("host", "potential"),
        sections=("host", "oracle", "thermodynamics", "temperature", "seed"),
        version=7,
        title="free energies, voltage and volumes against x",
        weight=65,
    ),
    Stage(
        "transport",
        _compute("transport"),
        parents=("host", "potential", "thermodynamics"),
        sections=("thermodynamics", "transport", "seed"),
        version=3,
        title="diffusivities against x and temperature",
        weight=40,
    ),
    Stage(
        "interfaces",
        _compute("interfaces"),
        parents=("host", "potential", "thermodynamics"),
        sections=("interfaces", "seed"),
        version=5,
        title="eigenstrain, stiffness and interface energies",
        weight=13,
    ),
    Stage(
        "card",
        _compute("card"),
        parents=("host", "potential", "thermodynamics", "transport", "interfaces"),
        version=4,
        title="gather the material card",
        weight=1,
    ),
    Stage(
        "electrode",
        _compute("electrode"),
        parents=("card",),
        sections=("host", "electrode"),
        version=5,
        title="discharge the porous electrode at every rate",
        weight=80,
    ),
)
"""Weights are the seconds of the quick profile on two cores."""
