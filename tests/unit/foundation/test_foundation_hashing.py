"""Content hashes against the published SHA-256 test vectors."""

from pathlib import Path

import pytest

from scalebridge.foundation import hash_bytes, hash_file, hash_json

# FIPS 180-2, appendix B.1
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_bytes_and_files(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert hash_bytes(b"abc") == hash_file(path) == ABC


def test_json_does_not_depend_on_the_order_of_keys() -> None:
    assert hash_json({"a": 1, "b": [1.5, None]}) == hash_json({"b": [1.5, None], "a": 1})
    assert hash_json("abc") == hash_bytes(b'"abc"')


@pytest.mark.parametrize(
    ("first", "second"), [([1, 2], [2, 1]), ({"a": 1}, {"a": 1.5}), ("1", 1), ([], {}), (0.1, 0.1 + 1e-16)]
)
def test_json_of_other_content_differs(first: object, second: object) -> None:
    assert hash_json(first) != hash_json(second)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("nan")]}])
def test_not_a_number_has_no_hash(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        hash_json(value)
