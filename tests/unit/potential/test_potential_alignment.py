"""Labels moved from one made-up level of theory to another, against labels of that one."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.calculators.mixing import SumCalculator
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.foundation import InputError
from scalebridge.potential import FitSettings, align_labels, label_differences

SETTINGS = FitSettings(max_iterations=30)


def structures(count: int, seed: int) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        atoms = bulk("Cu", a=rng.uniform(3.6, 3.9), cubic=True)
        atoms.positions += rng.normal(0, 0.08, (4, 3))
        atoms.info["name"] = f"s{number}"
        found.append(atoms)
    return found


def labelled(frames: list[Atoms], *, better: bool) -> list[Atoms]:
    """The better level adds weak Lennard-Jones pairs to the cheap one."""
    pairs = LennardJones(epsilon=0.02, sigma=2.3, rc=5.0, smooth=True)
    calculator = SumCalculator([EMT(), pairs]) if better else EMT()
    out = []
    for atoms in frames:
        copy = atoms.copy()
        copy.calc = calculator
        results = {key: calculator.get_property(key, copy) for key in ("energy", "forces", "stress")}
        copy.calc = SinglePointCalculator(copy, **results)
        out.append(copy)
    return out


def test_moved_labels_are_those_of_the_better_level() -> None:
    """Twenty pairs tell what forty others lack: nine tenths of the difference and more."""
    frames = structures(60, seed=1)
    cheap, better = labelled(frames, better=False), labelled(frames, better=True)
    found = align_labels(cheap, better[:20], cutoff=5.0, species=("Cu",), settings=SETTINGS)
    assert (found.pairs, found.left_out, len(found.frames)) == (20, 0, 60)
    for key in ("energy", "forces", "stress"):
        before = [c.calc.results[key] - b.calc.results[key] for c, b in zip(cheap, better, strict=True)]
        after = [m.calc.results[key] - b.calc.results[key] for m, b in zip(found.frames, better, strict=True)]
        rest, whole = (np.sqrt(np.mean(np.square(part[20:]))) for part in (after, before))
        assert rest < 0.1 * whole
    shift = [
        (m.get_potential_energy() - c.get_potential_energy()) / 4
        for m, c in zip(found.frames, cheap, strict=True)
    ]
    assert found.shift == pytest.approx(np.sqrt(np.mean(np.square(shift))))
    assert [atoms.info["name"] for atoms in found.frames] == [atoms.info["name"] for atoms in cheap]


def test_differences_need_the_same_structure() -> None:
    frames = structures(12, seed=2)
    cheap, better = labelled(frames, better=False), labelled(frames, better=True)
    better[0].positions += 0.01
    better[1].info["name"] = "other"
    stretched = labelled(structures(1, seed=3), better=True)[0]
    stretched.positions, stretched.info["name"] = cheap[1].positions, "s1"
    stretched.cell[2, 2] += 0.5
    found = label_differences(cheap, [*better, stretched])
    assert [atoms.info["name"] for atoms in found] == [f"s{n}" for n in range(2, 12)]
    added = better[5].get_potential_energy() - cheap[5].get_potential_energy()
    assert found[3].get_potential_energy() == pytest.approx(added)
    with pytest.raises(InputError, match="9 structures labelled at both levels"):
        align_labels(cheap, better[3:], cutoff=5.0, species=("Cu",), settings=SETTINGS)
