"""Does non-equilibrium switching pay in Na_x Mn[Fe(CN)6]? Effective samples per CPU-second on its ladder.

Run ``OMP_NUM_THREADS=1 python benchmarks/switching_mnhcf.py RUN/potential/member_0.mtp`` with the folder of a
run of the bundled recipe (the potential that ships is a prior alone and has holes); prints JSON after ten
minutes or so; a number as second argument multiplies all sweeps, and so the time. Rungs of 3, 4 and 5 ions
(x = 0.75, 1, 1.25) in the cubic cell of four formula units (56 atoms and the ions), 300 K, settings of the
recipe; one bare run equilibrates, then every way starts from its last states.

An effective sample is worth an error of kT: (kT)²/(σ² CPU seconds), σ the jackknife error, by blocks of
successive sweeps, of F(N+1) − F(N) by Bennett's estimator. σ² of 16 blocks is known to within a factor of
about 1.4; the two steps of the ladder are two measurements.

Found in two runs (seeds 1 and 2, 0.6 and 1.6 times the sweeps; means of σ² times CPU time, inverted):
bare 1.8 (5 attempts) and 1.3 (40), switched 0.66 (10 steps), 0.75 (20), 0.61 (40) and 0.46 (80) per second.

With ``schedule`` as second argument it compares, instead, works of the short switches of exploring walkers
(8 steps) with s = t², s = t and the schedule of constant thermodynamic speed, and the price of its pilot run.
"""

import json
import sys
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
from ase import Atoms

from scalebridge.contracts import Provenance
from scalebridge.foundation import constants
from scalebridge.materials import load_host
from scalebridge.potential import MomentTensorPotential
from scalebridge.sampling import (
    Configuration,
    EnergyModel,
    Ensemble,
    ExplorationSettings,
    HostCell,
    Ladder,
    LadderSettings,
    LadderTask,
    PotentialModel,
    SiteDensity,
    SwitchSettings,
    bennett,
    deletion_trial,
    hybrid_burst,
    insertion_trial,
    optimise_schedule,
    sample_ladder,
    sampling_masses,
    starting_cells,
)

TEMPERATURE = 300.0
FIRST, LAST = 3, 5
BLOCKS = 16
WAYS = {
    "bare, 5 attempts": (SwitchSettings(0), 5, 3200),
    "bare, 40 attempts": (SwitchSettings(0), 40, 800),
    "switched, 10 steps": (SwitchSettings(10, 2.0), 2, 800),
    "switched, 20 steps": (SwitchSettings(20, 2.0), 2, 640),
    "switched, 40 steps": (SwitchSettings(40, 2.0), 2, 480),
    "switched, 80 steps": (SwitchSettings(80, 2.0), 1, 480),
}
"""Switching, attempts per sweep and pair of rungs, sweeps."""


def cells() -> tuple[HostCell, ...]:
    """Return the host cell of each rung."""
    source = Provenance(code_version="benchmark", recipe_hash="")
    host = load_host("mnhcf", source, structures="chgnet")
    return starting_cells(host, (1, 1, 1))[FIRST : LAST + 1]


def sample(
    name: str, model: EnergyModel, structures: tuple[Atoms, ...], *, scale: float, equilibration: int = 20
) -> tuple[Ladder, float]:
    """Return the ladder and its CPU time [s], tuning included."""
    switching, attempts, sweeps = WAYS[name]
    settings = LadderSettings(
        sweeps=BLOCKS * round(scale * sweeps / BLOCKS),
        equilibration=equilibration,
        attempts=attempts,
        switching=switching,
        density=SiteDensity(width=0.55, vacant_only=True),
    )
    task = LadderTask(
        model,
        cells(),
        FIRST,
        TEMPERATURE,
        settings,
        seed=1,
        structures=structures,
    )
    began = time.process_time()
    ladder = sample_ladder(task)
    return ladder, time.process_time() - began


