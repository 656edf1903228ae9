"""The phase boundary in motion: through the depth of the electrode and inside its particles."""

import base64
import io
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.animation import AbstractMovieWriter, FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from scalebridge.contracts import Solution
from scalebridge.foundation import SILENT, InputError, Progress
from scalebridge.plotting.electrode import (
    HOUR,
    LINE_STYLES,
    MICROMETRE,
    OUTLINE,
    boundary_text,
    field_values,
    rate_name,
)
from scalebridge.plotting.style import COLOURS, GREY, PAGE_WIDTH, SEQUENTIAL, FloatArray, note, styled

SUFFIXES: Final = (".gif", ".html")
RESOLUTION = 90
"""Dots per inch: 80 frames stay below 1 MB."""
FRAMES_PER_SECOND = 12
PAGE_COLOURS: Final = 96
"""Of a picture in a page."""
PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Phases in motion</title></head>
<body style="font-family: sans-serif; max-width: 640px; margin: auto">
<img id="picture" alt="phases in motion" style="width: 100%">
<p><button id="play">play</button>
<input id="slider" type="range" min="0" value="0" style="width: 80%" aria-label="time"></p>
<script>
const frames = [FRAMES];
const picture = document.getElementById("picture");
const slider = document.getElementById("slider");
const button = document.getElementById("play");
let timer = null;
slider.max = frames.length - 1;
function show() { picture.src = frames[slider.value]; }
function stop() { clearInterval(timer); timer = null; button.textContent = "play"; }
function step() {
  if (Number(slider.value) >= frames.length - 1) { stop(); return; }
  slider.value = Number(slider.value) + 1;
  show();
}
slider.oninput = show;
button.onclick = function () {
  if (timer) { stop(); return; }
  if (Number(slider.value) >= frames.length - 1) { slider.value = 0; }
  button.textContent = "stop";
  timer = setInterval(step, PAUSE);
};
show();
</script></body></html>
"""


class _Scene:
    """The figure of one frame and what changes in the next."""

    def __init__(self, solution: Solution) -> None:
        self.theta = field_values(solution, "theta")
        self.filling = field_values(solution, "map_filling")
        self.time = field_values(solution, "map_time") / HOUR
        self.particles = field_values(solution, "particle_filling")
        self.depth = field_values(solution, "depth") / MICROMETRE
        radius = field_values(solution, "radius")
        self.place: FloatArray = radius / radius[-1]
        levels = np.concatenate([field_values(solution, name) for name in ("boundary_level", "front_level")])
        self.levels = list(zip(levels.tolist(), cycle(LINE_STYLES), strict=False))
        self.contours: list[QuadContourSet] = []
        self.names = self._names(solution)
        self.figure = Figure(figsize=(PAGE_WIDTH, 4.2), layout="constrained")
        FigureCanvasAgg(self.figure)
        self.map, filled, curve = self._axes()
        self.mesh = self._draw_map()
        self.bars = self._draw_particles(filled)
        self.voltage = np.interp(
            self.time, field_values(solution, "time") / HOUR, field_values(solution, "voltage")
        )
        self.along = self.time if "step_end" in solution.fields else self.filling
        self.point = self._draw_curve(curve, solution)
        note(self.figure, f"{'white lines: ' if self.levels else ''}{boundary_text(solution)}")

    def _names(self, solution: Solution) -> list[str]:
        """Return what each frame's title begins with: the rate, or the step of a protocol."""
        if "step_end" not in solution.fields:
            name = "" if solution.c_rate is None else f"{rate_name(solution.c_rate)}, "
            return [name] * self.time.size
        ends = field_values(solution, "step_end") / HOUR
        steps = np.minimum(np.searchsorted(ends, self.time, side="right") + 1, ends.size)
        return [f"step {step} of {ends.size}, " for step in steps]

    def _axes(self) -> tuple[Axes, Axes, Axes]:
        grid = self.figure.add_gridspec(2, 2, height_ratios=(1.25, 1))
        return (
            self.figure.add_subplot(grid[0, :]),
            self.figure.add_subplot(grid[1, 0]),
            self.figure.add_subplot(grid[1, 1]),
        )

    def _draw_map(self) -> QuadMesh:
        mesh = self.map.pcolormesh(
            self.depth, self.place, self.theta[0].T, cmap=SEQUENTIAL, vmin=0, vmax=1, shading="nearest"
        )
        self.map.set(
            xlabel="depth in the electrode, from the separator (µm)",
            ylabel="position r/R" + (", mean" if self.particles.shape[2] > 1 else " in particle"),
            ylim=(0, 1),
        )  # fmt: skip
        bar = self.figure.colorbar(mesh, ax=self.map, label="site fraction θ", pad=0.01)
        for level, style in self.levels:
            bar.ax.axhline(level, color="white", linewidth=1, linestyle=style, path_effects=OUTLINE)
        return mesh

    def _draw_particles(self, axes: Axes) -> list[Line2D]:
        """Draw every particle's filling over depth, those of one volume side by side."""
        count = self.particles.shape[2]
        width = float(self.depth[1] - self.depth[0]) if self.depth.size > 1 else 1.0
        aside = 0.8 * width * ((np.arange(count) + 0.5) / count - 0.5)
        axes.set(xlabel="depth (µm)", ylabel="filling of the particles", ylim=(-0.03, 1.03))
        axes.set_xlim(*self.map.get_xlim())
        return [
            axes.plot(self.depth + shift, self.particles[0, :, k], "o", color=COLOURS[0], markersize=2.5)[0]
            for k, shift in enumerate(aside)
        ]

    def _draw_curve(self, axes: Axes, solution: Solution) -> Line2D:
        by_time = self.along is self.time
        along = field_values(solution, "time") / HOUR if by_time else field_values(solution, "filling")
        axes.plot(along, field_values(solution, "voltage"), color=GREY)
        axes.set(xlabel="time (h)" if by_time else "filling of the electrode", ylabel="voltage (V)")
        return axes.plot([self.along[0]], [self.voltage[0]], "o", color=COLOURS[1], markersize=5)[0]

    def show(self, step: int) -> list[Any]:
        """Bring the figure to one of the map's times."""
        for contour in self.contours:
            contour.remove()
        self.contours = []
        values = self.theta[step].T
        self.mesh.set_array(values)
        for level, style in self.levels:
            if values.min() < level < values.max():
                line = self.map.contour(
                    self.depth, self.place, values, [level], colors="white", linewidths=1, linestyles=style
                )
                line.set_path_effects(OUTLINE)
                self.contours.append(line)
        for k, line2d in enumerate(self.bars):
            line2d.set_ydata(self.particles[step, :, k])
        self.point.set_data([self.along[step]], [self.voltage[step]])
        self.map.set_title(
            f"{self.names[step]}{self.time[step]:.3g} h, {100 * self.filling[step]:.0f} % full"
        )
        return [self.mesh, *self.bars, self.point]


