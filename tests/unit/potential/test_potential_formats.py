import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from potential_cases import random_crystal, random_potential

from scalebridge.foundation import FormatError, InputError
from scalebridge.potential import ActiveSet, MomentTensorPotential, read_cfg, write_cfg

SPECIES = ("Na", "Mn", "O")


@pytest.mark.parametrize("suffix", ["mtp", "almtp"])
@pytest.mark.parametrize("level", [2, 8, 14])
def test_a_potential_survives_its_file_exactly(tmp_path, level, suffix):
    potential = random_potential(level, SPECIES, hard_core=1.25)
    path = tmp_path / f"x.{suffix}"
    potential.save(path)
    again = MomentTensorPotential.load(path)
    assert (again.species, again.level, again.cutoff) == (SPECIES, level, potential.cutoff)
    for name in ("radial", "xi", "offsets", "hard_core"):
        np.testing.assert_array_equal(getattr(again, name), getattr(potential, name))
    assert again.to_text() == potential.to_text()
    atoms = random_crystal(SPECIES)
    assert again.compute_energy(atoms) == potential.compute_energy(atoms)


def test_files_of_other_codes_need_the_species(tmp_path):
    potential = random_potential(6, SPECIES)
    text = [line for line in potential.to_text().splitlines() if not line.startswith("potential_tag")]
    (tmp_path / "x.mtp").write_text("\n".join(text))
    with pytest.raises(InputError, match="has 3 types but 0 chemical symbols are known"):
        MomentTensorPotential.load(tmp_path / "x.mtp")
    again = MomentTensorPotential.load(tmp_path / "x.mtp", species=SPECIES)
    assert again.species == SPECIES
    assert (again.hard_core == 0.0).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MTP\n", "MTX\n", r"x\.mtp:1: the first line is not 'MTP'"),
        ("radial_basis_type = RBChebyshev", "radial_basis_type = RBShapeev", "RBShapeev is not supported"),
        ("species_count = 3", "species_count = three", "species_count is 'three'"),
        (
            "alpha_index_times_count = 5",
            "alpha_index_times_count = 6",
            "alpha_index_times has 20 numbers, 24",
        ),
        ("\t\t1-2\n", "\t\t2-1\n", "'2-1' stands where the species pair 1-2 should be"),
        ("species_coeffs", "magnetic_coeffs", "magnetic potentials are not supported"),
        ("max_dist = 5", "max_dist = nan5", "max_dist is 'nan5"),
    ],
)
def test_damage_is_named_with_file_and_line(tmp_path, old, new, message):
    text = random_potential(6, SPECIES).to_text()
    assert old in text
    (tmp_path / "x.mtp").write_text(text.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        MomentTensorPotential.load(tmp_path / "x.mtp")


@pytest.mark.parametrize(
    ("key", "old", "new", "message"),
    [
        ("alpha_index_basic", "{0, 1, 0, 0}", "{0, 3000000000, 0, 0}", "whole numbers from 0 to 2147483647"),
        ("alpha_index_basic", "{0, 1, 0, 0}", "{0, 1.5, 0, 0}", "whole numbers from 0"),
        ("alpha_index_basic", "{0, 1, 0, 0}", "{0, 13, 0, 0}", "a moment of rank 13, 12 is the highest"),
        ("alpha_index_basic", "{0, 1, 0, 0}", "{0, 6, 6, 1}", "a moment of rank 13, 12 is the highest"),
        ("alpha_index_basic", "{1, 0, 0, 0}", "{7, 0, 0, 0}", "uses 8 radial functions, there are 2"),
        ("alpha_index_basic", "{1, 0, 0, 0}", "{0, 0, 0, 0}", "uses 1 radial functions, there are 2"),
        ("alpha_index_times", "{0, 0, 1, 5}", "{0, 4294967296, 1, 5}", "whole numbers from 0"),
        ("alpha_index_times", "{0, 0, 1, 5}", "{0, 0, 1, 8}", "outside the moments"),
        ("alpha_index_times", "{0, 0, 1, 5}", "{0, 0, 1, 3}", "to a basic one"),
        ("alpha_index_times", "{0, 0, 1, 5}", "{0, 6, 1, 5}", "or backwards"),
        ("alpha_index_times", "{0, 0, 1, 5}", "{0, 5, 1, 6}", "a moment that no product makes"),
        ("alpha_moment_mapping", "{0, ", "{99, ", "outside the moments"),
        ("alpha_moment_mapping", "{0, ", "{3000000000, ", "whole numbers from 0"),
        ("alpha_moments_count", "= 8", "= 100", "100, 5 basic moments and 5 products make 5 to 10"),
        ("alpha_moments_count", "= 8", "= 4", "4, 5 basic moments and 5 products make 5 to 10"),
        ("alpha_moments_count", "= 8", "= 3000000000", "at most 9 digits"),
        ("alpha_moments_count", "= 8", "= \u00b2", "at most 9 digits"),
        ("radial_basis_size", "= 8", "= 65", "at most 118 and 64 are possible"),
        ("species_count", "= 3", "= 3" + "0" * 5000, "at most 9 digits"),
        ("potential_tag", "Na Mn O", "Na Foo O", "chemical symbols are needed"),
        ("potential_tag", "O 0.0", "O -1.0", "a negative distance"),
    ],
)
def test_tables_that_compiled_code_must_not_see_are_named_with_their_line(tmp_path, key, old, new, message):
    lines = random_potential(6, SPECIES).to_text().splitlines()
    number = next(n for n, line in enumerate(lines) if line.strip().startswith(key + " ="))
    assert old in lines[number]
    lines[number] = lines[number].replace(old, new, 1)
    (tmp_path / "x.mtp").write_text("\n".join(lines))
    shown = number + 1 if key not in ("species_count", "radial_basis_size") else r"\d+"
    with pytest.raises(FormatError, match=rf"x\.mtp:{shown}: .*{message}"):
        MomentTensorPotential.load(tmp_path / "x.mtp")


def test_more_radial_functions_than_compiled_code_takes_are_refused(tmp_path):
    lines = random_potential(2, ("Si",)).to_text().splitlines()
    row = next(n for n, line in enumerate(lines) if line.strip() == "0-0") + 1
    lines[row:row] = [lines[row]] * 16
    text = "\n".join(lines).replace("radial_funcs_count = 1", "radial_funcs_count = 17")
    (tmp_path / "x.mtp").write_text(text)
    with pytest.raises(FormatError, match=r"x\.mtp:11: radial_funcs_count is 17, .* 16 at most"):
        MomentTensorPotential.load(tmp_path / "x.mtp")


def test_every_truncation_is_refused(tmp_path):
    text = random_potential(4, ("Si",)).to_text()
    path = tmp_path / "x.mtp"
    for length in range(0, len(text.rstrip()), 7):
        path.write_text(text[:length])
        with pytest.raises(FormatError):
            MomentTensorPotential.load(path)


def test_a_missing_file_and_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        MomentTensorPotential.load(tmp_path / "none.mtp")
    with pytest.raises(InputError, match="cannot be written"):
        random_potential(2, ("Si",)).save(tmp_path / "none" / "x.mtp")


def test_selection_state_survives_and_damage_is_seen(tmp_path):
    potential = random_potential(4, SPECIES)
    frames = [random_crystal(SPECIES, seed=seed) for seed in range(3)]
    active = ActiveSet.from_frames(potential, frames)
    path = tmp_path / "x.almtp"
    active.save(path, potential)
    again, loaded = ActiveSet.load(path)
    probe = random_crystal(SPECIES, seed=9)
    np.testing.assert_allclose(again.grades(loaded, probe), active.grades(potential, probe), rtol=1e-9)
    assert again.members == active.members
    assert MomentTensorPotential.load(path).compute_energy(probe) == potential.compute_energy(probe)
    text = path.read_text()
    path.write_text(text[:-500])
    with pytest.raises(FormatError, match="the selection state is damaged"):
        ActiveSet.load(path)
    path.write_bytes(text[:-500].encode() + b"\xe4" + text[-499:].encode())
    with pytest.raises(FormatError, match=r"x\.almtp:\d+: the selection state is damaged"):
        ActiveSet.load(path)
    tail = text[text.index("#scalebridge-selection") :]
    path.write_text(random_potential(6, SPECIES).to_text() + tail)
    with pytest.raises(FormatError, match="not of this potential's form"):
        ActiveSet.load(path)
    potential.save(path)
    with pytest.raises(FormatError, match="no selection state follows"):
        ActiveSet.load(path)


def _labelled(seed: int, *, stress: bool = True) -> Atoms:
    atoms = random_crystal(SPECIES, seed=seed)
    random = np.random.default_rng(seed)
    results = {"energy": random.standard_normal(), "forces": random.standard_normal((len(atoms), 3))}
    if stress:
        results["stress"] = random.standard_normal(6)
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def test_cfg_round_trip(tmp_path):
    frames = [
        _labelled(1),
        _labelled(2, stress=False),
        random_crystal(SPECIES),
        Atoms("NaO", [[0, 0, 0], [1, 2, 3]]),
    ]
    write_cfg(tmp_path / "x.cfg", frames, species=SPECIES)
    again = read_cfg(tmp_path / "x.cfg", species=SPECIES)
    assert len(again) == len(frames)
    for new, old in zip(again, frames, strict=True):
        assert str(new.symbols) == str(old.symbols)
        assert (new.pbc == old.pbc).all()
        np.testing.assert_allclose(new.positions, old.positions, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(new.cell.array, old.cell.array, rtol=1e-13, atol=1e-13)
        results = {} if old.calc is None else old.calc.results
        found = {} if new.calc is None else new.calc.results
        assert set(found) - {"free_energy"} == set(results)
        for key, value in results.items():
            np.testing.assert_allclose(found[key], value, rtol=1e-12)


def test_plus_stress_is_minus_volume_times_stress(tmp_path):
    atoms = _labelled(3)
    write_cfg(tmp_path / "x.cfg", [atoms], species=SPECIES)
    lines = (tmp_path / "x.cfg").read_text().splitlines()
    values = [float(word) for word in lines[lines.index(" PlusStress:  xx yy zz yz xz xy") + 1].split()]
    np.testing.assert_allclose(values, -atoms.get_volume() * atoms.get_stress(), rtol=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("BEGIN_CFG", "BEGIN", "'BEGIN' stands where BEGIN_CFG should be"),
        ("    16\n", "    17\n", r"x\.cfg:\d+: atom 17 (holds|needs)"),
        (" fx fy fz", " fx fy", "atom 1 needs 7 finite numbers, 8 are there"),
        ("Energy\n", "Energie\n", "'Energie' is not a section"),
        ("END_CFG", "", "the file ends where"),
        ("  1 0 ", "  1 7 ", "type 7 has no chemical symbol"),
        ("    16\n", "    \u00b2\n", r"x\.cfg:3: the number of atoms is '\u00b2'"),
        ("    16\n", "    " + "9" * 5000 + "\n", r"x\.cfg:3: the number of atoms is '9+', a whole number"),
        (" xz xy\n", " xz\n", r"x\.cfg:\d+: PlusStress has components xx yy zz yz xz;"),
        (" xz xy\n", " xz xy yx\n", r"x\.cfg:\d+: PlusStress has components xx yy zz yz xz xy yx;"),
        (" xz xy\n", " xz xz\n", r"x\.cfg:\d+: PlusStress has components xx yy zz yz xz xz;"),
        ("cartes_x", "direct_x", r"x\.cfg:8: AtomData needs the columns cartes_x, _y, _z or"),
        ("cartes_x", "cartes_w", r"x\.cfg:8: AtomData needs the columns cartes_x, _y, _z or"),
    ],
)
def test_damaged_cfg_is_named_with_file_and_line(tmp_path, old, new, message):
    write_cfg(tmp_path / "x.cfg", [_labelled(1)], species=SPECIES)
    text = (tmp_path / "x.cfg").read_text()
    assert old in text
    (tmp_path / "x.cfg").write_text(text.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_cfg(tmp_path / "x.cfg", species=SPECIES)


def test_cells_without_volume_and_bytes_that_are_no_text_are_named_with_their_line(tmp_path):
    path = tmp_path / "x.cfg"
    write_cfg(path, [_labelled(1)], species=SPECIES)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:6], lines[5], *lines[7:]]))
    with pytest.raises(FormatError, match=r"x\.cfg:7: the cell has no volume"):
        read_cfg(path, species=SPECIES)
    path.write_bytes("\n".join(lines).encode().replace(b"END_CFG", b" Feature name M\xfcller\nEND_CFG"))
    with pytest.raises(FormatError, match=rf"x\.cfg:{lines.index('END_CFG') + 1}: this is no UTF-8 text"):
        read_cfg(path, species=SPECIES)


def test_cfg_keeps_weight_and_texts_of_a_structure(tmp_path):
    atoms = _labelled(1)
    atoms.info |= {"weight": 8.0, "EFS_by": "VASP 6.4", "mindist": "1.9", "number": 3, "two words": "lost"}
    for _ in range(2):
        write_cfg(tmp_path / "x.cfg", [atoms], species=SPECIES)
        (atoms,) = read_cfg(tmp_path / "x.cfg", species=SPECIES)
        assert atoms.info == {"weight": "8.0", "EFS_by": "VASP 6.4", "mindist": "1.9"}
