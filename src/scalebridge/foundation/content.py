"""Content keys of plain Python objects, so that a unit of work is known again."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from scalebridge.foundation.hashing import hash_bytes, hash_json


def content_key(value: Any) -> str:
    """Return a SHA-256 of ``value`` that depends on its content only.

    Handles None, numbers, text, bytes, paths, arrays, mappings, sequences, dataclasses, pydantic models,
    ASE atoms with their labels, classes and top-level functions (by name), objects with a ``content_hash``,
    and whatever pickle can store.

    Raises
    ------
    TypeError
        If the object cannot be stored, or is a function without an importable name.
    """
    return hash_json(_plain(value))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    for kinds, convert in _CONVERSIONS:
        if isinstance(value, kinds):
            return convert(value)
    return _plain_object(value)


def _plain_array(value: NDArray[Any]) -> Any:
    if value.dtype.hasobject:  # its bytes are addresses
        return ["array", list(value.shape), _plain(value.tolist())]
    return ["array", str(value.dtype), list(value.shape), hash_bytes(np.ascontiguousarray(value).tobytes())]


def _plain_mapping(value: Mapping[Any, Any]) -> Any:
    return ["mapping", sorted([[_plain(key), _plain(item)] for key, item in value.items()], key=repr)]


_CONVERSIONS: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...]] = (
    (float, lambda value: ["float", value.hex()]),
    (np.ndarray, _plain_array),
    (np.generic, lambda value: _plain(value.item())),
    (bytes, lambda value: ["bytes", hash_bytes(value)]),
    (Path, lambda value: ["path", str(value)]),
    (Mapping, _plain_mapping),
    ((set, frozenset), lambda value: ["set", *sorted((_plain(item) for item in value), key=repr)]),
)


def _plain_object(value: Any) -> Any:
    if (name := getattr(value, "__qualname__", None)) is not None:
        return _plain_name(value, name)
    kind = type(value).__qualname__
    if isinstance(digest := getattr(value, "content_hash", None), str):
        return [kind, digest]
    if isinstance(value, BaseModel):
        return [kind, *_fields((name, getattr(value, name)) for name in type(value).model_fields)]
    if dataclasses.is_dataclass(value):
        return [
            kind,
            *_fields((field.name, getattr(value, field.name)) for field in dataclasses.fields(value)),
        ]
    if callable(to_dictionary := getattr(value, "todict", None)):
        labels = getattr(getattr(value, "calc", None), "results", None)
        return [kind, _plain(to_dictionary()), _plain(labels)]
    return [kind, _plain_reduced(value)]


def _plain_name(value: Any, name: str) -> Any:
    if "<" in name:
        raise TypeError(f"'{name}' has no name that worker processes could import; use a top-level function")
    return ["name", value.__module__, name]


def _plain_reduced(value: Any) -> Any:
    """Take apart what pickle would store, without pickle's dependence on object identity."""
    reduced = value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return reduced
    function, arguments, *rest = reduced
    state = rest[0] if rest else None
    items = [list(part) for part in rest[1:3] if part is not None]
    return [_plain(function), _plain(arguments), _plain(state), _plain(items)]


def _fields(pairs: Iterable[tuple[str, Any]]) -> list[Any]:
    return [[name, _plain(value)] for name, value in pairs]
