"""Labels from a file: the split, the metal, and what is refused."""

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import GPa

from scalebridge.contracts import Host, Provenance
from scalebridge.foundation import FormatError, InputError
from scalebridge.foundation.constants import EV
from scalebridge.materials import load_host
from scalebridge.pipeline.locations import host_folder, labels_path
from scalebridge.pipeline.stages.given_labels import GivenLabels, read_given
from scalebridge.pipeline.stages.label_checks import energy_outliers
from scalebridge.pipeline.stages.labels import check_level
from scalebridge.pipeline.stages.metal import PARTS, fit_metal
from scalebridge.pipeline.stages.relaxed_labels import reference_voltages, relaxed_labels
from scalebridge.potential import MTPCalculator
from scalebridge.thermodynamics import solve_metal

TOY = Path(__file__).parents[2] / "examples" / "toyhost"


def host() -> Host:
    return load_host(TOY, Provenance(code_version="", recipe_hash=""))


def frame(ions: int, *, copper: int = 4, **info: object) -> Atoms:
    """Return a structure of the toy host with a made-up label."""
    atoms = Atoms(["Cu"] * copper + ["Li"] * ions, cell=[4.8] * 3, pbc=True)
    places = np.array(list(np.ndindex(3, 3, 3)))[: len(atoms)] * 1.6
    atoms.positions = places + np.random.default_rng(ions).uniform(-0.05, 0.05, (len(atoms), 3))
    atoms.info = dict(info)
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=np.zeros((len(atoms), 3)))
    return atoms


def zinc() -> Atoms:
    atoms = frame(1)
    atoms.symbols[0] = "Zn"
    return atoms


def read(path: Path, *frames: Atoms, target: str | None = None, fraction: float = 0.25) -> GivenLabels:
    ase.io.write(path, list(frames), format="extxyz")
    return read_given(path, host(), target=target, held_out_fraction=fraction, seed=1)


def names(frames: tuple[Atoms, ...]) -> set[str]:
    return {str(atoms.info["name"]) for atoms in frames}


def test_whole_groups_of_the_target_are_held_out_evenly_over_x_and_trained_on_at_no_level(
    tmp_path: Path,
) -> None:
    frames = [
        frame(ions, name=f"x{ions}_{group}_{step}_{level}", group=f"x{ions}_{group}", level=level)
        for ions in range(5)
        for group in range(4)
        for step in range(3)
        for level in ("cheap", "good")
    ]
    found = read(tmp_path / "labels.extxyz", *frames, target="good")
    held_out = {atoms.info["group"] for atoms in found.held_out}
    assert len(held_out) == 5  # a quarter of twenty groups
    assert {group[:2] for group in held_out} == {"x0", "x1", "x2", "x3", "x4"}
    assert {atoms.info["level"] for atoms in found.held_out} == {"good"}
    assert len(found.held_out) == 5 * 3
    assert not held_out & {atoms.info["group"] for atoms in found.training}
    assert len(found.training) == len(frames) - 5 * 3 * 2
    assert names(found.training) | names(found.held_out) <= names(tuple(frames))


def test_structures_of_the_ion_alone_are_the_metal(tmp_path: Path) -> None:
    frames = [frame(ions, name=f"{ions}") for ions in (0, 1, 2, 3)]
    found = read(tmp_path / "labels.extxyz", *frames, frame(2, copper=0, name="metal"), fraction=0.5)
    assert names(found.metal) == {"metal"}
    assert names(found.training) | names(found.held_out) == {"0", "1", "2", "3"}
    assert len(found.held_out) == 2


