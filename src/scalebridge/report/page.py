"""The page: everything a run folder holds, in one self-contained file."""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment
from markupsafe import Markup

from scalebridge.contracts import (
    Dataset,
    ElectrodeDesign,
    HomogeneousFreeEnergy,
    Host,
    InterfaceEnergies,
    Isotherm,
    JumpDiffusivity,
    LearningCost,
    LearningHistory,
    MaterialCard,
    PotentialCard,
    RateCapability,
    StructureTable,
    TracerDiffusivity,
    VerificationRuns,
)
from scalebridge.electrode import CellModel
from scalebridge.foundation import ScalebridgeError, StoreError, constants
from scalebridge.foundation.citations import bibtex, entries
from scalebridge.report.electrode_tables import design_table, limits_table
from scalebridge.report.figures import build_images
from scalebridge.report.learning_tables import dead_end_table, labels_table, learning_table
from scalebridge.report.numbers import formula
from scalebridge.report.provenance_tables import (
    contracts_table,
    inputs_table,
    stage_table,
    versions_table,
)
from scalebridge.report.reference_tables import reference_voltage_table, relaxed_table
from scalebridge.report.run_folder import RunContents, read_run_folder
from scalebridge.report.tables import (
    ROOM_TEMPERATURE,
    Table,
    comparison_table,
    diffusivity_table,
    error_by_x_table,
    error_table,
    headline_table,
    interface_table,
    strain_table,
    structure_rows,
    tensor_table,
)
from scalebridge.report.verification_tables import verification_table, wanted_table
from scalebridge.report.warnings import Warned, collect_remarks, collect_warnings

FILE: Final = "report.html"
_CONTENTS: Final = (
    ("run", "What was run"),
    ("potential", "Potential"),
    ("thermodynamics", "Structures, voltage, free energy"),
    ("transport", "Transport"),
    ("interfaces", "Interfaces and strain"),
    ("electrode", "Electrode"),
    ("citations", "Methods to cite"),
    ("provenance", "Hashes and versions"),
)


def write_report(run_folder: Path) -> Path:
    """Write ``report.html`` from what the run folder holds, finished or not.

    Returns
    -------
    path
        The page: one file without any external reference.

    Raises
    ------
    InputError
        If the folder is no run folder.
    StoreError
        If the page cannot be written.
    """
    text = render(read_run_folder(run_folder))
    path = run_folder / FILE
    temporary = path.with_suffix(".html.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); make the folder writable") from error
    return path


def render(run: RunContents) -> str:
    """Return the page's HTML."""
    host = run.get("host/host.json", Host)
    design = run.get("electrode/electrode_design.json", ElectrodeDesign)
    temperature = ROOM_TEMPERATURE if design is None else design.temperature.value
    keys, unknown = _citations(run)
    warned = collect_warnings(run) + [Warned("citations", f"unknown citation key '{key}'") for key in unknown]
    tables, texts = _tables(run, host, temperature)
    name = run.path.resolve().name if host is None else formula(host.name)
    context: dict[str, Any] = {
        "title": f"From structure to rate capability: {name}",
        "subtitle": _subtitle(run, host),
        "css": Markup(_template("report.css")),
        "contents": _CONTENTS,
        "warnings": warned,
        "remarks": collect_remarks(run),
        "images": build_images(run, temperature),
        "tables": tables,
        "texts": texts,
        "recipe_text": run.recipe_text,
        "bibtex": bibtex(keys),
    }
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_template("report.html.j2")).render(context) + "\n"


def _template(name: str) -> str:
    return files("scalebridge.report").joinpath("templates", name).read_text(encoding="utf-8")


def _subtitle(run: RunContents, host: Host | None) -> str:
    parts = []
    if host is not None:
        parts.append(f"{host.ion} in {formula(host.formula)}")
    if profile := run.recipe.get("profile"):
        parts.append(f"profile {profile}")
    if run.manifests:
        parts.append(f"started {_minute(min(m.started for m in run.manifests.values()))} UTC")
    versions = {contract.provenance.code_version for contract in run.contracts.values()}
    parts.extend(f"scalebridge {version}" for version in sorted(versions))
    return " · ".join(parts)


def _minute(moment: str) -> str:
    """Return an ISO 8601 time to the minute."""
    return moment[:16].replace("T", " ")


def _citations(run: RunContents) -> tuple[list[str], list[str]]:
    keys: Iterable[str] = (key for contract in run.contracts.values() for key in contract.citations)
    unique = list(dict.fromkeys(keys))
    return [key for key in unique if key in entries()], [key for key in unique if key not in entries()]


def _tables(
    run: RunContents, host: Host | None, temperature: float
) -> tuple[dict[str, Table | None], dict[str, str]]:
    tables: dict[str, Table | None] = {
        "inputs": inputs_table(run),
        "stages": stage_table(run),
        "contracts": contracts_table(run),
        "versions": versions_table(run),
    }
    texts: dict[str, str] = {}
    _add_atomistic(run, tables, texts)
    _add_reference(run, tables)
    _add_thermodynamics(run, host, temperature, tables, texts)
    _add_electrode(run, host, tables, texts)
    return tables, texts


