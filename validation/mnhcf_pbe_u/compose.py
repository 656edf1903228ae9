"""Put a queue together: what comes first, then cheap structures with every n-th at the converged level too.

python compose.py OUT --first FILE ... --then FILE ... [--every 3] [--converged t]

Files of --then are taken in turn, so that a stop anywhere leaves an even set. Structures whose name matches
the regular expression --converged are labelled at that level only: their one cheap k-point would be another.
"""

import argparse
import hashlib
import re
from pathlib import Path

import ase.io
from ase import Atoms


def levels(frames: list[Atoms], every: int, converged: str) -> list[Atoms]:
    """Return the frames with their levels, some of them twice: names decide, and order changes nothing."""
    found = []
    for frame in frames:
        if frame.info["level"] == "metal":
            found.append(frame)
            continue
        chance = hashlib.sha256(frame.info["name"].encode()).digest()[0]
        only = bool(converged and re.search(converged, frame.info["name"]))
        for level, wanted in (("cheap", not only), ("converged", only or chance % every == 0)):
            if wanted:
                copy = frame.copy()
                copy.info["level"] = level
                found.append(copy)
    return found


def main() -> None:
    """Read, put in order, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--first", type=Path, nargs="+", default=[])
    parser.add_argument("--then", type=Path, nargs="+", default=[])
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--converged", default=r"^x\d+_\wt\d")
    asked = parser.parse_args()
    frames = [frame for file in asked.first for frame in ase.io.read(file, index=":")]
    groups = [list(ase.io.read(file, index=":")) for file in asked.then]
    longest = max(map(len, groups), default=0)
    turns = [group[index] for index in range(longest) for group in groups if index < len(group)]
    frames += levels(turns, asked.every, asked.converged)
    ase.io.write(asked.out, frames)
    print(len(frames), "labels asked for")


if __name__ == "__main__":
    main()
