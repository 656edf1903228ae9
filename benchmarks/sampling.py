"""Speed of sampling with a moment tensor potential: steps of dynamics and trial insertions per second.

Run ``OMP_NUM_THREADS=1 python benchmarks/sampling.py`` on a quiet machine; prints JSON with medians of wall
time, the ways in turn. ``dynamics`` is a hybrid Monte Carlo burst of 20 steps of 128 atoms of five species at
level 16, in the core and through ASE with the potential's calculator; ``trial insertion`` is one
bare insertion into 512 atoms, evaluated around the ion only, on the whole, and through ASE.
"""

import json
import time
from collections.abc import Callable

import numpy as np
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from suites.potentials import cases, potential_of

from scalebridge.potential import LocalEnergies, MomentTensorPotential, MTPCalculator

LEVEL, STEPS, TEMPERATURE, REPEATS = 16, 20, 300.0, 15
SOFT = 1e-3
"""Factor of the random coefficients, with which bursts stay near where they start."""


def medians(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each run; runs take turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(REPEATS):
        for name, run in runs.items():
            run()
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(values)) for name, values in times.items()}


def dynamics(potential: MomentTensorPotential, atoms: Atoms) -> dict[str, Callable[[], object]]:
    """Return a burst from Maxwell velocities in the core, and the same through ASE."""
    random, masses, kernel = np.random.default_rng(0), atoms.get_masses(), potential.kernel()
    types = potential.types(atoms)
    scale = np.sqrt(units.kB * TEMPERATURE / masses)[:, None]
    moving = atoms.copy()
    moving.calc = MTPCalculator(potential)

    def core() -> object:
        velocities = scale * random.standard_normal((len(atoms), 3))
        return kernel.velocity_verlet(
            types, atoms.positions, velocities, masses, atoms.cell.array, atoms.pbc, 1.0, STEPS
        )

    def ase() -> object:
        moving.positions[:] = atoms.positions
        moving.set_velocities(scale * random.standard_normal((len(atoms), 3)))
        VelocityVerlet(moving, 1.0 * units.fs).run(STEPS)
        return moving.get_potential_energy()

    return {"core": core, "ASE": ase}


def insertion(potential: MomentTensorPotential, atoms: Atoms) -> dict[str, Callable[[], object]]:
    """Return a trial insertion around the ion, on the whole and through ASE."""
    random, kernel, types = np.random.default_rng(1), potential.kernel(), potential.types(atoms)
    local = LocalEnergies(kernel, types, atoms.positions, atoms.cell.array, atoms.pbc)
    calculator = MTPCalculator(potential)

    def place() -> np.ndarray:
        return np.asarray(random.random(3) @ atoms.cell.array)

    def whole() -> object:
        positions = np.vstack([atoms.positions, place()])
        return kernel.energy(np.append(types, np.int32(0)), positions, atoms.cell.array, atoms.pbc)

    def ase() -> object:
        more = atoms + Atoms(potential.species[0], positions=[place()])
        more.calc = calculator
        return more.get_potential_energy()

    return {"around the ion": lambda: local.after(added=0, position=place()), "whole": whole, "ASE": ase}


def main() -> None:
    species, small = cases()["five-species rocksalt, 128 atoms"]
    potential = potential_of(LEVEL, species)
    potential = potential.with_parameters(xi=SOFT * potential.xi)
    large = small.repeat((1, 2, 2))
    bursts, trials = medians(dynamics(potential, small)), medians(insertion(potential, large))
    found = {
        "level": LEVEL,
        "dynamics": {
            "atoms": len(small),
            "steps/s": {name: round(STEPS / seconds) for name, seconds in bursts.items()},
            "ASE / core": round(bursts["ASE"] / bursts["core"], 2),
        },
        "trial insertion": {
            "atoms": len(large),
            "us": {name: round(1e6 * seconds, 1) for name, seconds in trials.items()},
            "whole / around the ion": round(trials["whole"] / trials["around the ion"], 2),
            "ASE / around the ion": round(trials["ASE"] / trials["around the ion"], 2),
        },
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
