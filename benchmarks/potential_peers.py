"""Time per atom of energy, forces and stress: scalebridge against motep's C engine, in one process.

Run ``OMP_NUM_THREADS=1 python benchmarks/potential_peers.py``; prints a JSON list with µs per atom (best of
several repeats, neighbour lists included on both sides) and the ratios.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers
from motep.calculator import MTP
from motep.io.mlip.mtp import read_mtp

from scalebridge.potential import MomentTensorPotential
from scalebridge.potential._basis import generate_basis

LEVELS = (8, 12, 16)
CUTOFF = 5.0


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


def best_time(run: Callable[[], object], repeats: int) -> float:
    run()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return min(times)


def main() -> None:
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (species, atoms) in cases().items():
            for level in LEVELS:
                potential = potential_of(level, species)
                path = Path(folder) / "x.mtp"
                potential.save(path)
                data = read_mtp(path)
                data.species = [atomic_numbers[symbol] for symbol in species]
                peer = MTP(data, engine="cext")
                potential = MomentTensorPotential.load(path)
                ours = best_time(lambda p=potential, a=atoms: p.compute(a), 30)
                theirs = best_time(lambda c=peer, a=atoms: c.calculate(a), 10)
                difference = np.abs(peer.results["forces"] - potential.compute(atoms).forces).max()
                n = len(atoms)
                results.append(
                    {
                        "case": name,
                        "level": level,
                        "neighbours": round(potential.configure(atoms).n_pairs / n, 1),
                        "instructions": potential.kernel().instructions,
                        "scalebridge [us/atom]": round(1e6 * ours / n, 2),
                        "motep cext [us/atom]": round(1e6 * theirs / n, 2),
                        "ratio": round(theirs / ours, 2),
                        "largest force difference [eV/A]": float(difference),
                    }
                )
    print(json.dumps(results, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
