"""The real ladder, from a host folder to the report, on a toy host: pairs of atoms in Morse wells."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.filters import FrechetCellFilter
from ase.io import read, write
from ase.optimize import FIRE
from toy_pairs import Pairs
from typer.testing import CliRunner

from scalebridge.cli import app
from scalebridge.contracts import Contract, Host, Isotherm, PotentialCard, RateCapability, StructureTable
from scalebridge.foundation import constants
from scalebridge.pipeline import LADDER, Recipe, Stage, StageContext, design_path, load_recipe, run_stages
from scalebridge.potential import MomentTensorPotential, fit
from scalebridge.report.run_folder import read_run_folder

TOY = Path(__file__).parent / "toyhost"
STAGES = tuple(stage.name for stage in LADDER)
REMARK = "pairs in Morse wells are no copper"

FREE_ENERGY = "thermodynamics/homogeneous_free_energy"
POTENTIAL = {"host/host", "potential/potential_card"}
CARD = {
    *POTENTIAL,
    FREE_ENERGY,
    "thermodynamics/isotherm",
    "thermodynamics/structure_table",
    "transport/tracer_diffusivity",
    "transport/jump_diffusivity",
    "interfaces/interface_energies",
}
DISCHARGE = {"card/material_card", "electrode/electrode_design"}
PARENTS = {
    "host/host": set(),
    "labels/dataset": {"host/host"},
    "learning/dataset": {"host/host", "labels/dataset"},
    "learning/learning_history": {"host/host", "labels/dataset"},
    "learning/learning_cost": {"host/host", "labels/dataset"},
    "potential/potential_card": {"host/host", "learning/dataset", "learning/learning_history"},
    "verification/verification_runs": {*POTENTIAL, "learning/dataset"},
    FREE_ENERGY: POTENTIAL,
    "thermodynamics/structure_table": POTENTIAL,
    "thermodynamics/isotherm": {"host/host", FREE_ENERGY},
    "transport/tracer_diffusivity": {*POTENTIAL, "thermodynamics/structure_table"},
    "transport/jump_diffusivity": {*POTENTIAL, "thermodynamics/structure_table"},
    "interfaces/interface_energies": {
        *POTENTIAL,
        "thermodynamics/structure_table",
        "thermodynamics/isotherm",
        "thermodynamics/homogeneous_free_energy",
    },
    "card/material_card": CARD,
    "electrode/electrode_design": set(),
    "electrode/rate_capability": DISCHARGE,
    **{f"electrode/solution_m{member}_c1": DISCHARGE for member in range(5)},
}
"""What every contract is made from."""

ABOVE = {
    "host": STAGES,
    "labels": STAGES[1:],
    "learning": STAGES[2:],
    "potential": STAGES[3:],
    "verification": ("verification",),
    "thermodynamics": STAGES[5:],
    "transport": ("transport", "card", "electrode"),
    "interfaces": ("interfaces", "card", "electrode"),
    "card": ("card", "electrode"),
    "electrode": ("electrode",),
}
"""What is computed when a stage's folder is gone."""


def test_the_ladder_reaches_a_report_names_every_parent_and_repeats_only_what_is_gone(tmp_path: Path) -> None:
    recipe, run = write_study(tmp_path / "study"), tmp_path / "run"
    result = CliRunner().invoke(app, ["run", str(recipe), "--out", str(run), "--executor", "serial"])
    assert result.exit_code == 0, result.output
    assert f"{len(LADDER)} of {len(LADDER)} stages computed" in result.output
    check_parents(run)
    check_physics(run)
    check_remarks_and_citations(run)
    chosen = load_recipe(recipe)
    check_repeated_interfaces(chosen, run)
    check_deletions(chosen, run, tmp_path / "saved")