def test_structures_that_are_not_periodic_are_refused(tmp_path: Path) -> None:
    wrong = frame(2)
    wrong.pbc = [True, True, False]
    with pytest.raises(InputError, match=r"labels.extxyz: structure 1 is not periodic along all three"):
        read(tmp_path / "labels.extxyz", frame(0), wrong)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (zinc(), "labels.extxyz: structure 2 contains Zn"),
        (frame(5), "structure 2 is Cu4Li5: neither whole formula units of Cu with at most 1 Li each"),
        (Atoms("Cu4", cell=[4.0] * 3, pbc=True), "structure 2 has no stored energy and forces"),
    ],
)
def test_structures_that_do_not_belong_are_named(tmp_path: Path, wrong: Atoms, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read(tmp_path / "labels.extxyz", frame(0), frame(1), wrong)


def spoilt(**changes: object) -> Atoms:
    atoms = frame(2, name="spoilt")
    results = {"energy": -1.0, "forces": np.zeros((6, 3)), "stress": np.zeros(6), **changes}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def too_close() -> Atoms:
    atoms = spoilt()
    atoms.positions[5] = atoms.positions[4] + [0.0, 0.0, 1.0]
    return atoms


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (spoilt(forces=np.full((6, 3), 40.0)), "force of 69.3 eV/Å on atom 0 exceeds the limit of 50 eV/Å"),
        (spoilt(stress=np.array([0, -2.5, 0, 0, 0, 0])), "stress of 2.50 eV/Å³ exceeds the limit of 2 eV/Å³"),
        (too_close(), "Li4 and Li5 are 1.00 Å apart, below 0.5 of the sum of their covalent radii"),
    ],
)
def test_labels_that_break_a_limit_are_left_out_with_a_warning(
    tmp_path: Path, wrong: Atoms, told: str
) -> None:
    frames = [frame(ions, name=f"{ions}") for ions in (0, 1, 2, 3)]
    found = read(tmp_path / "labels.extxyz", frames[0], wrong, *frames[1:])
    assert found.left_out == 1
    assert names(found.host) == {"0", "1", "2", "3"}
    (text,) = found.warnings
    assert text == f"labels.extxyz: structure 1 'spoilt' (Cu4Li2) is left out: {told}"
    with pytest.raises(InputError, match=r"no label of the host; structure 0 'spoilt' .* is left out"):
        read(tmp_path / "labels.extxyz", wrong)


def test_many_broken_labels_are_counted_not_listed(tmp_path: Path) -> None:
    found = read(tmp_path / "labels.extxyz", *[too_close()] * 14, frame(0), frame(1))
    assert found.left_out == 14
    assert len(found.warnings) == 11
    assert found.warnings[-1] == "labels.extxyz: and 4 more are left out"


def bundled() -> list[Atoms]:
    return list(ase.io.read(labels_path("labels.extxyz", "mnhcf"), index=":"))


def test_bundled_labels_give_no_warning() -> None:
    made = load_host(host_folder("mnhcf"), Provenance(code_version="", recipe_hash=""))
    path = labels_path("labels.extxyz", "mnhcf")
    found = read_given(path, made, target="converged", held_out_fraction=0.2, seed=1)
    assert found.warnings == ()
    assert found.left_out == 0
    assert len(found.host) + len(found.metal) == len(bundled())


@pytest.mark.parametrize("shift", [50.0, -50.0, 30.0])
@pytest.mark.parametrize("number", [0, 5, 200, 380])
def test_an_energy_far_from_the_others_is_named(number: int, shift: float) -> None:
    frames = bundled()
    wrong = frames[number]
    wrong.calc.results["energy"] += shift
    (text,) = energy_outliers(frames, range(len(frames)), ion="Na")
    assert text.startswith(f"structure {number} '{wrong.info['name']}' ")
    assert ("above" if shift > 0 else "below") in text
    assert float(text.split("an energy ")[1].split(" eV")[0]) == pytest.approx(abs(shift), abs=9)


def test_several_wrong_energies_do_not_hide_each_other() -> None:
    frames = bundled()
    wrong = range(0, 80, 4)
    for number in wrong:
        frames[number].calc.results["energy"] += 50.0
    texts = energy_outliers(frames, range(len(frames)), ion="Na")
    assert [int(text.split()[1]) for text in texts] == list(wrong)


def test_few_labels_do_not_judge_each_other() -> None:
    frames = [frame(ions) for ions in range(5)]
    frames[2].calc.results["energy"] += 50.0
    assert energy_outliers(frames, range(5), ion="Li") == []


def test_an_unknown_level_and_a_damaged_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "labels.extxyz"
    with pytest.raises(InputError, match=r"no structure of the host has the level 'best'; .* one of cheap"):
        read(path, frame(0, level="cheap"), frame(1, level="cheap"), target="best")
    path.write_text("4\nnothing\nCu 0 0\n")
    with pytest.raises(FormatError, match="cannot be read"):
        read_given(path, host(), target=None, held_out_fraction=0.2, seed=0)


