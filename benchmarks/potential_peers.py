"""Time per atom of energy, forces and stress: scalebridge against motep's C engine, in one process.

Run ``OMP_NUM_THREADS=1 python benchmarks/potential_peers.py [LEVEL ...]``; prints a JSON list with µs per
atom (medians, the codes in turn) and ratios. ``compute`` and motep's time include the neighbour list; the
others are of one call on a list that exists, and ``loss gradient`` of the adjoint pass after an evaluation.
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
from ase.build import bulk
from ase.data import atomic_numbers
from motep.calculator import MTP
from motep.io.mlip.mtp import read_mtp

from scalebridge.foundation import InputError
from scalebridge.potential import Kernel, MomentTensorPotential
from scalebridge.potential._basis import generate_basis

LEVELS = (8, 12, 16, 20)
CUTOFF = 5.0
Run = tuple[Callable[[], Any], Callable[[Any], object]]
"""What to do before the clock starts, and what to time with its result."""


def cases() -> dict[str, tuple[tuple[str, ...], Atoms]]:
    random = np.random.default_rng(0)
    silicon = bulk("Si", cubic=True) * (3, 3, 3)
    rocksalt = bulk("NaCl", "rocksalt", a=4.6, cubic=True) * (4, 2, 2)
    metals = random.permutation(np.repeat(["Na", "Mn", "Fe", "Ni"], 16))
    oxide = iter(metals)
    rocksalt.symbols = [next(oxide) if symbol == "Na" else "O" for symbol in rocksalt.symbols]
    for atoms in (silicon, rocksalt):
        atoms.positions += 0.05 * random.standard_normal(atoms.positions.shape)
    return {
        "silicon, 216 atoms": (("Si",), silicon),
        "five-species rocksalt, 128 atoms": (("Na", "Mn", "Fe", "Ni", "O"), rocksalt),
    }


def potential_of(level: int, species: tuple[str, ...]) -> MomentTensorPotential:
    basis = generate_basis(level)
    random = np.random.default_rng(level)
    n = len(species)
    return MomentTensorPotential(
        species=species,
        level=level,
        basis=basis,
        min_distance=1.5,
        cutoff=CUTOFF,
        scaling=0.01,
        radial=random.uniform(-0.1, 0.1, (n, n, basis.n_radial, 8)),
        xi=random.uniform(-1.0, 1.0, len(basis.scalars)),
        offsets=np.zeros(n),
        hard_core=np.zeros((n, n)),
    )


def median_times(runs: dict[str, Run], repeats: int) -> dict[str, float]:
    """Median CPU seconds of each run; runs take turns, so that a change of the machine's load hits all."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, (prepare, run) in runs.items():
            prepared = prepare()
            begin = time.process_time()
            run(prepared)
            times[name].append(time.process_time() - begin)
            del prepared  # before the next is made, as in a fit
    return {name: float(np.median(values)) for name, values in times.items()}


def our_runs(potential: MomentTensorPotential, atoms: Atoms, instructions: str) -> dict[str, Run]:
    kernel = Kernel(potential.kernel().parameters, instructions=instructions)
    configuration = kernel.configure(potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc)
    velocities = np.random.default_rng(0).standard_normal(atoms.positions.shape)
    return {
        f"{instructions} energy, forces, stress": (
            lambda: kernel.evaluate(configuration),
            lambda _: kernel.evaluate(configuration),
        ),
        f"{instructions} loss gradient": (
            lambda: kernel.record(configuration),
            lambda recording: recording.loss_gradient(1.0, velocities, np.eye(3)),
        ),
    }


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
        "motep cext": (lambda: peer.calculate(atoms), lambda _: peer.calculate(atoms)),
        "compute": (lambda: potential.compute(atoms), lambda _: potential.compute(atoms)),
    }
    for instructions in sets:
        runs |= our_runs(potential, atoms, instructions)
    times = median_times(runs, 15)
    evaluation = times[f"{sets[0]} energy, forces, stress"]
    difference = np.abs(peer.results["forces"] - potential.compute(atoms).forces).max()
    return {
        "case": name,
        "level": potential.level,
        "neighbours": round(potential.configure(atoms).n_pairs / n, 1),
        "us/atom": {run: round(1e6 * seconds / n, 2) for run, seconds in times.items()},
        "motep / compute": round(times["motep cext"] / times["compute"], 2),
        "motep / energy, forces, stress": round(times["motep cext"] / evaluation, 2),
        "loss gradient / evaluation": {
            s: round(times[f"{s} loss gradient"] / times[f"{s} energy, forces, stress"], 2) for s in sets
        },
        "against the widest": {s: round(times[f"{s} energy, forces, stress"] / evaluation, 2) for s in sets},
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
