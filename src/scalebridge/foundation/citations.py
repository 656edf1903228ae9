"""The works whose methods and data the project uses, as BibTeX: contracts and reports name them by key."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from scalebridge.foundation.errors import InputError

_START = re.compile(r"^@\w+\{([^,\s]+),", re.MULTILINE)


@cache
def entries() -> Mapping[str, str]:
    """Return every entry: key → BibTeX text, in the order of ``references.bib``."""
    text = files("scalebridge.foundation").joinpath("references.bib").read_text(encoding="utf-8")
    starts = list(_START.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    found = {match[1]: text[match.start() : end].strip() for match, end in zip(starts, ends, strict=True)}
    return MappingProxyType(found)


def bibtex(keys: Iterable[str]) -> str:
    """Return the BibTeX of ``keys``, each once, in the order of first appearance.

    Raises
    ------
    InputError
        If a key is unknown.
    """
    known = entries()
    chosen = list(dict.fromkeys(keys))
    for key in chosen:
        if key not in known:
            near = get_close_matches(key, known, n=3) or sorted(known)
            raise InputError(
                f"citation key '{key}' is not in foundation/references.bib; "
                f"use one of {', '.join(near)} or add the entry"
            )
    return "".join(known[key] + "\n\n" for key in chosen).rstrip("\n") + ("\n" if chosen else "")
