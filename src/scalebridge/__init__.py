"""scalebridge: from a crystal structure to the rate capability of an insertion electrode."""

from importlib.metadata import version

__version__ = version("scalebridge")
