"""Write a resolved recipe as TOML (Python's standard library only reads it)."""

import json
import re
from collections.abc import Mapping
from typing import Any

from scalebridge.foundation import InputError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dump_toml(content: Mapping[str, Any]) -> str:
    """Return ``content`` as TOML: scalars first, then one table per mapping; None is left out.

    Tables inside a table's arrays and values are written inline.
    """
    lines = [f"{_key(name)} = {_value(value)}" for name, value in content.items() if _is_plain(value)]
    for name, value in content.items():
        if isinstance(value, Mapping):
            lines.extend(_table((name,), value))
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(path: tuple[str, ...], content: Mapping[str, Any]) -> list[str]:
    lines = ["", f"[{'.'.join(_key(part) for part in path)}]"]
    lines += [f"{_key(name)} = {_value(value)}" for name, value in content.items() if value is not None]
    return lines


def _is_plain(value: Any) -> bool:
    return value is not None and not isinstance(value, Mapping)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        items = (f"{_key(name)} = {_value(item)}" for name, item in value.items() if item is not None)
        return "{ " + ", ".join(items) + " }" if value else "{}"
    raise InputError(f"{value!r} of type {type(value).__name__} has no form in TOML; use text or numbers")
