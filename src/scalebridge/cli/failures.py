"""What the user sees when something goes wrong."""

import traceback
from typing import ClassVar, Final

import typer

INTERRUPTED: Final = 130


class Debugging:
    """Whether full tracebacks are shown; set once by --debug."""

    enabled: ClassVar[bool] = False


def is_usage(error: BaseException) -> bool:
    """Whether typer shows this itself: an exit, a wrong option, a pipe whose reader went away."""
    ours = type(error).__module__.split(".")[0] not in ("typer", "click")
    return not ours or isinstance(error, BrokenPipeError | EOFError)


def fail(error: BaseException) -> int:
    """Show an error and return the exit code.

    Errors of the project are one red line. Anything else is a defect: one line too, with a way to see more.
    """
    from scalebridge.foundation import ScalebridgeError  # noqa: PLC0415  # brings numpy: only when needed

    if isinstance(error, KeyboardInterrupt):
        typer.secho("stopped; run again to resume", fg="yellow", err=True)
        return INTERRUPTED
    if Debugging.enabled:
        traceback.print_exception(error)
    text = " ".join(str(error).split())
    if not isinstance(error, ScalebridgeError):
        text = f"unexpected {type(error).__name__}: {text}; 'scalebridge --debug …' shows where"
    typer.secho(f"error: {text}", fg="red", err=True)
    return 1
