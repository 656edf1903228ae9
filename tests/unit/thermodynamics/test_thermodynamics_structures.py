"""Structure table, block errors, space groups and ground states."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.spacegroup import crystal
from synthetic_ladders import ladder_of, mean_field

from scalebridge.contracts import Provenance
from scalebridge.foundation import ConvergenceError, InputError, random_stream
from scalebridge.sampling import Ladder, RelaxationSettings
from scalebridge.thermodynamics import (
    block_error,
    relax_structures,
    space_group,
    tabulate_ground_states,
    tabulate_structures,
)

PROVENANCE = Provenance(code_version="test", recipe_hash="0")
KELVIN = 300.0


def correlated(rng: np.random.Generator, length: int, memory: float) -> np.ndarray:
    """Return an autoregressive series of unit variance: x_t = a x_{t−1} + √(1−a²) noise."""
    noise = rng.normal(size=length) * np.sqrt(1 - memory**2)
    noise[0] /= np.sqrt(1 - memory**2)
    series = np.empty(length)
    series[0] = noise[0]
    for t in range(1, length):
        series[t] = memory * series[t - 1] + noise[t]
    return series


@pytest.mark.parametrize("memory", [0.0, 0.6, 0.9])
def test_block_error_of_a_correlated_series(memory: float) -> None:
    """Against the exact error of the mean, √((1+a)/(1−a)/n), averaged over 40 series.

    The estimate takes the largest of the levels, so it lies a little above; its mean over 40 series scatters
    by about 3 %. Bounds are 6 standard deviations on the lower side. Seeds are fixed.
    """
    length = 4096
    exact = np.sqrt((1 + memory) / (1 - memory) / length)
    found = [block_error(correlated(random_stream(1, "blocks", k), length, memory)) for k in range(40)]
    assert 0.85 < np.mean(found) / exact < 1.6


def test_block_error_of_short_series() -> None:
    assert block_error([]) == 0
    assert block_error([3.0]) == 0
    assert block_error([1.0, 3.0]) == pytest.approx(1.0)
    assert block_error(np.full(100, 2.0)) == 0


@pytest.mark.parametrize(
    ("atoms", "symbol"),
    [
        (bulk("Cu", "fcc", a=3.6), "Fm-3m"),
        (bulk("Na", "bcc", a=4.2, cubic=True), "Im-3m"),
        (bulk("NaCl", "rocksalt", a=5.6), "Fm-3m"),
        (bulk("ZnS", "zincblende", a=5.4), "F-43m"),
        (
            crystal(
                "SiO",
                [(0.47, 0, 0), (0.41, 0.27, 0.12)],
                spacegroup=154,
                cellpar=[4.9, 4.9, 5.4, 90, 90, 120],
            ),
            "P3_221",
        ),
    ],
)
def test_space_groups_survive_noise_and_repetition(atoms: Atoms, symbol: str) -> None:
    noisy = atoms.repeat((2, 2, 2))
    noisy.rattle(0.01, seed=1)
    assert space_group(atoms, 0.01) == symbol
    assert space_group(noisy, 0.1) == symbol
    assert space_group(noisy, 1e-5) == "P1"


def test_too_large_tolerance_is_reduced_and_overlap_refused() -> None:
    assert space_group(bulk("Cu", "fcc", a=3.6), 2.6) == "Fm-3m"
    overlapping = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 1e-6]], cell=[3.0] * 3, pbc=True)
    with pytest.raises(ConvergenceError, match="atoms may overlap"):
        space_group(overlapping, 0.1)


def ladder_with_cells(seed: int) -> Ladder:
    """Return a ladder whose cells fluctuate around a mean that grows with the content."""
    rng = random_stream(2, "cells", seed)
    ladder = ladder_of(mean_field(4, KELVIN, 0.0, -1.0), KELVIN, rng, works=4)
    rungs = []
    for rung in ladder.rungs:
        length = 10.0 + 0.1 * rung.ions + rng.normal(0, 0.02, 64)
        cell = length[:, None, None] * np.eye(3)
        grade = rng.uniform(1, 5, 64)
        rungs.append(replace(rung, cell=cell, grade=grade, mean=bulk("NaCl", "rocksalt", a=5.0)))
    return Ladder(KELVIN, 4, 2, tuple(rungs))


def test_table_of_structures_in_si() -> None:
    ladders = [ladder_with_cells(1), ladder_with_cells(2)]
    table = tabulate_structures(ladders, ["cubic"] * 5, provenance=PROVENANCE)
    assert table.x == pytest.approx([0, 0.5, 1.0, 1.5, 2.0])
    assert table.space_groups == ("Fm-3m",) * 5
    assert table.cell.shape == (2, 5, 3, 3)
    for member, ladder in enumerate(ladders):
        for number, rung in enumerate(ladder.rungs):
            series = np.linalg.det(rung.cell) / 2 * 1e-30
            assert table.volume[member, number] == pytest.approx(series.mean(), rel=1e-12)
            # 64 independent samples: blocks cannot fall below the plain standard error
            plain = series.std(ddof=1) / 8
            assert plain * (1 - 1e-9) <= table.volume_error[member, number] < 3 * plain
            assert table.cell[member, number] == pytest.approx(rung.cell.mean(axis=0) * 1e-10)
    # the mean of the volumes exceeds the volume of the mean cell
    assert np.all(table.volume[0] * 2 > np.linalg.det(table.cell[0]))
    assert "ions left out" in table.validity.remarks[0]
    for member, ladder in enumerate(ladders):
        assert table.largest_grade[member] == pytest.approx([rung.grade.max() for rung in ladder.rungs])
    full = tabulate_structures(
        ladders, ["cubic"] * 5, provenance=PROVENANCE, averages=[bulk("Cu", "fcc", a=3.6)] * 5
    )
    assert full.validity.remarks == ()
    approximate = [replace(ladder, approximations=("bursts were not accepted",)) for ladder in ladders]
    said = tabulate_structures(approximate, ["cubic"] * 5, provenance=PROVENANCE).validity.remarks
    assert said[1:] == ("bursts were not accepted",)


def test_tables_of_unlike_ladders_are_refused() -> None:
    ladder = ladder_with_cells(1)
    short = replace(ladder, rungs=ladder.rungs[:-1])
    for ladders, phases, message in (
        ([ladder, short], 5, "sample every member alike"),
        ([], 5, "sample every member alike"),
        ([ladder], 4, "one per rung"),
    ):
        with pytest.raises(InputError, match=message):
            tabulate_structures(ladders, ["cubic"] * phases, provenance=PROVENANCE)


def test_relaxed_structures_reach_the_minimum() -> None:
    start = bulk("Cu", "fcc", a=3.7, cubic=True)
    start.rattle(0.05, seed=2)
    settings = RelaxationSettings(force_tolerance=1e-3)
    (relaxed,) = relax_structures([start], EMT, settings=settings)
    lengths = relaxed.atoms.cell.lengths()
    # equilibrium of copper in effective medium theory, 3.59 Å
    assert lengths == pytest.approx([3.59] * 3, abs=5e-3)
    assert relaxed.largest_force <= 1e-3
    stretched = relaxed.atoms.copy()
    stretched.set_cell(relaxed.atoms.cell * 1.002, scale_atoms=True)
    stretched.calc = EMT()
    assert stretched.get_potential_energy() > relaxed.energy
    with pytest.raises(ConvergenceError, match=r"structure 0 \(Cu4\)"):
        relax_structures([start], EMT, settings=RelaxationSettings(force_tolerance=1e-9, maximum_steps=3))


def test_ground_states_of_a_known_hull() -> None:
    # formation energies −0.3 at ¼ and −0.1 at ½ (above the hull), −0.2 at ¾, two structures at ½
    x = np.array([0.5, 0.0, 1.0, 0.25, 0.75, 0.5])
    formation = np.array([0.4, 0.0, 0.0, -0.3, -0.2, -0.1])
    table = tabulate_ground_states(x, -5.0 - 3.5 * x + formation, -1.5)
    assert table.x.tolist() == [0.0, 0.25, 0.5, 0.5, 0.75, 1.0]
    assert table.formation_energy == pytest.approx([0, -0.3, -0.1, 0.4, -0.2, 0], abs=1e-12)
    assert [float(table.x[i]) for i in table.hull] == [0.0, 0.25, 0.75, 1.0]
    assert table.above_hull == pytest.approx([0, 0, 0.15, 0.65, 0, 0], abs=1e-12)
    assert table.voltage == pytest.approx([2.0 + 1.2, 2.0 - 0.2, 2.0 - 0.8])
    # the mean voltage weighted by charge is that of the end members
    assert np.diff(table.x[list(table.hull)]) @ table.voltage == pytest.approx(2.0)
    divalent = tabulate_ground_states(x, -5.0 - 3.5 * x + formation, -1.5, ion_charge=2)
    assert divalent.voltage == pytest.approx(table.voltage / 2)
    with pytest.raises(InputError, match="two different compositions"):
        tabulate_ground_states([0.5, 0.5], [1.0, 2.0], 0.0)
