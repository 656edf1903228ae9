"""The animation shows every stored time, its phase boundary and its point on the voltage curve."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.contour import QuadContourSet
from PIL import Image
from synthetic_run import make_solution

from scalebridge.contracts import Contract, ElectrodeDesign, MaterialCard, Provenance, Solution
from scalebridge.electrode import Protocol, protocol_solution
from scalebridge.foundation import InputError
from scalebridge.plotting import write_animation
from scalebridge.plotting.animation import _Scene

Contracts = dict[str, Contract]


class Counted:
    """Counts the steps of a task."""

    steps = 0.0

    def task(self, description: str, total: float | None = None) -> "Counted":
        self.total = total
        return self

    def __enter__(self) -> "Counted":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def advance(self, steps: float = 1.0, note: str = "") -> None:
        self.steps += steps

    def message(self, text: str) -> None:
        pass


def solution(contracts: Contracts, *levels: float) -> Solution:
    """Seven of a discharge's sixty times."""
    card: Any = contracts["card/material_card.json"]
    made = make_solution(card, 1.0, 0, boundary_levels=levels)
    fields = {
        name: field.model_copy(update={"values": field.values[3::9]}) if "map_time" in field.axes else field
        for name, field in made.fields.items()
    }
    return Solution.model_validate(dict(made) | {"fields": fields})


@pytest.mark.parametrize("suffix", [".gif", ".html"])
def test_a_frame_for_every_time_in_a_small_file(
    suffix: str, synthetic_contracts: Contracts, tmp_path: Path
) -> None:
    shown, counted = solution(synthetic_contracts, 0.5), Counted()
    path = write_animation(shown, tmp_path / f"x{suffix}", progress=counted)  # type: ignore[arg-type]
    count = shown.fields["map_time"].values.size
    assert counted.steps == counted.total == count
    assert path.stat().st_size < 2e6
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    if suffix == ".gif":
        with Image.open(path) as image:
            assert image.n_frames == count  # type: ignore[attr-defined]
    else:
        assert path.read_text().count("data:image/png;base64") == count


def test_the_scene_follows_the_solution(synthetic_contracts: Contracts) -> None:
    shown = solution(synthetic_contracts, 0.5)
    scene = _Scene(shown)
    theta = shown.fields["theta"].values
    for step in (0, len(theta) // 2, len(theta) - 1):
        scene.show(step)
        assert np.asarray(scene.mesh.get_array()).reshape(theta[step].T.shape) == pytest.approx(theta[step].T)
        crossed = theta[step].min() < 0.5 < theta[step].max()
        drawn = [item for item in scene.map.collections if isinstance(item, QuadContourSet)]
        assert len(drawn) == int(crossed)
        (x,), (y,) = scene.point.get_data()
        assert x == shown.fields["map_filling"].values[step]
        curve = np.interp(x, shown.fields["filling"].values, shown.fields["voltage"].values)
        assert y == pytest.approx(curve, abs=2e-3)


def test_a_protocol_is_shown_along_its_time(synthetic_contracts: Contracts) -> None:
    card, design = (
        synthetic_contracts[name] for name in ("card/material_card.json", "electrode/electrode_design.json")
    )
    assert isinstance(card, MaterialCard)
    assert isinstance(design, ElectrodeDesign)
    provenance = Provenance(code_version="test", recipe_hash="test")
    steps = Protocol.parse("Discharge at 5C for 2 minutes; Rest for 10 minutes; Charge at 5C for 1 minute")
    shown, _ = protocol_solution(card, design, steps, provenance=provenance, shells=15, map_times=30)
    time = shown.fields["map_time"].values
    assert 20 < time.size <= 30
    assert (time[0], time[-1]) == (0.0, 780.0)
    # half of the frames by time, half by charge
    assert np.sum((time > 120) & (time < 720)) == pytest.approx(0.5 * 10 / 13 * 30, abs=2)
    scene = _Scene(shown)
    for step, name in ((0, "step 1 of 3"), (time.size // 2, "step 2 of 3"), (time.size - 1, "step 3 of 3")):
        scene.show(step)
        assert scene.map.get_title().startswith(f"{name}, ")
        assert scene.point.get_data()[0] == [time[step] / 3600]
    with pytest.raises(InputError, match="1 times in the maps"):
        protocol_solution(card, design, steps, provenance=provenance, shells=15, map_times=1)


def test_refusals(synthetic_contracts: Contracts, tmp_path: Path) -> None:
    shown = solution(synthetic_contracts, 0.5)
    with pytest.raises(InputError, match=r"ends in \.gif or \.html"):
        write_animation(shown, tmp_path / "x.avi")
    with pytest.raises(InputError, match="no folder"):
        write_animation(shown, tmp_path / "none" / "x.gif")
    with pytest.raises(InputError, match="at least 1"):
        write_animation(shown, tmp_path / "x.gif", frames_per_second=0)
    fields = {name: field for name, field in shown.fields.items() if name != "theta"}
    with pytest.raises(InputError, match="'theta' is missing"):
        write_animation(Solution.model_validate(dict(shown) | {"fields": fields}), tmp_path / "x.gif")
