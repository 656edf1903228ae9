"""Tables on the terminal."""

from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.table import Table

NUMERIC = tuple("0123456789–≥")
"""How a number or a bound starts, or the dash in its place."""


class TextTable(Protocol):
    """Rows of text under a header, as ``report`` makes them."""

    @property
    def header(self) -> tuple[str, ...]:
        """Titles of the columns."""

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """One text per column."""

    @property
    def caption(self) -> str:
        """One line below."""


@dataclass(frozen=True)
class Rows:
    """A table made here."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


def show_table(console: Console, source: TextTable) -> None:
    """Print a table; numbers to the right, the last column to the left."""
    table = Table(box=None, pad_edge=False, caption=source.caption or None, caption_justify="left")
    for title in source.header:
        numbers = all(row[source.header.index(title)].startswith(NUMERIC) for row in source.rows)
        table.add_column(title, justify="right" if numbers else "left")
    for row in source.rows:
        table.add_row(*map(escape, row))
    console.print(table)