def _add_atomistic(run: RunContents, tables: dict[str, Table | None], texts: dict[str, str]) -> None:
    card = run.get("potential/potential_card.json", PotentialCard)
    if card is not None:
        tables["errors"] = error_table(card)
        by_x = card.errors_by_x or card.explored_errors_by_x
        tables["errors_by_x"] = error_by_x_table(card) if by_x else None
        texts["potential"] = _potential_text(card)
    history = run.get("learning/learning_history.json", LearningHistory)
    if history is not None and history.steps:
        tables["learning"] = learning_table(history)
        cost = run.get("learning/learning_cost.json", LearningCost)
        tables["learning_labels"] = labels_table(history, cost)
        tables["dead_ends"] = dead_end_table(history)
    if history is not None and history.wanted_states:
        tables["wanted"] = wanted_table(history)
    verification = run.get("verification/verification_runs.json", VerificationRuns)
    if verification is not None:
        tables["verification"] = verification_table(verification)
    tracer = run.get("transport/tracer_diffusivity.json", TracerDiffusivity)
    jump = run.get("transport/jump_diffusivity.json", JumpDiffusivity)
    if tracer is not None or jump is not None:
        tables["diffusivity"] = diffusivity_table(tracer, jump)
    interfaces = run.get("interfaces/interface_energies.json", InterfaceEnergies)
    if interfaces is not None:
        tables["interfaces"], tables["strain"] = interface_table(interfaces), strain_table(interfaces)
        last = int(np.argmax(interfaces.x))
        caption = f"Eigenstrain ε⁰ (%) at x = {interfaces.x[last]:.3g} against the empty host, member 0."
        strain = 100 * interfaces.eigenstrain[0, last]
        tables["eigenstrain"] = tensor_table(strain, ("x", "y", "z"), caption, 2)
        for end, name in ((0, "low"), (1, "high")):
            theta = interfaces.theta_low if end == 0 else interfaces.theta_high
            caption = f"Stiffness (GPa) at θ = {theta:g}, relaxed ions, member 0."
            stiffness = interfaces.stiffness[0, end] / 1e9
            labels = ("xx", "yy", "zz", "yz", "xz", "xy")
            tables[f"stiffness_{name}"] = tensor_table(stiffness, labels, caption, 1)


def _potential_text(card: PotentialCard) -> str:
    state = "is converged" if card.converged else "is NOT converged"
    return (
        f"Moment tensor potentials of level {card.level}, cutoff {card.cutoff / constants.ANGSTROM:.1f} Å, "
        f"for {', '.join(card.species)}: one best estimate (member 0) and a committee of "
        f"{len(card.members) - 1}. Active learning {state}. "
        f"{100 * card.committee_coverage:.0f} % of held-out energy errors lie inside the committee's "
        "90 % band. "
        "Condition number of the linear problem: "
        f"{card.condition_number:.1e}. Shortest distance in the training data: "
        f"{card.min_distance / constants.ANGSTROM:.2f} Å."
    )


def _add_reference(run: RunContents, tables: dict[str, Table | None]) -> None:
    dataset = run.get("labels/dataset.json", Dataset)
    if dataset is not None and dataset.relaxed:
        tables["relaxed"] = relaxed_table(dataset)
        tables["reference_voltages"] = (
            reference_voltage_table(dataset) if dataset.reference_voltages else None
        )


def _add_thermodynamics(
    run: RunContents,
    host: Host | None,
    temperature: float,
    tables: dict[str, Table | None],
    texts: dict[str, str],
) -> None:
    structures = run.get("thermodynamics/structure_table.json", StructureTable)
    isotherm = run.get("thermodynamics/isotherm.json", Isotherm)
    free_energy = run.get("thermodynamics/homogeneous_free_energy.json", HomogeneousFreeEnergy)
    if structures is not None:
        tables["structures"] = structure_rows(structures)
    if host is not None and (structures is not None or isotherm is not None):
        tables["comparison"] = comparison_table(host, structures, isotherm, temperature)
    if host is not None and host.literature:
        rows = tuple((item.quantity, item.value, item.source) for item in host.literature)
        caption = "Shown for comparison; never used as an input."
        tables["literature"] = Table(("quantity", "literature", "source"), rows, caption)
    if free_energy is not None:
        residuals = [
            f"{1e3 * float(branch.fit_residual[0].max()) / constants.EV:.2g} meV ({branch.name})"
            for branch in free_energy.branches
        ]
        texts["free_energy"] = (
            "Largest root mean square of sampled − fitted free energy per ion site over the temperatures, "
            f"member 0: {', '.join(residuals)}."
        )


def _add_electrode(
    run: RunContents, host: Host | None, tables: dict[str, Table | None], texts: dict[str, str]
) -> None:
    design = run.get("electrode/electrode_design.json", ElectrodeDesign)
    if design is not None:
        tables["design"] = design_table(design)
    rates = run.get("electrode/rate_capability.json", RateCapability)
    if rates is not None:
        tables["headline"] = headline_table(rates, host)
    card = run.get("card/material_card.json", MaterialCard)
    if rates is not None and design is not None and card is not None:
        try:
            cells = [CellModel.from_card(card, design, member=k) for k in rates.row_members]
        except ScalebridgeError as error:
            texts["limits"] = f"What limits cannot be told: {error}."
        else:
            tables["limits"], texts["limits"] = limits_table(rates, cells)
