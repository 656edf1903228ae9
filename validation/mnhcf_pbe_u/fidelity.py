"""Which labels help: errors on held-out labels of PBE+U, converged, of fits that know others besides.

python fidelity.py LABELS --chgnet CHGNET [--queue QUEUE] [--level 12] [--folds 5] [--shares 0.25,0.5,1]

Folds leave out whole groups (steps of a structure's relaxations) at all levels of PBE+U. With --queue, CHGNet
installed, the file of --chgnet is made first: all structures of the queue and of the labels, labelled by it.
A share below 1 thins the converged labels that a fit sees, to show from how many on the others stop helping.
Errors in energy and force have standard errors from groups drawn anew (bootstrap), as has what they lie above
those of the first way.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from collect import group_of
from numpy.typing import NDArray

from scalebridge.oracle import CalculatorSpec
from scalebridge.potential import (
    ErrorReport,
    FitSettings,
    MomentTensorPotential,
    align_labels,
    correct_potential,
    evaluate_errors,
    fit_report,
    merge_reports,
)

SPECIES = ("C", "Fe", "Mn", "N", "Na")
CUTOFF = 5.0
GPA = 160.21766
"""GPa in 1 eV/Å³."""
DRAWS = 1000
"""Sets of groups drawn for standard errors."""
Frames = Sequence[Atoms]
FloatArray = NDArray[np.float64]


def group(atoms: Atoms) -> str:
    """Return what a structure is left out with."""
    return group_of(str(atoms.info["name"]))


def with_chgnet(structures: Frames, out: Path) -> None:
    """Label structures by CHGNet, each name once."""
    calculator = CalculatorSpec("scalebridge.oracle.chgnet:CHGNet03").build()
    found: dict[str, Atoms] = {}
    for atoms in structures:
        if atoms.info["level"] == "metal" or atoms.info["name"] in found:
            continue
        copy = atoms.copy()
        copy.info = {"name": atoms.info["name"], "level": "chgnet"}
        copy.calc = calculator
        copy.get_potential_energy()
        results = {key: calculator.results[key] for key in ("energy", "forces", "stress")}
        copy.calc = SinglePointCalculator(copy, **results)
        found[copy.info["name"]] = copy
    ase.io.write(out, list(found.values()))


def fitted(frames: Frames, level: int, start: MomentTensorPotential | None = None) -> MomentTensorPotential:
    """Fit with the settings of the recipe."""
    settings = FitSettings(max_iterations=60)
    return fit_report(
        frames, level=level, cutoff=CUTOFF, species=SPECIES, start=start, settings=settings
    ).potential


def corrected(start: MomentTensorPotential, frames: Frames) -> MomentTensorPotential:
    """Draw a fit to frames of a better level."""
    groups = [group(atoms) for atoms in frames]
    settings = FitSettings(max_iterations=60)
    return correct_potential(start, frames, groups=groups, settings=settings).report.potential


def moved(cheap: Frames, good: Frames) -> Frames:
    """Return the cheap labels with what the better level adds."""
    settings = FitSettings(max_iterations=60)
    return align_labels(cheap, good, cutoff=CUTOFF, species=SPECIES, settings=settings).frames


def ways(level: int) -> dict[str, Callable[[Frames, Frames, Frames], MomentTensorPotential]]:
    """Return fits to (CHGNet, cheap, converged) labels."""
    return {
        "converged alone": lambda _, __, good: fitted(good, level),
        "cheap and converged as one": lambda _, cheap, good: fitted([*cheap, *good], level),
        "cheap moved by differences, and converged": lambda _, cheap, good: fitted(
            [*moved(cheap, good), *good], level
        ),
        "cheap, corrected": lambda _, cheap, good: corrected(fitted(cheap, level), good),
        "both as one, corrected": lambda _, cheap, good: corrected(fitted([*cheap, *good], level), good),
        "CHGNet, corrected": lambda far, _, good: corrected(fitted(far, level), good),
        "CHGNet, corrected by both as one": lambda far, cheap, good: corrected(
            fitted(far, level), [*cheap, *good]
        ),
    }


def main() -> None:
    """Cross-validate every way and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("--chgnet", type=Path, required=True)
    parser.add_argument("--queue", type=Path)
    parser.add_argument("--level", type=int, default=12)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--shares", default="1")
    parser.add_argument("--only", default="", help="ways whose name matches this expression")
    asked = parser.parse_args()
    frames = list(ase.io.read(asked.labels, index=":"))
    if asked.queue:
        with_chgnet([*frames, *ase.io.read(asked.queue, index=":")], asked.chgnet)
    far = list(ase.io.read(asked.chgnet, index=":"))
    host = {
        name: [a for a in frames if a.info["level"] == name and "Mn" in a.symbols]
        for name in ("cheap", "converged")
    }
    print(f"{len(far)} labels of CHGNet, {len(host['cheap'])} cheap, {len(host['converged'])} converged\n")
    print("| labels of the fit | share of converged | meV/atom | more | eV/Å | more | GPa |")
    print("|---|---|---|---|---|---|---|")
    for share in map(float, asked.shares.split(",")):
        chosen = {name: way for name, way in ways(asked.level).items() if re.search(asked.only, name)}
        first: FloatArray | None = None
        for name, way in chosen.items():
            reports = _folds(way, far, host, asked.folds, share)
            found, drawn = merge_reports([*reports.values()]), redrawn(reports)
            first = drawn if first is None else first
            more = (drawn - first).mean(axis=0), (drawn - first).std(axis=0)
            print(
                f"| {name} | {share:g} "
                f"| {1e3 * found.energy_rmse:.1f} ± {1e3 * drawn[:, 0].std():.1f} "
                f"| {1e3 * more[0][0]:+.1f} ± {1e3 * more[1][0]:.1f} "
                f"| {found.force_rmse:.3f} ± {drawn[:, 1].std():.3f} "
                f"| {more[0][1]:+.3f} ± {more[1][1]:.3f} | {GPA * found.stress_rmse:.2f} |",
                flush=True,
            )


