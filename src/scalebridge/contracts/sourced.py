"""A number that nobody computed here, and where it comes from."""

from scalebridge.contracts.base import Record


class Sourced(Record):
    """A number and where it comes from."""

    value: float
    source: str

    def __float__(self) -> float:
        return self.value
