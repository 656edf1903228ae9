"""Packages that some installations lack."""

from importlib import import_module
from typing import Any

from scalebridge.foundation.errors import MissingDependencyError


def optional_package(name: str, use: str) -> Any:
    """Import and return a package of the extra that is called like it; ``use``: what needs it, plural.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise MissingDependencyError(
            f"{name} is not installed, which {use} need; pip install 'scalebridge[{name}]'"
        ) from None
