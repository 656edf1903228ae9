"""Units as annotations: ``Annotated[float, Unit("m2.s-1")]`` states a field's unit in its type.

A unit is a product of SI symbols with integer exponents, joined by dots: ``J``, ``m2.s-1``, ``A.m-2``;
``1`` is dimensionless. The symbols accepted are those of ``SYMBOLS``.
"""

import re
from dataclasses import dataclass
from typing import Final

from scalebridge.foundation.errors import InputError

SYMBOLS: Final = frozenset({"1", "m", "kg", "s", "A", "K", "mol", "J", "Pa", "V", "C", "S", "W", "F", "rad"})
_FACTOR: Final = re.compile(r"([A-Za-z]+|1)(-?[1-9])?")


@dataclass(frozen=True)
class Unit:
    """The unit of a field, for example ``Unit("m2.s-1")``.

    Raises
    ------
    InputError
        If the text is not a dot-separated product of known SI symbols.
    """

    text: str

    def __post_init__(self) -> None:
        for factor in self.text.split("."):
            match = _FACTOR.fullmatch(factor)
            if match is None or match[1] not in SYMBOLS:
                raise InputError(
                    f"unit '{self.text}': factor '{factor}' is not an SI symbol with an integer exponent; "
                    f"write for example 'm2.s-1' with symbols of {', '.join(sorted(SYMBOLS))}"
                )


@dataclass(frozen=True)
class Axes:
    """The named axes of an array field, outermost first; equal names have equal lengths in one contract."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)