def test_an_oracle_of_a_level_that_no_label_has_is_refused(tmp_path: Path) -> None:
    frames = [frame(0, level="cheap"), frame(1, level="good")]
    for level in ("good", None):
        check_level(tmp_path, frames, level)
    with pytest.raises(InputError, match=r"oracle.level 'best' is no level of .* \(cheap, good\); name"):
        check_level(tmp_path, frames, "best")


def test_a_metal_of_labels_has_the_chemical_potential_of_the_calculator_behind_them() -> None:
    """Copper of the effective-medium theory, strained and displaced: μ to 3 meV, errors told by its parts."""
    rng = np.random.default_rng(0)
    frames = []
    for edge in np.linspace(3.5, 3.8, 8):
        for displacement in (0.0, 0.08, 0.15):
            atoms = bulk("Cu", a=float(edge), cubic=True)
            atoms.positions += rng.normal(0, displacement, (len(atoms), 3))
            atoms.calc = EMT()
            results = {key: atoms.calc.get_property(key, atoms) for key in ("energy", "forces", "stress")}
            atoms.calc = SinglePointCalculator(atoms, **results)
            frames.append(atoms)
    potential, errors = fit_metal(frames, seed=0)
    assert len(errors.reference_energies) == len(frames)
    assert errors.energy_rmse < 5e-3
    metal = bulk("Cu", a=3.6)
    found, expected = (
        solve_metal(metal, make, [300.0]).chemical_potential[0]
        for make in (lambda: MTPCalculator(potential), EMT)
    )
    assert found == pytest.approx(expected, abs=3e-3)


def test_too_few_labels_of_the_metal_are_refused() -> None:
    with pytest.raises(InputError, match=f"{PARTS - 1} given labels of the metal fit no potential"):
        fit_metal([frame(1, copper=0)] * (PARTS - 1), seed=0)


def resting(ions: int, energy: float, *, force: float = 0.0, pressure: float = 0.0, **info: object) -> Atoms:
    """Return a made-up label of one formula unit of the toy host."""
    atoms = frame(ions, **info)
    forces = np.zeros((len(atoms), 3))
    forces[0, 1] = force
    stress = np.array([-pressure * GPa] * 3 + [0.0] * 3)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=stress)
    return atoms


def test_relaxed_labels_are_the_lowest_at_rest_and_voltages_those_between_them() -> None:
    """V(0 → 2) = −(−26 + 20 + 2 · 1.5)/2 = 1.5 V: two steps of 2 V and 1 V."""
    made = host()
    units = 4 // made.phases[0].framework.to_atoms().symbols.count("Cu") * made.phases[0].formula_units
    frames = [
        resting(0, -20.0, level="good", phase="a"),
        resting(0, -19.0, level="good", phase="a"),
        resting(0, -19.5, level="good", phase="b"),
        resting(1, -23.5, level="good", phase="a"),
        resting(1, -30.0, level="good", phase="a", force=0.2),
        resting(2, -26.0, level="good", phase="a"),
        resting(2, -31.0, level="good", phase="a", pressure=1.5),
        resting(0, -18.0, level="cheap"),
    ]
    relaxed = relaxed_labels(frames, made)
    found = [(label.level, label.x * units, label.phase, label.energy * units / EV) for label in relaxed]
    assert [entry[:3] for entry in found] == [
        ("cheap", 0, ""), ("good", 0, "a"), ("good", 0, "b"), ("good", 1, "a"), ("good", 2, "a"),
    ]  # fmt: skip
    assert [entry[3] for entry in found] == pytest.approx([-18.0, -20.0, -19.5, -23.5, -26.0])
    metal = Atoms("Li2", cell=[3.0] * 3, pbc=True)
    metal.calc = SinglePointCalculator(metal, energy=-3.0)
    voltages = reference_voltages(relaxed, [metal], made)
    assert [(v.level, v.x_low * units, v.x_high * units) for v in voltages] == [
        ("good", 0, 1), ("good", 1, 2), ("good", 0, 2),
    ]  # fmt: skip
    assert [v.voltage for v in voltages] == pytest.approx([2.0, 1.0, 1.5])
    assert reference_voltages(relaxed, [], made) == ()


def test_a_label_without_stress_has_no_pressure() -> None:
    (label,) = relaxed_labels([frame(1)], host())
    assert label.pressure is None
    assert label.largest_force == 0
