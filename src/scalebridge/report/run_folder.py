"""What a run folder holds: contracts, manifests, recipe. A file that is missing is named, never guessed."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from scalebridge.contracts import (
    Contract,
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
    Solution,
    StructureTable,
    TracerDiffusivity,
    VerificationRuns,
)
from scalebridge.foundation import InputError, StoreError
from scalebridge.pipeline import LADDER, Manifest

STAGES: Final = tuple(stage.name for stage in LADDER)
FILES: Final[dict[str, type[Contract]]] = {
    "host/host.json": Host,
    "labels/dataset.json": Dataset,
    "learning/dataset.json": Dataset,
    "learning/learning_history.json": LearningHistory,
    "learning/learning_cost.json": LearningCost,
    "potential/potential_card.json": PotentialCard,
    "verification/verification_runs.json": VerificationRuns,
    "thermodynamics/structure_table.json": StructureTable,
    "thermodynamics/isotherm.json": Isotherm,
    "thermodynamics/homogeneous_free_energy.json": HomogeneousFreeEnergy,
    "transport/tracer_diffusivity.json": TracerDiffusivity,
    "transport/jump_diffusivity.json": JumpDiffusivity,
    "interfaces/interface_energies.json": InterfaceEnergies,
    "card/material_card.json": MaterialCard,
    "electrode/electrode_design.json": ElectrodeDesign,
    "electrode/rate_capability.json": RateCapability,
}
C = TypeVar("C", bound=Contract)


@dataclass(frozen=True)
class RunContents:
    """A run as read from disk; any part may be missing."""

    path: Path
    contracts: dict[str, Contract]
    """Contract by its path inside the run folder."""
    manifests: dict[str, Manifest]
    """By stage."""
    recipe_text: str
    recipe: dict[str, Any]
    problems: tuple[str, ...]
    """Files that are missing or could not be read, in plain words."""

    def get(self, name: str, kind: type[C]) -> C | None:
        """Return the contract at ``name`` inside the folder, or None where it is missing."""
        contract = self.contracts.get(name)
        return contract if isinstance(contract, kind) else None

    def solutions(self) -> list[Solution]:
        """Return the electrode's solutions in the order of rate and member."""
        found = [item for item in self.contracts.values() if isinstance(item, Solution)]
        return sorted(found, key=lambda item: (item.c_rate or 0.0, item.member))


def read_run_folder(path: Path) -> RunContents:
    """Read everything a run folder holds.

    Raises
    ------
    InputError
        If ``path`` is no folder or holds neither a recipe nor any stage.
    """
    if not (path / "recipe.toml").is_file() and not any((path / stage).is_dir() for stage in STAGES):
        raise InputError(
            f"{path}: no run folder (it holds neither recipe.toml nor a stage); give the folder that "
            "'scalebridge run … --out DIR' wrote"
        )
    contracts, problems = _read_contracts(path)
    manifests, damaged = _read_manifests(path)
    problems.extend(damaged)
    recipe_file = path / "recipe.toml"
    text = recipe_file.read_text() if recipe_file.is_file() else ""
    if not text:
        problems.append("recipe.toml is missing: what this run was asked to do cannot be shown")
    return RunContents(
        path=path,
        contracts=contracts,
        manifests=manifests,
        recipe_text=text,
        recipe=tomllib.loads(text),
        problems=tuple(problems),
    )


def _read_contracts(path: Path) -> tuple[dict[str, Contract], list[str]]:
    contracts: dict[str, Contract] = {}
    problems = []
    files = dict(FILES)
    for solution in sorted((path / "electrode").glob("solution_m*_c*.json")):
        files[f"electrode/{solution.name}"] = Solution
    for name, kind in files.items():
        if not (path / name).is_file():
            continue
        try:
            contracts[name] = kind.load(path / name)
        except InputError as error:
            problems.append(f"{name} could not be read and is left out: {error}")
    return contracts, problems + _name_missing(path)


def _name_missing(path: Path) -> list[str]:
    absent: list[str] = []
    problems: list[str] = []
    for stage in STAGES:
        expected = [name for name in FILES if name.startswith(f"{stage}/")]
        missing = [name for name in expected if not (path / name).is_file()]
        if len(missing) == len(expected):
            absent.append(stage)
        else:
            problems.extend(f"{name} is missing: what depends on it is left out" for name in missing)
    if absent:
        problems.insert(0, f"not run or not finished: {', '.join(absent)}; what needs them is left out")
    return problems


def _read_manifests(path: Path) -> tuple[dict[str, Manifest], list[str]]:
    manifests, problems = {}, []
    for stage in STAGES:
        try:
            manifest = Manifest.load(path / stage)
        except StoreError as error:
            problems.append(str(error))
            continue
        if manifest is not None:
            manifests[stage] = manifest
            if manifest.status == "done" and not manifest.outputs_intact(path / stage):
                problems.append(
                    f"files of stage '{stage}' were changed or removed after the stage wrote them"
                )
    return manifests, problems