def redrawn(reports: dict[str, ErrorReport]) -> FloatArray:
    """Return (`DRAWS`, 2) errors in energy and force of groups drawn with replacement, alike for all ways."""
    sums = np.array([_squares(reports[name]) for name in sorted(reports)])
    drawn = np.random.default_rng(0).integers(len(sums), size=(DRAWS, len(sums)))
    energy, energies, force, forces = np.moveaxis(sums[drawn].sum(axis=1), 1, 0)
    return np.sqrt(np.stack([energy / energies, force / forces], axis=1))


def _squares(report: ErrorReport) -> tuple[float, int, float, int]:
    """Return sums of squared errors and their numbers, of energies and of forces."""
    energies, forces = report.reference_energies.size, report.reference_forces.size
    return report.energy_rmse**2 * energies, energies, report.force_rmse**2 * forces, forces


def _folds(
    way: Callable[[Frames, Frames, Frames], MomentTensorPotential],
    far: Frames,
    host: dict[str, list[Atoms]],
    folds: int,
    share: float,
) -> dict[str, ErrorReport]:
    """Return the errors of each group, by a fit that has not seen it."""
    names = sorted({group(atoms) for atoms in host["converged"]})
    rng = np.random.default_rng(0)
    rng.shuffle(names)
    reports = {}
    for fold in range(folds):
        hidden = set(names[fold::folds])
        seen = [name for name in names if name not in hidden]
        kept = set(seen[: max(4, round(share * len(seen)))])
        good = [atoms for atoms in host["converged"] if group(atoms) in kept]
        cheap = [atoms for atoms in host["cheap"] if group(atoms) not in hidden]
        elsewhere = [atoms for atoms in far if group(atoms) not in hidden]
        potential = way(elsewhere, cheap, good)
        for name in hidden:
            unseen = [atoms for atoms in host["converged"] if group(atoms) == name]
            reports[name] = evaluate_errors(potential, unseen)
    return reports


if __name__ == "__main__":
    main()