def test_a_posterior_committee_covers_its_held_out_errors_and_says_how_it_was_made(tmp_path: Path) -> None:
    recipe, run = write_study(tmp_path / "study"), tmp_path / "run"
    recipe.write_text(recipe.read_text().replace("[potential]", '[potential]\ncommittee = "posterior"'))
    result = CliRunner().invoke(
        app, ["run", str(recipe), "--out", str(run), "--executor", "serial", "--until", "potential"]
    )
    assert result.exit_code == 0, result.output
    card = PotentialCard.load(run / "potential" / "potential_card.json")
    best, *members = (
        MomentTensorPotential.load(run / "potential" / reference.name) for reference in card.members
    )
    assert all(np.array_equal(member.radial, best.radial) for member in members)
    assert len({member.xi.tobytes() for member in members}) == len(members)
    assert len(card.selections) == 1
    assert card.committee_coverage >= 0.7
    assert any("drawn from the linear posterior, widened" in text for text in card.validity.remarks)


def test_the_toy_from_given_labels_needs_no_calculator_and_says_what_to_label(tmp_path: Path) -> None:
    """Labels of two levels, the cheap one half an eV per ion off: the potential ends at the other one."""
    recipe, run = write_study(tmp_path / "study"), tmp_path / "run"
    given = list(given_labels())
    write(tmp_path / "study" / "labels.extxyz", given)
    cheap = [atoms for atoms in given if atoms.info["level"] == "cheap"]
    prior = fit(cheap, level=8, cutoff=4.1, max_iterations=10)
    prior.save(tmp_path / "study" / "cheap.mtp")
    text = recipe.read_text().replace("[potential]", '[potential]\nprior = "cheap.mtp"\ncorrect = true')
    oracle = text[text.index("[oracle]") : text.index("[labels]")]
    random = text[text.index("[labels]") : text.index("[learning]")]
    text = text.replace(oracle, "").replace(random, GIVEN)
    text = text.replace("[thermodynamics]", '[thermodynamics]\nbursts = "npt"')
    text = text.replace("[learning]", '[learning]\nbursts = "langevin"')
    recipe.write_text(text)
    options = ["--out", str(run), "--executor", "serial", "--until", "thermodynamics"]
    result = CliRunner().invoke(app, ["run", str(recipe), *options])
    assert result.exit_code == 0, result.output
    found = contracts(run, whole=False)
    history, card = found["learning/learning_history"], found["potential/potential_card"]
    assert [step.selected > 0 for step in history.steps][-1]  # the first round that wants a label is the last
    assert not any(step.selected for step in history.steps[:-1])
    assert (run / "learning" / history.prior.name).is_file()
    wanted = read(run / "learning" / "wanted.extxyz", index=":")
    assert len(wanted) == len(history.wanted_states) > 0
    assert [state.grade for state in history.wanted_states] == [atoms.info["grade"] for atoms in wanted]
    best = MomentTensorPotential.load(run / "potential" / card.members[0].name)
    unseen = read(run / "learning" / "held_out.extxyz", index=":")
    shift = [
        (best.compute(atoms).energy - atoms.get_potential_energy()) / atoms.symbols.count("Li")
        for atoms in unseen
        if atoms.symbols.count("Li")
    ]
    assert abs(np.mean(shift)) < 0.1
    assert sum(entry.errors.structures for entry in card.errors_by_x) == len(unseen)
    shares = [entry.errors.energy_rmse**2 * entry.errors.structures for entry in card.errors_by_x]
    assert sum(shares) / len(unseen) == pytest.approx(card.errors[0].energy_rmse ** 2)
    metal, isotherm = at_rest(read(TOY / "metal.xyz")), found["thermodynamics/isotherm"]
    assert card.metal_errors.energy_rmse < 0.02 * constants.EV
    chemical_potential = isotherm.metal_chemical_potential[0, -1] / constants.EV
    assert chemical_potential == pytest.approx(metal.get_potential_energy(), abs=0.15)  # F − U ≈ 2 kT
    assert CliRunner().invoke(app, ["report", str(run)]).exit_code == 0
    page = (run / "report.html").read_text()
    assert "would have been sent" in page
    constant, rescaled = (
        "20 steps of 2 fs were Langevin dynamics",
        "their cell was rescaled stochastically (full)",
    )
    for name, sentence in (
        ("learning/learning_history", constant),
        ("potential/potential_card", constant),
        ("thermodynamics/homogeneous_free_energy", rescaled),
        ("thermodynamics/isotherm", rescaled),
        ("thermodynamics/structure_table", rescaled),
    ):
        assert any(sentence in remark for remark in found[name].validity.remarks), name
    assert {"leimkuhler2013", "bernetti2020"} <= set(found["thermodynamics/isotherm"].citations)
    assert "duane1987" not in found["thermodynamics/isotherm"].citations
    assert "Molecular dynamics with the best estimate" in page


