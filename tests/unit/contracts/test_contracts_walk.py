"""Every contract, found by walking the package: units, round trip, strictness, axes, immutability."""

import json
from typing import Any, get_args

import numpy as np
import pytest
from contract_instances import Maker, all_contracts, all_records, has_unit
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scalebridge import contracts
from scalebridge.contracts import Contract, Field, Record, Sourced
from scalebridge.foundation import InputError
from scalebridge.foundation.units import Axes

UNIT_ELSEWHERE = {
    Sourced: "the field that holds it names the unit",
    Field: "its own field `unit` names the unit",
}
RECORDS = all_records()
CONTRACTS = all_contracts()
SEEDS = st.integers(0, 2**32 - 1)


def leaves(annotation: Any) -> set[Any]:
    arguments = get_args(annotation)
    return set().union(*(leaves(part) for part in arguments)) if arguments else {annotation}


def holds_numbers(annotation: Any) -> bool:
    parts = leaves(annotation)
    text = str(annotation)
    return float in parts or "ndarray" in text


def same(first: Any, second: Any) -> bool:
    if isinstance(first, Record):
        return type(first) is type(second) and all(
            same(getattr(first, name), getattr(second, name)) for name in type(first).model_fields
        )
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    return bool(first == second)


def test_the_walk_finds_every_public_class() -> None:
    public = {getattr(contracts, name) for name in contracts.__all__}
    classes = {item for item in public if isinstance(item, type) and issubclass(item, Record)}
    assert classes - {Record, Contract} == set(RECORDS)
    assert len(CONTRACTS) >= 12


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_every_number_has_a_unit_and_every_array_has_axes(cls: type[Record]) -> None:
    for name, field in cls.model_fields.items():
        if holds_numbers(field.annotation) and cls not in UNIT_ELSEWHERE:
            assert has_unit(field.metadata), f"{cls.__name__}.{name} has no Unit"
            assert cls.json_key(name).startswith(f"{name} [")
        if Sourced in leaves(field.annotation):
            assert has_unit(field.metadata), f"{cls.__name__}.{name} holds a Sourced number without a Unit"
        if "ndarray" in str(field.annotation) and cls not in UNIT_ELSEWHERE:
            assert any(isinstance(mark, Axes) for mark in field.metadata), f"{cls.__name__}.{name}: no Axes"


def test_a_missing_unit_would_be_found() -> None:
    class Bare(Record):
        length: tuple[float, ...] | None

    field = Bare.model_fields["length"]
    assert holds_numbers(field.annotation)
    assert not has_unit(field.metadata)


@pytest.mark.parametrize("cls", CONTRACTS, ids=lambda cls: cls.__name__)
@settings(max_examples=12, deadline=None)
@given(seed=SEEDS)
def test_json_round_trip(cls: type[Contract], seed: int) -> None:
    original = Maker(seed).make(cls)
    text = original.model_dump_json()
    copy = cls.from_json(text)
    assert same(original, copy)
    assert copy.model_dump_json() == text
    assert copy.content_hash == original.content_hash


@pytest.mark.parametrize("cls", CONTRACTS, ids=lambda cls: cls.__name__)
def test_save_and_load(cls: type[Contract], tmp_path: Any) -> None:
    original = Maker(1).make(cls)
    path = original.save(tmp_path / "contract.json")
    assert same(cls.load(path), original)
    assert [entry.name for entry in tmp_path.iterdir()] == ["contract.json"]


@pytest.mark.parametrize("cls", CONTRACTS, ids=lambda cls: cls.__name__)
def test_other_content_has_another_hash(cls: type[Contract]) -> None:
    maker = Maker(2)
    original = maker.make(cls)
    other = original.model_copy(update={"citations": ("another",)})
    assert other.content_hash != original.content_hash


@pytest.mark.parametrize("cls", CONTRACTS, ids=lambda cls: cls.__name__)
def test_unknown_keys_are_refused_at_every_level(cls: type[Contract]) -> None:
    data = json.loads(Maker(3).make(cls).model_dump_json())
    places = [data, data["provenance"], data["validity"]]
    for place in places:
        place["surprise"] = 1
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            cls.from_json(json.dumps(data))
        del place["surprise"]
    assert isinstance(cls.from_json(json.dumps(data)), cls)


