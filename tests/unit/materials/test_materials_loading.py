import shutil
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.neighborlist import neighbor_list

import scalebridge.materials
from scalebridge.contracts import Provenance
from scalebridge.foundation import FormatError, InputError, citations
from scalebridge.materials import bundled_designs, host_names, load_design, load_host

PROVENANCE = Provenance(code_version="test", recipe_hash="0" * 64)
BUNDLED = Path(scalebridge.materials.__file__).parent


def full(phase, ion):
    """Framework with an ion on every site."""
    atoms = phase.framework.to_atoms()
    return atoms + Atoms(f"{ion}{len(phase.sites)}", positions=phase.sites @ atoms.cell[:])


def space_group(atoms, symprec=1e-3):
    return spglib.get_spacegroup((atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers), symprec)


def test_both_hosts_are_bundled():
    assert set(host_names()) >= {"lfp", "mnhcf"}


def test_every_bundled_host_has_a_half_cell_and_a_full_cell():
    for name, path in bundled_designs().items():
        design = load_design(name, PROVENANCE)
        full = path.stem.endswith("-full")
        assert (design.anode is not None) == full
        if design.anode is not None:
            host = load_host(name.removesuffix("-full"), PROVENANCE)
            assert design.anode.material.ion == host.ion
    assert {"lfp", "lfp-full", "mnhcf", "mnhcf-full"} <= set(bundled_designs())


def test_an_anode_of_a_file_is_found_beside_the_design(tmp_path):
    text = bundled_designs()["mnhcf-full"].read_text(encoding="utf-8")
    shutil.copy(BUNDLED / "hard_carbon" / "material.toml", tmp_path / "mine.toml")
    (tmp_path / "design.toml").write_text(text.replace('"hard_carbon"', '"mine.toml"'), encoding="utf-8")
    design = load_design(tmp_path / "design.toml", PROVENANCE)
    assert design.anode.material.name == "hard carbon"
    (tmp_path / "design.toml").write_text(text.replace('"hard_carbon"', '"wood"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"no such file and no bundled material [(]graphite, hard_carbon[)]"):
        load_design(tmp_path / "design.toml", PROVENANCE)


@pytest.mark.parametrize("name", host_names())
def test_every_bundled_host_and_design_loads_with_sources(name):
    host = load_host(name, PROVENANCE)
    assert all(phase.source for phase in host.phases)
    assert host.metal_source
    assert all(value.source for value in host.literature)
    assert citations.bibtex(host.citations)
    design = load_design(name, PROVENANCE)
    assert design.rate_law.source
    assert design.electrolyte.concentration.source
    assert type(host).from_json(host.model_dump_json()).content_hash == host.content_hash


@pytest.mark.parametrize(
    ("name", "structures", "phase", "group"),
    [
        ("mnhcf", "", "tetragonal", "I4/mmm (139)"),
        ("mnhcf", "", "cubic", "Fm-3m (225)"),
        ("mnhcf", "", "rhombohedral", "R-3 (148)"),
        ("mnhcf", "chgnet", "cubic", "Fm-3m (225)"),
        ("mnhcf", "chgnet", "rhombohedral", "R-3 (148)"),
        ("lfp", "", "heterosite", "Pnma (62)"),
        ("lfp", "", "triphylite", "Pnma (62)"),
    ],
)
def test_space_groups(name, structures, phase, group):
    """With ions on all sites as without."""
    host = load_host(name, PROVENANCE, structures=structures)
    (found,) = (entry for entry in host.phases if entry.name == phase)
    assert space_group(found.framework.to_atoms()) == group
    assert space_group(full(found, host.ion)) == group


def test_an_unknown_set_of_structures_is_refused():
    with pytest.raises(InputError, match="no phase of the structures 'mace'; known are chgnet"):
        load_host("mnhcf", PROVENANCE, structures="mace")


@pytest.mark.parametrize("name", host_names())
def test_no_atoms_collide_and_metals_are_bcc(name):
    host = load_host(name, PROVENANCE)
    for phase in host.phases:
        assert neighbor_list("d", full(phase, host.ion), 1.1).size == 0
    assert space_group(host.metal.to_atoms()) == "Im-3m (229)"


@pytest.mark.parametrize("name", host_names())
def test_phases_correspond_atom_by_atom_and_site_by_site(name):
    for first, second in pairwise(load_host(name, PROVENANCE).phases):
        assert first.framework.symbols == second.framework.symbols
        for one, other in (
            (first.framework.scaled_positions, second.framework.scaled_positions),
            (first.sites, second.sites),
        ):
            shift = (one - other + 0.5) % 1 - 0.5
            assert np.abs(shift).max() < 0.12  # of a cell edge: each atom keeps its place


def test_carbon_binds_to_iron_and_nitrogen_to_manganese():
    phases = (load_host("mnhcf", PROVENANCE, structures=name).phases for name in ("", "chgnet"))
    for phase in chain(*phases):
        atoms = phase.framework.to_atoms()
        for metal, ligand, reach in (("Fe", "C", 2.0), ("Mn", "N", 2.3)):
            pairs = neighbor_list("i", atoms, {(metal, ligand): reach})
            bonds = np.bincount(pairs, minlength=len(atoms))
            assert np.all(bonds[atoms.symbols == metal] == 6)
            assert np.all(bonds[atoms.symbols == ligand] == 1)


def test_capacities_and_volume_change_agree_with_hand_calculation():
    mnhcf, lfp = (load_host(name, PROVENANCE) for name in ("mnhcf", "lfp"))
    assert mnhcf.formula_mass == pytest.approx(0.3129, abs=1e-4)
    assert mnhcf.theoretical_capacity / 3600 == pytest.approx(171.3, abs=0.1)  # mAh/g
    assert lfp.theoretical_capacity / 3600 == pytest.approx(169.9, abs=0.1)
    heterosite, triphylite = (abs(np.linalg.det(phase.framework.cell)) for phase in lfp.phases)
    assert 0.065 < triphylite / heterosite - 1 < 0.0701


@pytest.fixture
def own(tmp_path):
    return Path(shutil.copytree(BUNDLED / "lfp", tmp_path / "own"))


def edit(folder, old, new, name="host.toml"):
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return folder


def test_a_folder_of_the_user_reads_like_a_bundled_host(own):
    assert load_host(own, PROVENANCE).content_hash == load_host("lfp", PROVENANCE).content_hash
    assert load_design(own / "design.toml", PROVENANCE) == load_design("lfp", PROVENANCE)


def test_unknown_host_is_refused_with_the_names():
    with pytest.raises(InputError, match=r"neither a bundled host \(lfp, mnhcf\) nor a folder"):
        load_host("no-such-host", PROVENANCE)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ion_charge = 1", "ion_charges = 1", r"host\.toml: ion_charge: Field required"),
        (
            'formula = "FePO4"',
            'formula = "MnPO4"',
            r"holds Fe4O16P4, but phase 'heterosite' .* needs Mn4O16P4",
        ),
        ('formula = "FePO4"', 'formula = "FePO4)"', r"formula 'FePO4\)' cannot be read"),
        ("formula_units = 4", "formula_units = 2", r"with 2 formula units of FePO4 needs Fe2O8P2"),
        ("[0.0, 0.0, 0.0], ", "", r"lists 3 sites; 4 formula units with 1 sites each need 4"),
        ("composition = 0.0", "composition = 1.5", r"reported at x = 1.5, outside 0"),
        ("heterosite.xyz", "absent.xyz", r"absent\.xyz: no such file"),
    ],
)
def test_bad_host_files_are_refused_by_name(own, old, new, message):
    with pytest.raises(InputError, match=message):
        load_host(edit(own, old, new), PROVENANCE)


