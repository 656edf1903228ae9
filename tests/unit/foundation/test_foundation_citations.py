"""The registry of BibTeX entries."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from scalebridge.foundation import InputError, citations
from scalebridge.foundation.citations import bibtex, entries

NEEDED = {
    "article": {"journal", "volume"},
    "book": {"publisher"},
    "incollection": {"booktitle"},
    "misc": {"eprint"},
}
FIELD = re.compile(r"(?:^|[,\s])(\w+) = \{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")


@pytest.mark.parametrize("key", list(entries()))
def test_every_entry_is_complete(key: str) -> None:
    text = entries()[key]
    assert text.count("{") == text.count("}")
    kind = re.match(r"@(\w+)\{" + re.escape(key) + ",", text)
    assert kind is not None
    fields = dict(FIELD.findall(text))
    assert {"author", "title", "year"} | NEEDED[kind[1]] <= fields.keys()
    assert key.rstrip("abcdefghijklmnopqrstuvwxyz").endswith(fields["year"])
    surname = re.sub(r"[^a-z]", "", fields["author"].split(",")[0].lower())
    assert key.startswith(surname)
    if "doi" in fields:
        assert re.fullmatch(r"10\.\d{4,9}/\S+", fields["doi"])


def test_no_entry_is_lost_and_no_doi_appears_twice() -> None:
    text = files("scalebridge.foundation").joinpath("references.bib").read_text(encoding="utf-8")
    assert len(entries()) == text.count("\n@") + text.startswith("@")
    found = re.findall(r"doi = \{(.*?)\}", text)
    assert len(set(found)) == len(found)


def cited() -> dict[str, set[str]]:
    """Return every whole string of code and of the bundled materials that reads like a key, by file."""
    package = Path(citations.__file__).parents[1]
    found = {}
    for path in [*package.rglob("*.py"), *package.rglob("materials/*/*.toml")]:
        text = path.read_text(encoding="utf-8")
        found[str(path.relative_to(package))] = set(re.findall(r'"([a-z]+(?:1[89]|20)\d\d[a-z]*)"', text))
    return found


def test_every_key_that_code_or_a_host_cites_has_an_entry() -> None:
    unknown = {path: keys - entries().keys() for path, keys in cited().items()}
    assert {path: keys for path, keys in unknown.items() if keys} == {}


def test_every_entry_is_cited_by_code_or_a_host() -> None:
    assert entries().keys() - set().union(*cited().values()) == set()


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("larsen2017", "pipeline/stages/labels.py"),
        ("deng2023", "oracle/chgnet.py"),
        ("podryabinkin2017", "pipeline/stages/learning.py"),
        ("goreinov2010", "pipeline/stages/potential.py"),
        ("duane1987", "sampling/moves.py"),
        ("andersen1980", "sampling/moves.py"),
        ("leimkuhler2013", "sampling/langevin.py"),
        ("bernetti2020", "sampling/langevin.py"),
        ("bussi2007", "transport/combine.py"),
        ("song2015", "materials/mnhcf/host.toml"),
        ("ecker2015", "materials/graphite/material.toml"),
    ],
)
def test_methods_are_cited_where_they_are_used(key: str, place: str) -> None:
    assert key in cited()[place]


def test_bibtex_keeps_order_and_drops_repetitions() -> None:
    text = bibtex(["vineyard1957", "cahn1958", "vineyard1957"])
    assert re.findall(r"@article\{(\w+),", text) == ["vineyard1957", "cahn1958"]
    assert text.endswith("}\n")
    assert bibtex([]) == ""


def test_unknown_key_names_the_way_out() -> None:
    with pytest.raises(InputError, match=r"citation key 'cahn1985' .* use one of .*cahn1958"):
        bibtex(["bennett1976", "cahn1985"])