def nested(value: Any) -> list[dict[str, Any]]:
    """Return every JSON object inside a JSON value, itself included."""
    if isinstance(value, dict):
        return [value, *(inner for item in value.values() for inner in nested(item))]
    if isinstance(value, list):
        return [inner for item in value for inner in nested(item)]
    return []


@pytest.mark.parametrize("cls", CONTRACTS, ids=lambda cls: cls.__name__)
def test_keys_without_their_unit_are_refused(cls: type[Contract]) -> None:
    data = json.loads(Maker(4).make(cls).model_dump_json())
    checked = 0
    for place in nested(data):
        for key in [key for key in place if key.endswith("]") and " [" in key]:
            bare = key[: key.rindex(" [")]
            place[bare] = place.pop(key)
            with pytest.raises(ValidationError):
                cls.from_json(json.dumps(data))
            place[key] = place.pop(bare)
            checked += 1
    assert checked >= 2  # Validity alone has two


@pytest.mark.parametrize("cls", CONTRACTS, ids=lambda cls: cls.__name__)
def test_another_schema_version_is_refused(cls: type[Contract]) -> None:
    data = json.loads(Maker(5).make(cls).model_dump_json())
    assert data["schema_version"] == cls.SCHEMA_VERSION
    data["schema_version"] = cls.SCHEMA_VERSION + 1
    with pytest.raises(ValidationError, match="run the stage that writes it again"):
        cls.from_json(json.dumps(data))


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_not_a_number_is_refused(cls: type[Record], bad: float) -> None:
    original = Maker(6).make(cls)
    for name in cls.model_fields:
        value = getattr(original, name)
        if isinstance(value, float):
            replacement: Any = bad
        elif isinstance(value, np.ndarray):
            replacement = value.copy()
            replacement.flat[-1] = bad
        else:
            continue
        fields = {key: getattr(original, key) for key in cls.model_fields} | {name: replacement}
        with pytest.raises(ValidationError):
            cls(**fields)


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_arrays_that_disagree_along_an_axis_are_refused(cls: type[Record]) -> None:
    axes = cls.named_axes()
    original = Maker(7).make(cls)
    fields = {key: getattr(original, key) for key in cls.model_fields}
    for name, names in axes.items():
        with pytest.raises(ValidationError, match="needs the axes"):
            cls(**fields | {name: fields[name][None]})
        for number, axis in enumerate(names):
            if sum(others.count(axis) for others in axes.values()) > 1:
                longer = np.concatenate([fields[name], fields[name].take([0], axis=number)], axis=number)
                with pytest.raises(ValidationError, match=f"along '{axis}'"):
                    cls(**fields | {name: longer})


def test_a_part_of_another_committee_is_refused_in_a_card() -> None:
    card, other = Maker(9).make(contracts.MaterialCard), Maker(11)
    other.lengths["member"] = card.members + 1
    fields = {key: getattr(card, key) for key in type(card).model_fields}
    foreign = other.make(contracts.MaterialCard)
    parts = [key for key in fields if key not in {*Contract.model_fields, "host"}]
    for name in parts:
        with pytest.raises(ValidationError, match=r"same committee|along 'member'"):
            contracts.MaterialCard(**fields | {name: getattr(foreign, name)})
    assert len(parts) == 9


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_instances_are_frozen_and_arrays_read_only(cls: type[Record]) -> None:
    original = Maker(8).make(cls)
    for name in cls.model_fields:
        value = getattr(original, name)
        with pytest.raises(ValidationError, match="frozen"):
            setattr(original, name, value)
        if isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                value.flat[0] = 0.0


def test_the_caller_s_array_is_copied() -> None:
    values = np.ones((3, 2))
    field = Field(unit="V", axes=("time", "volume"), values=values)
    values[0, 0] = 7.0
    assert field.values[0, 0] == 1.0


def test_load_names_the_file_and_the_field(tmp_path: Any) -> None:
    card = Maker(10).make(contracts.Isotherm)
    path = card.save(tmp_path / "isotherm.json")
    data = json.loads(path.read_text())
    data["x [1]"] = "many"
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"isotherm\.json: not a valid Isotherm: x \[1\]"):
        contracts.Isotherm.load(path)
    with pytest.raises(InputError, match="no such file; run the stage that writes a Isotherm first"):
        contracts.Isotherm.load(tmp_path / "absent.json")
