"""Everything a reader must know before using the numbers, in plain words."""

from dataclasses import dataclass

import numpy as np

from scalebridge.contracts import (
    Contract,
    ElectrodeDesign,
    InterfaceEnergies,
    PotentialCard,
    TracerDiffusivity,
)
from scalebridge.pipeline import Manifest
from scalebridge.plotting import normal_name
from scalebridge.report.run_folder import RunContents

NOMINAL_COVERAGE = 0.9
"""Coverage of the committee's 90 % band if its spread were the error."""
COVERAGE_TOLERANCE = 0.1


@dataclass(frozen=True)
class Warned:
    """One warning and where it comes from."""

    place: str
    text: str
    grave: bool = False
    """True where results must not be trusted."""


def collect_warnings(run: RunContents) -> list[Warned]:
    """Return missing parts, the stages' own warnings, remarks on validity and what the numbers say."""
    found = [Warned("run folder", problem) for problem in run.problems]
    for stage, manifest in run.manifests.items():
        found.extend(_judge_manifest(stage, manifest))
    for name, contract in run.contracts.items():
        found.extend(Warned(name.split("/")[0], remark) for remark in contract.validity.remarks)
        found.extend(_judge(name.split("/")[0], contract))
    found.extend(_outside_validity(run))
    first = {warning.text: warning for warning in reversed(found)}
    unique = [warning for warning in found if first[warning.text] is warning]
    return sorted(unique, key=lambda warning: not warning.grave)


def _judge_manifest(stage: str, manifest: Manifest) -> list[Warned]:
    found = [Warned(stage, f"not sound: {reason}", grave=True) for reason in manifest.unsound]
    if manifest.status != "done":
        cause = f": {manifest.error}" if manifest.error else ""
        found.append(Warned(stage, f"the stage is {manifest.status}{cause}", grave=True))
    return found + [Warned(stage, text) for text in manifest.warnings]


def _judge(stage: str, contract: Contract) -> list[Warned]:
    texts: list[str] = []
    if isinstance(contract, PotentialCard):
        texts = _judge_potential(contract)
    elif isinstance(contract, TracerDiffusivity):
        texts = _judge_transport(contract)
    elif isinstance(contract, InterfaceEnergies):
        texts = _judge_interfaces(contract)
    return [Warned(stage, text) for text in texts]


def _judge_potential(card: PotentialCard) -> list[str]:
    if card.committee_coverage >= NOMINAL_COVERAGE - COVERAGE_TOLERANCE:
        return []
    return [
        f"only {100 * card.committee_coverage:.0f} % of held-out energy errors lie inside the committee's "
        "90 % band: the member spread understates the error of the potential"
    ]


def _judge_transport(diffusivity: TracerDiffusivity) -> list[str]:
    bounded = [sample for sample in diffusivity.samples if sample.upper_bound]
    if not bounded:
        return []
    places = sorted({f"x = {sample.x:.3g} at {sample.temperature:.0f} K" for sample in bounded})
    return [f"no hop was seen at {', '.join(places)}: these diffusivities are upper bounds"]


def _judge_interfaces(interfaces: InterfaceEnergies) -> list[str]:
    texts = []
    absent = np.flatnonzero(interfaces.gradient_energy[0] <= 0)
    if absent.size:
        normals = ", ".join(normal_name(interfaces.normals[index]) for index in absent)
        texts.append(f"no stable interface for the normals {normals}: no gradient energy follows from them")
    return texts


def _outside_validity(run: RunContents) -> list[Warned]:
    design = run.get("electrode/electrode_design.json", ElectrodeDesign)
    if design is None:
        return []
    kelvin = design.temperature.value
    found = []
    for name, contract in run.contracts.items():
        limits = contract.validity.temperature
        if limits is not None and not limits[0] - 1 <= kelvin <= limits[1] + 1:
            found.append(
                Warned(
                    "electrode",
                    f"the electrode runs at {kelvin:g} K, outside {limits[0]:g} … {limits[1]:g} K in which "
                    f"{name} was determined: its numbers are extrapolated",
                )
            )
    return found