def jackknife(ladder: Ladder) -> tuple[list[float], list[float]]:
    """Return F(N+1) − F(N) of each step of the ladder and its jackknife error, both [eV]."""
    found, errors = [], []
    for lower, upper in pairwise(ladder.rungs):
        ahead, back = (
            np.array(work).reshape(BLOCKS, -1) for work in (lower.insertion_work, upper.deletion_work)
        )
        left_out = [
            bennett(
                np.delete(ahead, block, axis=0).ravel(),
                np.delete(back, block, axis=0).ravel(),
                TEMPERATURE,
            ).difference
            for block in range(BLOCKS)
        ]
        found.append(bennett(ahead.ravel(), back.ravel(), TEMPERATURE).difference)
        errors.append(float(np.sqrt((BLOCKS - 1) * np.var(left_out))))
    return found, errors


def summary(ladder: Ladder, seconds: float) -> dict[str, object]:
    """Return free energies, their errors, acceptances and effective samples per CPU-second."""
    thermal = constants.BOLTZMANN_EV * TEMPERATURE
    found, errors = jackknife(ladder)
    counts = ladder.rungs[0].counts
    return {
        "CPU s": round(seconds, 1),
        "attempts": [len(rung.insertion_work) for rung in ladder.rungs[:-1]],
        "differences [eV]": np.round(found, 4).tolist(),
        "errors [kT]": np.round(np.array(errors) / thermal, 3).tolist(),
        "volumes [Å³ per formula unit]": [round(float(r.volume.mean()) / 4, 1) for r in ladder.rungs],
        "exchange pairs accepted": round(counts["exchange"].rate, 4),
        "relocations accepted": round(counts["relocation"].rate, 4),
        "effective samples/s": np.round(thermal**2 / (np.square(errors) * seconds), 3).tolist(),
    }


def compare_schedules(model: EnergyModel, structures: tuple[Atoms, ...], temperature: float) -> None:
    """Print, for each schedule of a walker's trials, the lowest work of each three [eV] and the CPU times."""
    settings = ExplorationSettings(density=SiteDensity(width=0.55, vacant_only=True))
    masses = sampling_masses(model.species, "Na")
    ensemble = Ensemble(model, temperature, masses, settings.density)
    walkers = [
        Configuration.from_atoms(cell, atoms, model) for cell, atoms in zip(cells(), structures, strict=True)
    ]
    random = np.random.default_rng(0)
    for _ in range(30):
        walkers = [hybrid_burst(walker, ensemble, settings.burst, random).configuration for walker in walkers]
    began = time.process_time()
    tuned = optimise_schedule(walkers[:2], ensemble, settings.switching, random)
    print(json.dumps({"temperature": temperature, "pilot, CPU s": round(time.process_time() - began, 2)}))
    linear = replace(settings.switching, exponent=1.0)
    for name, switching in {"t²": settings.switching, "t": linear, "constant speed": tuned}.items():
        random, began = np.random.default_rng(1), time.process_time()
        lowest: dict[str, list[float]] = {"insertion": [], "deletion": []}
        moving = walkers  # the same states and random numbers for every schedule
        for _ in range(60):
            moving = [
                hybrid_burst(walker, ensemble, settings.burst, random).configuration for walker in moving
            ]
            for walker in moving:
                for kind, trial in (("insertion", insertion_trial), ("deletion", deletion_trial)):
                    works = [trial(walker, ensemble, switching, random).work for _ in range(settings.trials)]
                    lowest[kind].append(min(works))
        found = {
            kind: [round(float(np.mean(works)), 4), round(float(np.std(works) / len(works) ** 0.5), 4)]
            for kind, works in lowest.items()
        }
        print(
            json.dumps({name: {**found, "CPU s": round(time.process_time() - began, 2)}}, ensure_ascii=False)
        )


def main() -> None:
    """Print one line for every way."""
    model = PotentialModel(MomentTensorPotential.load(sys.argv[1]))
    schedules = sys.argv[2:] == ["schedule"]
    scale = float(sys.argv[2]) if len(sys.argv) > 2 and not schedules else 1.0
    start, _ = sample("bare, 5 attempts", model, (), scale=0.03, equilibration=150)
    structures = tuple(rung.last for rung in start.rungs)
    if schedules:
        for temperature in (TEMPERATURE, 3 * TEMPERATURE):
            compare_schedules(model, structures, temperature)
        return
    for name in WAYS:
        found = summary(*sample(name, model, structures, scale=scale))
        print(json.dumps({name: found}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
