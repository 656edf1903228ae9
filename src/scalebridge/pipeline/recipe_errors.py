"""Say what is wrong with a recipe: key path, value, rule and way out, in one line."""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

Place = tuple[int | str, ...]


def describe_problem(
    error: ValidationError, model: type[BaseModel], *, override: Mapping[str, Any], profile: str
) -> str:
    """Return the first problem as ``key path = value: rule; way out`` (and how many more there are).

    Parameters
    ----------
    error
        What pydantic raised.
    model
        The recipe's model.
    override
        The profile's own keys: a problem that sits in them is reported under ``profiles.<profile>``.
    profile
        Name of the profile.
    """
    problems = sorted(error.errors(), key=lambda entry: entry["type"] != "extra_forbidden")  # typos first
    problem = problems[0]
    place: Place = problem["loc"]
    prefix = f"profiles.{profile}." if _holds(override, place) else ""
    key = prefix + _dotted(place)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if problem["type"] == "extra_forbidden":
        return f"{key} = {problem['input']!r}: unknown key; {_suggest(model, place)}{more}"
    field = _field(model, place)
    meaning = f"; {_lower(field.description)}" if field is not None and field.description else ""
    if problem["type"] == "missing":
        kind = "section" if len(place) == 1 else "key"
        return f"{key}: this {kind} is required{meaning or '; add it'}{more}"
    rule = _lower(problem["msg"]).replace("input should", "must")
    return f"{key} = {_shown(problem['input'])}: {rule}{meaning.rstrip('.')}{more}"


def _dotted(place: Place) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "recipe"


def _holds(content: Any, place: Place) -> bool:
    try:
        for part in place:
            content = content[part]
    except (KeyError, IndexError, TypeError):
        return False
    return bool(place)


def _suggest(model: type[BaseModel], place: Place) -> str:
    owner = _model_at(model, place[:-1])
    known = [field.alias or name for name, field in owner.model_fields.items()] if owner else []
    if owner is model:
        known.append("profiles")
    close = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known keys are {', '.join(known)}"


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    for part in place:
        annotation = None
        if current is not None and (field := _by_key(current, part)) is not None:
            annotation = field.annotation
        current = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    return current


def _field(model: type[BaseModel], place: Place) -> FieldInfo | None:
    while place and isinstance(place[-1], int):  # an item of an array: the array's key says what it means
        place = place[:-1]
    owner = _model_at(model, place[:-1])
    return _by_key(owner, place[-1]) if owner is not None and place else None


def _by_key(model: type[BaseModel], key: int | str) -> FieldInfo | None:
    matches = (field for name, field in model.model_fields.items() if key in (name, field.alias))
    return next(matches, None)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _lower(text: str) -> str:
    first = text.partition("\n")[0]
    return first[:1].lower() + first[1:] if not first[:2].isupper() else first
