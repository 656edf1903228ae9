"""Time and memory of one call from 100 to 100 000 atoms, on one thread and on two.

Run ``python benchmarks/potential_scaling.py [LEVEL [ATOMS]]`` on a quiet machine; prints a JSON list with µs
per atom (wall time, median) of the neighbour list and of energy, forces and stress, and the largest memory of
the process so far [MiB]. Silicon at 5 Å, level 16 and up to 100 000 atoms unless told otherwise.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from ase.build import bulk
from suites.potentials import potential_of

from scalebridge.potential import Kernel

REPEATS = 7
LONGEST = 5.0
"""Seconds after which a size is not repeated again."""


def median_time(run: Callable[[], object]) -> float:
    run()
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < LONGEST:
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def measure(level: int, repeat: int) -> dict[str, object]:
    potential = potential_of(level, ("Si",))
    atoms = bulk("Si", cubic=True).repeat(repeat)
    atoms.rattle(0.05, seed=0)
    types, n = potential.types(atoms), len(atoms)
    found: dict[str, object] = {"atoms": n, "level": level}
    for threads in (1, 2):
        kernel = Kernel(potential.kernel().parameters, threads=threads)
        configure = partial(kernel.configure, types, atoms.positions, atoms.cell.array, atoms.pbc)
        evaluate = partial(kernel.evaluate, configure())
        found[f"list, {threads}"] = round(1e6 * median_time(configure) / n, 3)
        found[f"forces, {threads}"] = round(1e6 * median_time(evaluate) / n, 3)
    found["MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found


def main() -> None:
    level, most = [*map(int, sys.argv[1:]), *(16, 100_000)[len(sys.argv) - 1 :]]
    largest = round((most / 8) ** (1 / 3))
    repeats = sorted({round(r) for r in np.geomspace(2.3, largest, 6)})
    print(json.dumps([measure(level, repeat) for repeat in repeats], indent=2))


if __name__ == "__main__":
    main()
