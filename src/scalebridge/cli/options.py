"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Folder = Annotated[Path, typer.Argument(help="A run folder.", metavar="DIR", show_default=False)]
Executor = Annotated[str, typer.Option(help="serial, processes (one per core) or processes:N.")]
