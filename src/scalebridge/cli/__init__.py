"""The command line: ``scalebridge``. Nothing heavy is imported before a command needs it."""

from scalebridge.cli.app import app, main

__all__ = ["app", "main"]
