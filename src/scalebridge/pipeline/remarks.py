"""Remarks that differ only in the committee member, said once."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

_MEMBER: Final = re.compile(r"\bmember (\d+)\b")


def merge_members(texts: Iterable[str]) -> list[str]:
    """Return each text once; texts equal but for the number after ``member`` become one that names all."""
    members: dict[str, list[str]] = defaultdict(list)
    first: dict[str, str] = {}
    for text in texts:
        key = _MEMBER.sub("member ·", text, count=1)
        first.setdefault(key, text)
        match = _MEMBER.search(text)
        if match and match[1] not in members[key]:
            members[key].append(match[1])
    return [_name(text, members[key]) for key, text in first.items()]


def _name(text: str, members: list[str]) -> str:
    return text if len(members) < 2 else _MEMBER.sub(f"members {', '.join(members)}", text, count=1)
