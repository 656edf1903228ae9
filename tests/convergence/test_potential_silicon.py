"""Fits to published data for silicon reach the errors of MLIP-3 (see tests/data/mlearn/README.md)."""

import lzma
from pathlib import Path

import pytest

from scalebridge.potential import FitSettings, evaluate_errors, fit_report, read_cfg

DATA = Path(__file__).parents[1] / "data" / "mlearn"


def _frames(name, folder):
    path = folder / f"{name}.cfg"
    path.write_bytes(lzma.decompress((DATA / f"{name}.cfg.xz").read_bytes()))
    return read_cfg(path, species=("Si",))


def test_the_test_set_is_read_as_published(tmp_path):
    frames = _frames("Si_test", tmp_path)
    assert len(frames) == 25
    assert all(atoms.pbc.all() and atoms.get_forces().shape == (len(atoms), 3) for atoms in frames)
    energies = [atoms.get_potential_energy() / len(atoms) for atoms in frames]
    assert -5.5 < min(energies) < max(energies) < -4.5


@pytest.mark.slow
def test_level_8_reaches_the_errors_of_mlip(tmp_path):
    train, test = _frames("Si_training", tmp_path), _frames("Si_test", tmp_path)
    report = fit_report(train, level=8, cutoff=5.0, settings=FitSettings(max_iterations=100))
    errors = evaluate_errors(report.potential, test)
    assert errors.energy_rmse < 14e-3
    assert errors.force_rmse < 0.195
