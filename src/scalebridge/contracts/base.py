"""What every contract shares: strictness, units in the file's keys, named axes, provenance and validity."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from scalebridge.foundation import InputError, hash_json
from scalebridge.foundation.units import Axes, Unit

Mark = TypeVar("Mark", Unit, Axes)


def _frozen_array(value: Any) -> NDArray[np.float64]:
    array = np.array(value, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError("holds NaN or infinity; a quantity that is not known has no place in a contract")
    array.flags.writeable = False
    return array


Array = Annotated[
    NDArray[np.float64],
    BeforeValidator(_frozen_array),
    PlainSerializer(lambda array: array.tolist(), when_used="json"),
    WithJsonSchema({"type": "array"}),
]
"""A read-only float64 array; nested lists in JSON."""


class Record(BaseModel):
    """A frozen, strict part of a contract. Fields with a ``Unit`` carry it in their JSON key."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    @classmethod
    def units(cls) -> dict[str, str]:
        """Return the unit text of every field that has one."""
        return {name: mark.text for name, mark in _marks(cls, Unit)}

    @classmethod
    def named_axes(cls) -> dict[str, tuple[str, ...]]:
        """Return the axis names of every array field."""
        return {name: mark.names for name, mark in _marks(cls, Axes)}

    @classmethod
    def json_key(cls, field: str) -> str:
        """Return a field's key in the file: ``diffusivity`` becomes ``diffusivity [m2.s-1]``."""
        unit = cls.units().get(field)
        return field if unit is None else f"{field} [{unit}]"

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Give every field with a unit its key as alias, for reading and writing files."""
        for name in cls.units():
            cls.model_fields[name].alias = cls.json_key(name)
            cls.model_fields[name].validation_alias = cls.json_key(name)
            cls.model_fields[name].serialization_alias = cls.json_key(name)
        cls.model_rebuild(force=True)

    @model_validator(mode="after")
    def _check_axes(self) -> Self:
        lengths: dict[str, tuple[int, str]] = {}
        for field, names in self.named_axes().items():
            shape = np.shape(getattr(self, field))
            if len(shape) != len(names):
                raise ValueError(f"{field} has shape {shape}; it needs the axes ({', '.join(names)})")
            for name, length in zip(names, shape, strict=True):
                first_length, first_field = lengths.setdefault(name, (length, field))
                if length != first_length:
                    raise ValueError(
                        f"{field} has {length} entries along '{name}' where {first_field} has {first_length}"
                    )
        return self


def _marks(cls: type[BaseModel], kind: type[Mark]) -> Iterator[tuple[str, Mark]]:
    for name, field in cls.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, kind):
                yield name, mark


class Provenance(Record):
    """What made a contract."""

    code_version: str
    recipe_hash: str
    parents: dict[str, str] = {}
    """Name of each parent contract → its content hash."""


class Validity(Record):
    """Where a contract's numbers were determined; outside, they are extrapolation."""

    temperature: Annotated[tuple[float, float] | None, Unit("K")] = None
    """Lowest and highest temperature."""
    composition: Annotated[tuple[float, float] | None, Unit("1")] = None
    """Lowest and highest x, ions per formula unit."""
    remarks: tuple[str, ...] = ()
    """What a reader must know before using the numbers, in plain words."""


class Contract(Record):
    """An object that passes between scales: versioned, traceable, one JSON file."""

    SCHEMA_VERSION: ClassVar[int] = 1

    schema_version: int = 1
    provenance: Provenance
    validity: Validity = Validity()
    citations: tuple[str, ...] = ()
    """Keys of ``foundation.citations``."""

    @model_validator(mode="after")
    def _check_version(self) -> Self:
        if self.schema_version != self.SCHEMA_VERSION:
            raise ValueError(
                f"schema version {self.schema_version} of {type(self).__name__} is not "
                f"{self.SCHEMA_VERSION}; run the stage that writes it again with this version of scalebridge"
            )
        return self

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse JSON; keys must carry their units."""
        return cls.model_validate_json(text, by_alias=True, by_name=False)

    @property
    def content_hash(self) -> str:
        """SHA-256 of the contract's canonical JSON."""
        return hash_json(self.model_dump(mode="json"))

    def save(self, path: Path) -> Path:
        """Write the contract as readable JSON; the file appears whole or not at all."""
        temporary = path.with_suffix(path.suffix + ".part")
        temporary.write_text(self.model_dump_json(indent=1) + "\n")
        temporary.replace(path)
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a contract.

        Raises
        ------
        InputError
            If the file is missing, is not JSON, or breaks the schema; the message names file and field.
        """
        try:
            return cls.from_json(path.read_text())
        except FileNotFoundError:
            raise InputError(
                f"{path}: no such file; run the stage that writes a {cls.__name__} first"
            ) from None
        except ValidationError as error:
            raise InputError(f"{path}: not a valid {cls.__name__}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """Return the first problem of a pydantic error in one line: where, what, and how many more."""
    problems = error.errors()
    place = " → ".join(str(part) for part in problems[0]["loc"]) or "the object"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {problems[0]['msg']}{more}"
