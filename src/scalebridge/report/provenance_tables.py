"""Tables of what was run: inputs, stages, contracts, versions."""

from typing import Any

from scalebridge.contracts import Dataset, Host, Solution
from scalebridge.report.numbers import duration, formula
from scalebridge.report.run_folder import STAGES, RunContents
from scalebridge.report.tables import Table


def inputs_table(run: RunContents) -> Table:
    """Return host, reference calculator, seed, profile and data set."""
    rows: list[tuple[str, str]] = []
    host = run.get("host/host.json", Host)
    if host is not None:
        largest = host.sites_per_formula_unit
        rows.append(("host", f"{formula(host.name)}: {host.ion}ₓ{formula(host.formula)}, 0 ≤ x ≤ {largest}"))
        rows.extend((f"structure '{phase.name}'", phase.source) for phase in host.phases)
        rows.append((f"metal reference {host.ion}", host.metal_source))
    settings = run.recipe
    rows.append(("recipe's host", _text(settings, "host", "name")))
    rows.append(("reference calculator", _text(settings, "oracle", "calculator")))
    rows.append(("correction added to it", _text(settings, "oracle", "correction")))
    dataset = run.get("learning/dataset.json", Dataset) or run.get("labels/dataset.json", Dataset)
    if dataset is not None:
        rows.append(("level of theory", dataset.level_of_theory))
        sizes = f"{dataset.training_size} for training, {dataset.held_out_size} held out"
        rows.append(("labelled structures", f"{sizes}, {dataset.failed} set aside"))
    rows.append(("profile", _text(settings, "profile")))
    rows.append(("seed", _text(settings, "seed")))
    return Table(("input", "value"), tuple((name, value) for name, value in rows if value))


def _text(content: dict[str, Any], *keys: str) -> str:
    value: Any = content
    for key in keys:
        if not isinstance(value, dict):
            return ""
        value = value.get(key, "")
    return "" if isinstance(value, dict) else str(value)


def stage_table(run: RunContents) -> Table:
    """Return state, start, wall time and key of every stage."""
    rows = []
    for stage in STAGES:
        manifest = run.manifests.get(stage)
        if manifest is None:
            rows.append((stage, "not run", "", "", "", ""))
            continue
        status = manifest.status if manifest.sound or manifest.status != "done" else "done, not sound"
        reused = str(manifest.reused_units) if manifest.reused_units else ""
        wall = duration(manifest.wall_time) if manifest.wall_time else ""
        rows.append(
            (stage, status, manifest.started.replace("T", " ").split("+")[0], wall, reused, manifest.key[:12])
        )
    total = sum(manifest.wall_time for manifest in run.manifests.values())
    rows.append(("all", "", "", duration(total), "", ""))
    header = ("stage", "state", "started (UTC)", "wall time", "units from a stopped run", "key")
    return Table(header, tuple(rows))


def contracts_table(run: RunContents) -> Table:
    """Return the content hash and the parents of every contract; solutions as a count."""
    rows = []
    names = {contract.content_hash: name for name, contract in run.contracts.items()}
    for name, contract in run.contracts.items():
        if isinstance(contract, Solution):
            continue
        parents = ", ".join(
            names.get(digest, f"{parent} {digest[:12]}")
            for parent, digest in contract.provenance.parents.items()
        )
        rows.append((name, contract.content_hash[:16], contract.provenance.recipe_hash[:12], parents))
    solutions = len(run.solutions())
    caption = f"Content hashes (SHA-256, first 16 digits); {solutions} solved discharges not listed."
    return Table(("contract", "hash", "recipe", "made from"), tuple(rows), caption)


def versions_table(run: RunContents) -> Table:
    """Return every version that any stage recorded; more than one where stages differ."""
    found: dict[str, list[str]] = {}
    for manifest in run.manifests.values():
        for name, version in manifest.versions.items():
            if version not in found.setdefault(name, []):
                found[name].append(version)
    rows = tuple((name, ", ".join(versions)) for name, versions in found.items())
    return Table(("software", "version"), rows)
