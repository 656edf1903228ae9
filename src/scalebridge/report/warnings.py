"""Everything a reader must know before using the numbers, in plain words."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from scalebridge.contracts import (
    Contract,
    DiffusivitySample,
    ElectrodeDesign,
    InterfaceEnergies,
    PotentialCard,
    RateCapability,
    Solution,
    TracerDiffusivity,
)
from scalebridge.pipeline import Manifest, merge_members
from scalebridge.plotting import normal_name
from scalebridge.report.numbers import error_alone
from scalebridge.report.run_folder import RunContents

NOMINAL_COVERAGE = 0.9
"""Coverage of the committee's 90 % band if its spread were the error."""
COVERAGE_TOLERANCE = 0.1
TEMPERATURE_TOLERANCE = 5.0
"""The electrode's temperature may miss a range by this much without a word [K]."""
LARGE_ERROR = 0.5
"""Standard errors of γ above this fraction of it are told."""


@dataclass(frozen=True)
class Warned:
    """One warning and where it comes from."""

    place: str
    text: str
    grave: bool = False
    """True where results must not be trusted."""


def collect_warnings(run: RunContents) -> list[Warned]:
    """Return missing parts, the stages' own warnings and what the numbers say, grave ones first."""
    found = [Warned("run folder", problem) for problem in run.problems]
    for stage, manifest in run.manifests.items():
        found.extend(_judge_manifest(stage, manifest))
    for name, contract in run.contracts.items():
        found.extend(Warned(_stage(name), text) for text in _judge(contract))
    found.extend(Warned("electrode", text) for text in _outside_validity(run))
    return sorted(_merged(found), key=lambda warning: not warning.grave)


def collect_remarks(run: RunContents) -> list[Warned]:
    """Return the remarks on validity of all contracts, without what the stages warn of anyway.

    A remark that a contract took over from its parents is told once, where it arose; what each discharge says
    of its own member the rate capability says of all.
    """
    told = {text for manifest in run.manifests.values() for text in manifest.warnings}
    summed = any(isinstance(contract, RateCapability) for contract in run.contracts.values())
    remarks: list[Warned] = []
    for name, contract in run.contracts.items():
        if summed and isinstance(contract, Solution):
            continue
        remarks += [Warned(_stage(name), text) for text in contract.validity.remarks if text not in told]
        told.update(contract.validity.remarks)
    return _merged(remarks)


def _stage(name: str) -> str:
    return name.split("/", maxsplit=1)[0]


def _merged(warnings: Iterable[Warned]) -> list[Warned]:
    """Return each text once; texts that differ only in the member become one."""
    groups: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for warning in warnings:
        groups[warning.place, warning.grave].append(warning.text)
    return [
        Warned(place, text, grave)
        for (place, grave), texts in groups.items()
        for text in merge_members(texts)
    ]


def _judge_manifest(stage: str, manifest: Manifest) -> list[Warned]:
    found = [Warned(stage, f"not sound: {reason}", grave=True) for reason in manifest.unsound]
    if manifest.status != "done":
        cause = f": {manifest.error}" if manifest.error else ""
        found.append(Warned(stage, f"the stage is {manifest.status}{cause}", grave=True))
    return found + [Warned(stage, text) for text in manifest.warnings]


def _judge(contract: Contract) -> list[str]:
    if isinstance(contract, PotentialCard):
        return _judge_potential(contract)
    if isinstance(contract, TracerDiffusivity):
        return _judge_transport(contract)
    if isinstance(contract, Solution) and not {"boundary_level", "front_level"} <= contract.fields.keys():
        return [
            "the discharges do not say where their phase boundaries lie and are not mapped; run the "
            "electrode stage again with this version of scalebridge"
        ]
    if isinstance(contract, InterfaceEnergies):
        return _judge_interfaces(contract)
    return []


def _judge_potential(card: PotentialCard) -> list[str]:
    if card.committee_coverage >= NOMINAL_COVERAGE - COVERAGE_TOLERANCE:
        return []
    return [
        f"only {100 * card.committee_coverage:.0f} % of held-out energy errors lie inside the committee's "
        "90 % band: the member spread understates the error of the potential"
    ]


def _judge_transport(diffusivity: TracerDiffusivity) -> list[str]:
    """Say where diffusivities are upper bounds, why, and for how many members."""
    groups: dict[tuple[float, float], list[DiffusivitySample]] = defaultdict(list)
    for sample in diffusivity.samples:
        groups[sample.x, sample.temperature].append(sample)
    still: list[str] = []
    stuck: list[str] = []
    for (x, kelvin), samples in sorted(groups.items()):
        bounded = [sample.hops for sample in samples if sample.upper_bound]
        where = f"x = {x:.3g}, {kelvin:.0f} K"
        for places, count in ((still, bounded.count(0)), (stuck, len(bounded) - bounded.count(0))):
            if count:
                places.append(f"{where} in {count} of {len(samples)} members")
    reasons = (("no hop was seen", still), ("ions hopped but their displacement did not grow", stuck))
    return [
        f"{reason} at {'; '.join(places)}: these members' diffusivities there are upper bounds"
        for reason, places in reasons
        if places
    ]


def _judge_interfaces(interfaces: InterfaceEnergies) -> list[str]:
    """Say where arrangements of the ions leave γ, and κ with it, open."""
    gamma, error = interfaces.interface_energy, interfaces.interface_energy_error
    large = error > LARGE_ERROR * np.abs(gamma)
    return [
        f"normal {normal_name(interfaces.normals[index])}: the standard error of the interface energy over "
        f"arrangements of the ions is more than half of it for {large[:, index].sum()} of {len(gamma)} "
        f"members (member 0: {1e3 * gamma[0, index]:.3g} mJ/m², error "
        f"{error_alone(1e3 * error[0, index])}), and κ is as uncertain; raise interfaces.arrangements"
        for index in np.flatnonzero(large.any(axis=0))
    ]


def _outside_validity(run: RunContents) -> list[str]:
    """Say what was determined at other temperatures than the electrode's, and how far away."""
    design = run.get("electrode/electrode_design.json", ElectrodeDesign)
    if design is None:
        return []
    kelvin = design.temperature.value
    outside: dict[tuple[float, float], list[str]] = defaultdict(list)
    for name, contract in run.contracts.items():
        limits = contract.validity.temperature
        if limits is not None and not (
            limits[0] - TEMPERATURE_TOLERANCE <= kelvin <= limits[1] + TEMPERATURE_TOLERANCE
        ):
            outside[limits].append(name.split("/")[-1].removesuffix(".json").replace("_", " "))
    return [
        f"the electrode runs at {kelvin:g} K; {', '.join(names)}: determined {_range(limits)}, used beyond"
        for limits, names in outside.items()
    ]


def _range(limits: tuple[float, float]) -> str:
    low, high = limits
    return f"at {low:g} K" if low == high else f"between {low:g} and {high:g} K"