def test_cheaper_labels_are_moved_by_what_the_target_adds(tmp_path: Path) -> None:
    """Twenty structures at both levels tell the half eV per ion of all others."""
    recipe, run = write_study(tmp_path / "study"), tmp_path / "run"
    given = list(given_labels())
    twins = [labelled(atoms.copy(), name=atoms.info["name"], level="good") for atoms in given[1:60:3]]
    write(tmp_path / "study" / "labels.extxyz", [*given, *twins])
    text = recipe.read_text()
    oracle = text[text.index("[oracle]") : text.index("[labels]")]
    random = text[text.index("[labels]") : text.index("[learning]")]
    recipe.write_text(
        text.replace(oracle, "").replace(random, GIVEN.replace("target", "align = true\ntarget"))
    )
    options = ["--out", str(run), "--executor", "serial", "--until", "labels"]
    result = CliRunner().invoke(app, ["run", str(recipe), *options])
    assert result.exit_code == 0, result.output
    assert "labels at the level 'cheap' are moved by" in " ".join(result.output.split())
    moved = [
        atoms for atoms in read(run / "labels" / "training.extxyz", ":") if atoms.info["level"] == "cheap"
    ]
    assert len(moved) > 50
    expected = [labelled(atoms.copy(), name="", level="good").get_potential_energy() for atoms in moved]
    missing = np.subtract([atoms.get_potential_energy() for atoms in moved], expected)
    assert np.sqrt(np.mean(missing**2)) < 0.02
    assert "ramakrishnan2015" in contracts(run, whole=False)["labels/dataset"].citations


GIVEN = """[labels]
given = "labels.extxyz"
target = "good"
held_out_fraction = 0.2

"""


def given_labels() -> Iterator[Atoms]:
    """Yield displaced and strained structures at two levels, and the metal."""
    rng = np.random.default_rng(0)
    framework, metal = read(TOY / "cubic.xyz"), read(TOY / "metal.xyz")
    sites = np.array([[0.5, 0.5, 0.5], [0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]])
    for number in range(150):
        ions = number % 5
        atoms = framework + Atoms(f"Li{ions}", scaled_positions=sites[:ions], cell=framework.cell)
        yield labelled(perturbed(atoms, rng), name=f"{number}", level="cheap" if number % 3 else "good")
    for _ in range(12):
        yield labelled(perturbed(metal.repeat(2), rng), name="metal", level="good")