def check_animation_path(path: Path) -> Path:
    """Return the path of an animation.

    Raises
    ------
    InputError
        If its end names no known format, or its folder does not exist.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: an animation ends in {' or '.join(SUFFIXES)}; change the name")
    if not path.parent.is_dir():
        raise InputError(f"{path}: no folder {path.parent}; make it, or name another")
    return path


@styled
def write_animation(
    solution: Solution,
    path: Path,
    *,
    frames_per_second: int = FRAMES_PER_SECOND,
    progress: Progress = SILENT,
) -> Path:
    """Write a discharge or a protocol in motion, a frame for each time of its maps; return the path.

    θ through depth × position in the particle with the phase boundary, the mean over a volume's particles;
    the filling of every particle; and where that is on the voltage curve, of a protocol against time.
    ``.gif`` shows anywhere; ``.html`` has a button and a slider, and needs no other file.

    Raises
    ------
    InputError
        See `check_animation_path`; or if the solution holds no maps, or the file cannot be written.
    """
    check_animation_path(path)
    if frames_per_second < 1:
        raise InputError(f"{frames_per_second} frames per second must be at least 1; ask for more")
    scene = _Scene(solution)
    count = scene.theta.shape[0]
    scene.show(count // 2)
    # once, then fixed: a layout of its own for each frame would make the panels jump
    scene.figure.draw_without_rendering()
    scene.figure.set_layout_engine("none")
    animation = FuncAnimation(scene.figure, scene.show, frames=count, init_func=list)
    try:
        with progress.task("frames of the animation", count) as task:
            animation.save(
                path,
                writer=_writer(path, frames_per_second),
                dpi=RESOLUTION,
                progress_callback=lambda _step, _count: task.advance(1),
            )
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); give another path") from error
    return path


def _writer(path: Path, frames_per_second: int) -> AbstractMovieWriter:
    return (PillowWriter if path.suffix == ".gif" else _PageWriter)(fps=frames_per_second)


class _PageWriter(AbstractMovieWriter):
    """Writes a page that shows its frames, pictures of few colours, with a slider and a button."""

    def setup(self, fig: Figure, outfile: Any, dpi: float | None = None) -> None:
        super().setup(fig, outfile, dpi)
        self._pictures: list[str] = []

    def grab_frame(self, **_: Any) -> None:
        buffer = io.BytesIO()
        self.fig.savefig(buffer, format="rgba", dpi=self.dpi)
        picture = Image.frombytes("RGBA", self.frame_size, buffer.getvalue()).convert("RGB")
        small = io.BytesIO()
        picture.quantize(PAGE_COLOURS).save(small, format="png", optimize=True)
        self._pictures.append(base64.b64encode(small.getvalue()).decode())

    def finish(self) -> None:
        frames = ",".join(f'"data:image/png;base64,{picture}"' for picture in self._pictures)
        page = PAGE.replace("FRAMES", frames).replace("PAUSE", str(round(1000 / self.fps)))
        Path(str(self.outfile)).write_text(page, encoding="utf-8")
