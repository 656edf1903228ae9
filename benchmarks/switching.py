"""Non-equilibrium against bare exchanges on a stiff host: ln Π(N), acceptance, samples per CPU-second.

Run ``OMP_NUM_THREADS=1 python benchmarks/switching.py``; prints JSON after some minutes. The host is a
close-packed metal of 32 atoms at 600 K (``tests/ensemble/stiff_host.py``), whose octahedra are too narrow for
the ion, sampled from N = 0 to 2 by flat histograms; of the moves, bare exchanges are nearly all and switched
ones half. An effective sample is worth an error of one: 1/(σ² CPU seconds) with σ the jackknife error of
ln[Π(N+1)/Π(N)]. With the argument ``parts`` only the parts are timed: steps of switching in the core and by
the twin with two force calls, steps of a burst, and accepting a change of one atom in place against making
all atoms' energies anew.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from suites.potentials import cases, potential_of

from scalebridge.potential import LocalEnergies, SwitchPath
from scalebridge.sampling import (
    BurstSettings,
    FlatHistogramSettings,
    GrandCanonicalSettings,
    MacrostateDistribution,
    PotentialModel,
    SwitchSettings,
    sample_flat_histogram,
)
from scalebridge.sampling.model import EnergyModel

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ensemble"))
from stiff_host import CHEMICAL_POTENTIAL, stiff_ensemble, stiff_start

LARGEST, BLOCKS, SOFT = 2, 16, 1e-3
WAYS = {
    "bare": (SwitchSettings(0), {"exchange": 40.0, "burst": 1.0}, 160, 3000),
    "switched, 20 steps": (SwitchSettings(20, 4.0), {"exchange": 1.0, "burst": 1.0}, 160, 130),
    "switched, 40 steps": (SwitchSettings(40, 4.0), {"exchange": 1.0, "burst": 1.0}, 160, 110),
    "switched, 40 steps, t²": (SwitchSettings(40, 4.0), {"exchange": 1.0, "burst": 1.0}, 160, 110),
    "switched, 80 steps": (SwitchSettings(80, 4.0), {"exchange": 1.0, "burst": 1.0}, 160, 70),
}
"""Switching, weights of the moves, rounds and moves per round."""


def sample(name: str, seed: int) -> tuple[MacrostateDistribution, float]:
    """Return the distribution and the CPU time [s]."""
    switching, weights, rounds, moves = WAYS[name]
    settings = FlatHistogramSettings(
        rounds=rounds,
        equilibration=rounds // 8,
        moves_per_round=moves,
        blocks=BLOCKS,
        moves=GrandCanonicalSettings(weights=weights, burst=BurstSettings(20, 4.0), switching=switching),
        tune_schedule=not name.endswith("t²"),
    )
    ensemble = stiff_ensemble()
    starts = [stiff_start(ensemble, 2)]
    begin = time.process_time()
    found = sample_flat_histogram(
        ensemble, CHEMICAL_POTENTIAL, [(0, LARGEST)], starts, settings=settings, seed=seed
    )
    return found, time.process_time() - begin


def summary(found: MacrostateDistribution, seconds: float) -> dict[str, object]:
    """Return ln[Π(N+1)/Π(N)] with errors, mean acceptances, and effective samples per second."""
    blocks, sums = np.arange(BLOCKS), found.sums
    left_out = np.array([sums.log_ratios(np.delete(blocks, n)) for n in blocks])
    errors = np.sqrt((BLOCKS - 1) * left_out.var(axis=0))
    return {
        "CPU s": round(seconds, 1),
        "attempts": int(sums.up_attempts.sum() + sums.down_attempts.sum()),
        "ln ratios": np.round(sums.log_ratios(blocks), 3).tolist(),
        "errors": np.round(errors, 3).tolist(),
        "insertions accepted": np.round((sums.up.sum(0) / sums.up_attempts.sum(0)), 6).tolist(),
        "effective samples/s": np.round(1 / (errors**2 * seconds), 3).tolist(),
    }


def microseconds(run: Callable[[], object], repeats: int) -> float:
    """Median CPU time of a call in groups of ``repeats``."""
    times = []
    for _ in range(7):
        run()
        begin = time.process_time()
        for _ in range(repeats):
            run()
        times.append((time.process_time() - begin) / repeats)
    return 1e6 * float(np.median(times))


def switching_steps(level: int, repeat: tuple[int, int, int]) -> dict[str, float]:
    """Return µs per step of 128 atoms times ``repeat`` of five species and one ion."""
    species, atoms = cases()["five-species rocksalt, 128 atoms"]
    atoms, steps, random = atoms.repeat(repeat), 20, np.random.default_rng(0)
    potential = potential_of(level, species)
    model = PotentialModel(potential.with_parameters(xi=SOFT * potential.xi))
    n = len(atoms)
    positions, types = (
        np.vstack([atoms.positions, [[1.15, 1.15, 1.15]]]),
        np.append(potential.types(atoms), 0),
    )
    masses, velocities = np.full(n + 1, 40.0), 0.02 * random.standard_normal((n + 1, 3))
    path = SwitchPath(
        roles=np.eye(1, n + 1, n, dtype=np.int32)[0] * 2,
        ghosts=np.zeros(0, dtype=np.int32),
        hooks=np.zeros((0, 3)),
        stiffness=0.0,
        framework=0,
        masses=masses,
        timestep=1.0,
        couplings=(np.arange(steps) + 0.5) / steps,
    )
    arrays = types, positions, velocities, atoms.cell.array
    burst = (types, positions, velocities, masses, atoms.cell.array)
    runs = {
        "core": lambda: model.switch(*arrays, path=path),
        "twin": lambda: EnergyModel.switch(model, *arrays, path=path),
        "burst": lambda: model.velocity_verlet(*burst, timestep=1.0, steps=steps),
    }
    return {name: round(microseconds(run, 1) / steps, 1) for name, run in runs.items()}


def local_changes(level: int) -> dict[str, float]:
    """Return µs of a trial move in 512 atoms, of the move accepted after it, and of a rebuild."""
    species, atoms = cases()["five-species rocksalt, 128 atoms"]
    atoms, random = atoms.repeat((1, 2, 2)), np.random.default_rng(1)
    potential = potential_of(level, species)
    kernel = potential.with_parameters(xi=SOFT * potential.xi).kernel()
    arrays = potential.types(atoms), atoms.positions, atoms.cell.array, atoms.pbc
    local = LocalEnergies(kernel, *arrays)

    def change() -> dict[str, object]:
        atom = int(random.integers(len(atoms)))
        return {"removed": atom, "added": int(arrays[0][atom]), "position": random.random(3) @ arrays[2]}

    def accepted() -> None:
        made = change()
        local.after(**made)
        local.accept(**made, in_place=True)

    trial = microseconds(lambda: local.after(**change()), 200)
    both = microseconds(accepted, 200)
    rebuild = microseconds(lambda: LocalEnergies(kernel, *arrays).after(), 10)
    return {"trial": round(trial, 1), "accept": round(both - trial, 1), "rebuild": round(rebuild, 1)}


def main() -> None:
    """Print everything, or with an argument only the parts."""
    found: dict[str, object] = {
        "us per step": {
            f"level {level}, {n} atoms": switching_steps(level, repeat)
            for level in (8, 16)
            for n, repeat in ((128, (1, 1, 1)), (512, (1, 2, 2)))
        },
        "us per change, 512 atoms": {f"level {level}": local_changes(level) for level in (8, 16)},
    }
    if "parts" not in sys.argv[1:]:
        found["stiff host"] = {name: summary(*sample(name, seed=1)) for name in WAYS}
    print(json.dumps(found, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
