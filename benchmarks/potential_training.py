"""Training time and test errors on the mlearn data sets (Zuo et al., J. Phys. Chem. A 124, 731 (2020)).

Run ``OMP_NUM_THREADS=1 python benchmarks/potential_training.py FOLDER [CASE ...]`` with the folder of the
sets' .cfg files; prints a JSON list with the test errors, the targets and the CPU-seconds of the fit, its
neighbour lists included, reading the files and the test not. Cases: those of ``CASES``; all by default.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from scalebridge.potential import FitSettings, FitWeights, evaluate_errors, fit_report, read_cfg

DEFAULT_WEIGHTS = FitWeights()
RIDGE = FitSettings().ridge


@dataclass(frozen=True)
class Case:
    """A fit: element, level and cutoff [Å], wall-clock limit [s], and what it should reach."""

    element: str
    level: int
    cutoff: float
    seconds: float
    target: str
    weights: FitWeights = DEFAULT_WEIGHTS
    radial_size: int = 8
    ridge: float = RIDGE


CASES = {
    "Si8": Case("Si", 8, 5.0, 4.5, "13.0 meV/atom, 0.189 eV/Å within 5 CPU-s"),
    "Li16": Case("Li", 16, 5.1, 85.0, "0.66 meV/atom, 0.0132 eV/Å within 90 CPU-s"),
    "Si20": Case("Si", 20, 4.7, 400.0, "3.0 meV/atom, 0.088 eV/Å"),
    "Si24": Case("Si", 24, 4.7, 600.0, "3.0 meV/atom, 0.088 eV/Å", ridge=3e-9),
}


def measure(name: str, folder: Path) -> dict[str, object]:
    case = CASES[name]
    training, test = (
        read_cfg(folder / f"{case.element}_{part}.cfg", species=(case.element,))
        for part in ("training", "test")
    )
    settings = FitSettings(
        max_iterations=10000,
        max_seconds=case.seconds,
        tolerance=1e-4,
        weights=case.weights,
        radial_size=case.radial_size,
        ridge=case.ridge,
    )
    began = time.process_time()
    report = fit_report(training, level=case.level, cutoff=case.cutoff, settings=settings)
    seconds = time.process_time() - began
    errors = evaluate_errors(report.potential, test)
    return {
        "case": name,
        "level": case.level,
        "training structures": len(training),
        "energy_rmse [meV/atom]": round(1e3 * errors.energy_rmse, 3),
        "force_rmse [eV/angstrom]": round(errors.force_rmse, 5),
        "cpu_time [s]": round(seconds, 1),
        "iterations": len(report.losses),
        "ended": report.reason,
        "target": case.target,
    }


def main(folder: str, *names: str) -> None:
    found = []
    for name in names or tuple(CASES):
        found.append(measure(name, Path(folder)))
        print(json.dumps(found[-1], ensure_ascii=False), file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
