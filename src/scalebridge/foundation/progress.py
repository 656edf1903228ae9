"""Progress as seen by a computation; what it looks like is decided by the caller (bars live in ``cli``)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Task(Protocol):
    """One running piece of work with a known or unknown number of steps."""

    def advance(self, steps: float = 1.0, note: str = "") -> None:
        """Report ``steps`` more steps done, with an optional short note (for example a loss)."""


class Progress(Protocol):
    """Opens tasks; the context's end closes them."""

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Task]:
        """Open a task of ``total`` steps (None: unknown)."""
        ...

    def message(self, text: str) -> None:
        """Show one line that stays."""


class _SilentTask:
    def advance(self, steps: float = 1.0, note: str = "") -> None:
        pass


class SilentProgress:
    """Reports nothing: the default of every function that takes a ``Progress``."""

    @contextmanager
    def task(self, description: str, total: float | None = None) -> Iterator[Task]:
        """Open a task that nobody watches."""
        yield _SilentTask()

    def message(self, text: str) -> None:
        """Drop the line."""


SILENT: Progress = SilentProgress()
