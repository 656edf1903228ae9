"""Fit the potential of CHGNet's labels that ships as the prior of the recipe mnhcf.

python prior.py CHGNET RUN [--out ../../src/scalebridge/materials/mnhcf/chgnet.mtp]

CHGNET is the file that fidelity.py makes: the campaign's structures labelled by CHGNet. RUN is a run of the
recipe mnhcf, whose active learning has labelled cells of four formula units at all ion contents.
"""

import argparse
from pathlib import Path

import ase.io
import numpy as np
from fidelity import CUTOFF, SPECIES

from scalebridge.potential import FitSettings, evaluate_errors, fit_report

OUT = Path(__file__).parents[2] / "src" / "scalebridge" / "materials" / "mnhcf" / "chgnet.mtp"
LEVEL = 12
"""That of the recipe."""
STEEP = 15.0
"""Structures with a larger force [eV/Å] are left out."""


def main() -> None:
    """Fit, tell the errors, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("chgnet", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    small = [
        atoms
        for atoms in ase.io.read(asked.chgnet, index=":")
        if np.linalg.norm(atoms.get_forces(), axis=1).max() < STEEP
    ]
    large = list(ase.io.read(asked.run / "learning" / "training.extxyz", index=":"))
    settings = FitSettings(max_iterations=120)
    found = fit_report(
        [*small, *large], level=LEVEL, cutoff=CUTOFF, species=SPECIES, settings=settings
    ).potential
    for name, frames in (("campaign's cells", small), ("run's cells", large)):
        errors = evaluate_errors(found, frames)
        print(
            f"{len(frames)} structures, {name}: {1e3 * errors.energy_rmse:.2f} meV/atom, "
            f"{errors.force_rmse:.3f} eV/Å (training)"
        )
    found.save(asked.out)


if __name__ == "__main__":
    main()
