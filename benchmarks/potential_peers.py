"""Time per atom of energy, forces and stress: scalebridge against motep's C engine, in one process.

Run ``OMP_NUM_THREADS=1 python benchmarks/potential_peers.py [LEVEL ...]`` on a quiet machine; prints a JSON
list with µs per atom (medians of wall time, all runs in turn) and ratios. ``compute`` and motep's time have
the neighbour list in them; all others are of one call on a list that exists. ``loss gradient`` is the adjoint
pass after an evaluation, ``graded`` energy, forces, stress and extrapolation grades in one call, ``ASE step``
one of ten steps in a row, the forces of atoms that moved, through the calculator and its kept list.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from motep.calculator import MTP
from motep.io.mlip.mtp import read_mtp
from suites.potentials import cases, potential_of

from scalebridge.foundation import InputError
from scalebridge.potential import Grader, Kernel, MomentTensorPotential, MTPCalculator

LEVELS = (8, 12, 16, 20)
REPEATS, STEPS = 25, 10
Run = tuple[Callable[[], Any], Callable[[Any], object]]
"""What to do before the clock starts, and what to time with its result."""


def median_times(runs: dict[str, Run], repeats: int) -> dict[str, float]:
    """Median seconds of each run; runs take turns, so that a change of the machine's load hits all."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, (prepare, run) in runs.items():
            prepared = prepare()
            begin = time.perf_counter()
            run(prepared)
            times[name].append(time.perf_counter() - begin)
            del prepared  # before the next is made, as in a fit
    return {name: float(np.median(values)) for name, values in times.items()}


def warm(run: Callable[[], Any]) -> Run:
    """Return a run that is done once untimed, as in a loop: caches hold its code and data."""
    return run, lambda _: run()


def kernel_runs(
    potential: MomentTensorPotential, atoms: Atoms, instructions: str, threads: int
) -> dict[str, Run]:
    kernel = Kernel(potential.kernel().parameters, instructions=instructions, threads=threads)
    configuration = kernel.configure(potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc)
    random = np.random.default_rng(0)
    velocities = random.standard_normal(atoms.positions.shape)
    n_rows = potential.radial[0].size + 1 + potential.xi.size
    grader = Grader(kernel, tuple(random.standard_normal((n_rows, n_rows)) for _ in potential.species))

    def gradient(recording: Any) -> object:
        return recording.loss_gradient(1.0, velocities, np.eye(3))

    def record() -> Any:
        gradient(kernel.record(configuration))
        return kernel.record(configuration)

    name = f"{instructions}, {threads} thread{'s' * (threads > 1)}"
    return {
        f"{name}: forces": warm(lambda: kernel.evaluate(configuration)),
        f"{name}: loss gradient": (record, gradient),
        f"{name}: graded": warm(lambda: grader.evaluate(configuration)),
    }


def step_run(potential: MomentTensorPotential, atoms: Atoms) -> Run:
    moving = atoms.copy()
    moving.calc = MTPCalculator(potential)
    displacement = 1e-4 * np.random.default_rng(0).standard_normal(moving.positions.shape)

    def steps() -> None:
        for sign in (1, -1) * (STEPS // 2):
            moving.positions += sign * displacement
            moving.get_forces()

    return warm(steps)


def supported(potential: MomentTensorPotential) -> list[str]:
    found = []
    for name in ("avx512", "avx2", "baseline"):
        try:
            found.append(Kernel(potential.kernel().parameters, instructions=name).instructions)
        except InputError:
            continue
    return found


def measure(name: str, atoms: Atoms, potential: MomentTensorPotential, peer: MTP) -> dict[str, object]:
    n, sets = len(atoms), supported(potential)
    runs: dict[str, Run] = {
        "motep cext": warm(lambda: peer.calculate(atoms)),
        "compute": warm(lambda: potential.compute(atoms)),
        "ASE step": step_run(potential, atoms),
    }
    for instructions, threads in [*((s, 1) for s in sets), (sets[0], 2)]:
        runs |= kernel_runs(potential, atoms, instructions, threads)
    times = median_times(runs, REPEATS)
    times["ASE step"] /= STEPS
    best = f"{sets[0]}, 1 thread"

    def ratio(one: str, other: str = f"{best}: forces") -> float:
        return round(times[one] / times[other], 2)

    difference = np.abs(peer.results["forces"] - potential.compute(atoms).forces).max()
    return {
        "case": name,
        "level": potential.level,
        "neighbours": round(potential.configure(atoms).n_pairs / n, 1),
        "us/atom": {run: round(1e6 * seconds / n, 2) for run, seconds in times.items()},
        "motep / compute": ratio("motep cext", "compute"),
        "motep / forces": ratio("motep cext"),
        "AVX2 / widest": ratio("avx2, 1 thread: forces") if "avx2" in sets else None,
        "loss gradient / forces": ratio(f"{best}: loss gradient"),
        "grades on the way / forces": round(ratio(f"{best}: graded") - 1.0, 2),
        "ASE step / forces": ratio("ASE step"),
        "1 thread / 2 threads": ratio(f"{best}: forces", f"{sets[0]}, 2 threads: forces"),
        "largest force difference [eV/A]": float(difference),
    }


def main() -> None:
    levels = [int(level) for level in sys.argv[1:]] or LEVELS
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (species, atoms) in cases().items():
            for level in levels:
                path = Path(folder) / "x.mtp"
                potential_of(level, species).save(path)
                data = read_mtp(path)
                data.species = [atomic_numbers[symbol] for symbol in species]
                potential = MomentTensorPotential.load(path)
                results.append(measure(name, atoms, potential, MTP(data, engine="cext")))
    print(json.dumps(results, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