def test_framework_with_the_mobile_ion_is_refused(own):
    atoms = load_host("lfp", PROVENANCE).phases[0].framework.to_atoms()
    (atoms + Atoms("Li4", positions=np.eye(4, 3) * 2)).write(own / "heterosite.xyz")
    with pytest.raises(InputError, match="without the mobile ions"):
        load_host(own, PROVENANCE)


def test_damaged_files_are_format_errors(own):
    edit(own, "ion_charge = 1", "ion_charge = = 1")
    with pytest.raises(FormatError, match=r"host\.toml: not valid TOML: .*line"):
        load_host(own, PROVENANCE)
    shutil.copy(BUNDLED / "lfp" / "host.toml", own)
    (own / "metal.xyz").write_text("two\natoms\n")
    with pytest.raises(FormatError, match=r"metal\.xyz: not a structure that ASE can read"):
        load_host(own, PROVENANCE)
    (own / "metal.xyz").write_text("1\nno lattice\nLi 0 0 0\n")
    with pytest.raises(FormatError, match="no three-dimensional cell"):
        load_host(own, PROVENANCE)


def test_design_with_a_wrong_unit_or_filling_is_refused(own):
    edit(own, '"porosity [1]"', '"porosity [%]"', "design.toml")
    with pytest.raises(InputError, match=r"design\.toml: "):
        load_design(own / "design.toml", PROVENANCE)
    shutil.copy(BUNDLED / "lfp" / "design.toml", own)
    edit(own, "value = 0.99", "value = 1.0", "design.toml")
    with pytest.raises(InputError, match="0 < initial < final < 1"):
        load_design(own / "design.toml", PROVENANCE)
    with pytest.raises(InputError, match="no such file"):
        load_design(own / "absent.toml", PROVENANCE)
