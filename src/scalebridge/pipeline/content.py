"""Content keys of plain Python objects, so that a finished unit of work is found again."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from scalebridge.foundation import hash_bytes, hash_json


def content_key(value: Any) -> str:
    """Return a SHA-256 of ``value`` that depends on its content only.

    Handles None, numbers, text, bytes, paths, arrays, mappings, sequences, dataclasses, pydantic models,
    ASE atoms (by ``todict``), classes and functions (by name), and objects with a ``content_hash``.

    Raises
    ------
    TypeError
        If the type has no content key; give ``units(..., key=...)`` then.
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
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return ["name", value.__module__, name]
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
        return [kind, _plain(to_dictionary())]
    raise TypeError(f"a {kind} has no content key; pass units(..., key=function) that returns plain data")


def _fields(pairs: Any) -> list[Any]:
    return [[name, _plain(value)] for name, value in pairs]
