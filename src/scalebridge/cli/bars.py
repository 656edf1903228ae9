"""Progress bars: one per stage, one per task inside it, and what is left of the whole run."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self, final

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from scalebridge.cli.durations import about, duration
from scalebridge.foundation.progress import Progress as ProgressProtocol
from scalebridge.foundation.progress import Task
from scalebridge.pipeline import Manifest, Stage, StageState, StageTime, remaining_seconds


@final
class _BarTask:
    """Advances one bar."""

    def __init__(self, bars: Progress, identifier: TaskID) -> None:
        self._bars = bars
        self._identifier = identifier

    def advance(self, steps: float = 1.0, note: str = "") -> None:
        """Move the bar."""
        self._bars.update(self._identifier, advance=steps)
        if note:
            self._bars.update(self._identifier, note=escape(note))


@final
class TaskBars:
    """A ``Progress`` of bars for one command; a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = Progress(*_columns(), console=console, transient=True, disable=not console.is_terminal)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Task]:
        """Open a bar."""
        identifier = self._bars.add_task(escape(description), total=total, note="")
        try:
            yield _BarTask(self._bars, identifier)
        finally:
            self._bars.remove_task(identifier)

    def message(self, text: str) -> None:
        """Print a line above the bars."""
        self.console.print(escape(text))


class _RunProgress(Progress):
    """Bars whose first rows follow the clock."""

    follower: "RunBars | None" = None

    def get_renderables(self) -> Iterable[RenderableType]:
        """Bring the clock's rows up to date, then show all, the whole run below."""
        if self.follower is not None:
            self.follower.tick()
        yield self.make_tasks_table(sorted(self.tasks, key=lambda task: bool(task.fields.get("last"))))


@final
class RunBars:
    """Shows a run: a line per finished stage, bars for the running one and for the whole."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = _RunProgress(
            *_columns(), console=console, transient=True, disable=not console.is_terminal
        )
        self._bars.follower = self
        self._times: dict[str, StageTime] = {}
        self._begun = time.perf_counter()
        self._stage: Stage | None = None
        self._stage_begun = self._begun
        self._stage_row: TaskID | None = None
        self._whole_row: TaskID | None = None
        self._open: list[TaskID] = []

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def plan(self, states: Sequence[StageState]) -> None:
        """Note what is to be done, with the times of earlier attempts."""
        for entry in states:
            known = entry.manifest.expected_time if entry.manifest else None
            skipped = entry.state == "up to date"
            self._times[entry.stage.name] = StageTime(entry.stage.weight, previous=known, skipped=skipped)
        left = self.left()
        if left > 0:
            self.console.print(f"{about(left)} to go at first guess")

    def started(self, stage: Stage) -> ProgressProtocol:
        """Open the stage's bar."""
        self._stage, self._stage_begun = stage, time.perf_counter()
        name = f"[bold]{escape(stage.name)}[/bold]: {escape(stage.title)}"
        if not self.console.is_terminal:
            self.console.print(f"… {name}; {about(self.left())} left")
        self._stage_row = self._bars.add_task(name, total=None, note="")
        self._whole_row = self._bars.add_task("whole run", total=None, note="", last=True)
        return self

    def skipped(self, stage: Stage, manifest: Manifest) -> None:
        """Print that a stage is up to date."""
        self.console.print(f"[dim]· {stage.name:<16} up to date{_remarks(manifest)}[/dim]")

    def finished(self, stage: Stage, manifest: Manifest) -> None:
        """Print how a stage ended."""
        for row in (self._stage_row, self._whole_row):
            if row is not None:
                self._bars.remove_task(row)
        self._stage = self._stage_row = self._whole_row = None
        before = self._times.get(stage.name, StageTime(stage.weight))
        self._times[stage.name] = StageTime(before.weight, before.previous, measured=manifest.wall_time)
        mark = {"done": "[green]✓[/green]", "failed": "[red]✗[/red]"}.get(
            manifest.status, "[yellow]–[/yellow]"
        )
        if manifest.status == "done" and not manifest.sound:
            mark = "[red]![/red]"
        self.console.print(f"{mark} {stage.name:<16} {duration(manifest.wall_time):>12}{_remarks(manifest)}")

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Task]:
        """Open a bar under the stage's."""
        identifier = self._bars.add_task(f"  {escape(description)}", total=total, note="")
        self._open.append(identifier)
        try:
            yield _BarTask(self._bars, identifier)
        finally:
            self._open.remove(identifier)
            self._bars.remove_task(identifier)

    def message(self, text: str) -> None:
        """Print a line above the bars."""
        self.console.print(f"  {escape(text)}", style="dim")

    def left(self) -> float:
        """Return the estimated time left [s]."""
        names = list(self._times)
        if self._stage is None:
            return remaining_seconds(list(self._times.values()), None)
        elapsed = time.perf_counter() - self._stage_begun
        index = names.index(self._stage.name) if self._stage.name in names else None
        return remaining_seconds(
            list(self._times.values()), index, elapsed=elapsed, fraction=self._fraction()
        )

    def tick(self) -> None:
        """Bring the stage's and the run's bars up to date with the clock."""
        if self._stage is None or self._stage_row is None or self._whole_row is None:
            return
        left, now = self.left(), time.perf_counter()
        others = [entry for name, entry in self._times.items() if name != self._stage.name]
        stage_left = max(left - remaining_seconds(others, None), 0.0)
        stage_elapsed, elapsed = now - self._stage_begun, now - self._begun
        self._bars.update(self._stage_row, completed=stage_elapsed, total=stage_elapsed + stage_left)
        self._bars.update(
            self._whole_row, completed=elapsed, total=elapsed + left, note=f"{about(left)} left"
        )

    def _fraction(self) -> float | None:
        if not self._open:
            return None
        task = next((task for task in self._bars.tasks if task.id == self._open[0]), None)
        return task.completed / task.total if task is not None and task.total else None


def _columns() -> tuple[TextColumn | BarColumn | TimeElapsedColumn, ...]:
    return (
        TextColumn("{task.description}", table_column=None),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )


def _mark(manifest: Manifest) -> str:
    if manifest.status == "done":
        return "[green]✓[/green]" if manifest.sound else "[red]![/red]"
    return "[red]✗[/red]" if manifest.status == "failed" else "[yellow]–[/yellow]"


def _remarks(manifest: Manifest) -> str:
    parts = []
    if manifest.reused_units:
        parts.append(f"{manifest.reused_units} units from the stopped run")
    if manifest.warnings:
        parts.append(f"{len(manifest.warnings)} warning{'s' if len(manifest.warnings) > 1 else ''}")
    if manifest.unsound:
        parts.append("not sound")
    return f"   ({', '.join(parts)})" if parts else ""