def perturbed(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    strain = np.eye(3) + rng.normal(0, 0.02, (3, 3))
    atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    atoms.positions += rng.normal(0, 0.1, atoms.positions.shape)
    return atoms


def labelled(atoms: Atoms, *, name: str, level: str) -> Atoms:
    calculator = Pairs()
    results = {key: calculator.get_property(key, atoms) for key in ("energy", "forces", "stress")}
    results["energy"] += 0.5 * atoms.symbols.count("Li") if level == "cheap" else 0.0
    atoms.info = {"name": name, "level": level}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def write_study(folder: Path) -> Path:
    """Write recipe, host and a design: the bundled one of LiFePO4 on a coarse grid."""
    shutil.copytree(TOY, folder)
    text = design_path("bundled", "lfp").read_text()
    coarse = text.replace("volumes = 20", "volumes = 4").replace("volumes = 10", "volumes = 2")
    (folder / "design.toml").write_text(coarse)
    return folder / "recipe.toml"


def contracts(run: Path, *, whole: bool = True) -> dict[str, Contract]:
    contents = read_run_folder(run)
    assert contents.problems == () or not whole
    return {name.removesuffix(".json"): contract for name, contract in contents.contracts.items()}


def check_parents(run: Path) -> None:
    found = contracts(run)
    names = {contract.content_hash: name for name, contract in found.items()}
    assert len(names) == len(found)
    made_from = {
        name: {names[digest] for digest in contract.provenance.parents.values()}
        for name, contract in found.items()
    }
    assert made_from == PARENTS


def check_physics(run: Path) -> None:
    """Voltage and volumes beside those of the calculator at rest.

    Over three seeds a level-8 potential of some 140 labels and 20 sweeps in 8 atoms stayed within 0.15 V and
    0.035 of the ratio of volumes; a host that does not grow fails.
    """
    host = Host.load(run / "host" / "host.json")
    structures = StructureTable.load(run / "thermodynamics" / "structure_table.json")
    isotherm = Isotherm.load(run / "thermodynamics" / "isotherm.json")
    rates = RateCapability.load(run / "electrode" / "rate_capability.json")
    phase = host.phases[0]
    empty = at_rest(phase.framework.to_atoms())
    ions = Atoms("Li4", scaled_positions=phase.sites, cell=phase.framework.to_atoms().cell)
    full = at_rest(phase.framework.to_atoms() + ions)
    metal = at_rest(read(TOY / "metal.xyz"))
    inserted = (full.get_potential_energy() - empty.get_potential_energy()) / 4
    voltage = metal.get_potential_energy() - inserted
    mean = np.trapezoid(isotherm.voltage[:, -1], isotherm.x, axis=-1) / np.ptp(isotherm.x)
    assert mean[0] == pytest.approx(voltage, abs=0.15)
    assert structures.temperature == 298.0
    assert structures.largest_grade.shape == structures.volume.shape
    assert np.all(structures.largest_grade > 0)  # every member's walkers were graded
    card = PotentialCard.load(run / "potential" / "potential_card.json")
    assert len(card.selections) == len(card.members)  # a bootstrap committee
    growth = structures.volume[0, -1] / structures.volume[0, 0]
    assert growth == pytest.approx(full.get_volume() / empty.get_volume(), abs=0.05)
    assert np.all(rates.finished)
    assert np.all(rates.capacity > 0)


def at_rest(atoms: Atoms) -> Atoms:
    atoms.pbc = True
    atoms.calc = Pairs()
    assert FIRE(FrechetCellFilter(atoms), logfile=None).run(fmax=0.02, steps=200)
    return atoms


def check_remarks_and_citations(run: Path) -> None:
    found = contracts(run)
    for name in ("labels/dataset", "learning/dataset", "potential/potential_card", "card/material_card"):
        assert REMARK in found[name].validity.remarks, name
    assert REMARK in found["electrode/rate_capability"].validity.remarks
    page = (run / "report.html").read_text()
    assert page.count(REMARK) == 2  # as a warning, and in the recipe
    for key in ("larsen2017", "podryabinkin2017", "goreinov2010", "duane1987", "cahn1958"):
        assert f"{{{key}," in page
    assert "deng2023" not in page


def check_repeated_interfaces(recipe: Recipe, run: Path) -> None:
    """What is computed again comes out the same, and nothing below it is touched."""
    before = contracts(run)
    shutil.rmtree(run / "interfaces")
    assert run_stages(recipe, run, LADDER).computed == ABOVE["interfaces"]
    assert {name: item.content_hash for name, item in contracts(run).items()} == {
        name: item.content_hash for name, item in before.items()
    }


def check_deletions(recipe: Recipe, run: Path, saved: Path) -> None:
    """Every stage in turn; stages put back their outputs, so that only the bookkeeping takes time."""
    shutil.copytree(run, saved)

    def put_back(context: StageContext) -> None:
        for path in (saved / context.stage.name).iterdir():
            if path.name != "stage.json":
                shutil.copy(path, context.folder)

    ladder: tuple[Stage, ...] = tuple(dataclasses.replace(stage, compute=put_back) for stage in LADDER)
    for name in STAGES:
        shutil.rmtree(run / name)
        assert run_stages(recipe, run, ladder).computed == ABOVE[name], name
        assert run_stages(recipe, run, ladder).computed == ()
