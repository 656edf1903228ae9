"""The recipe: everything that decides a run's numbers, read from TOML, profiles merged, content hashed."""

import tomllib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, ValidationError

from scalebridge.contracts import Provenance
from scalebridge.foundation import InputError, hash_file, hash_json
from scalebridge.materials import load_design
from scalebridge.pipeline.locations import (
    bundled_hosts,
    correction_path,
    design_path,
    folder_hash,
    host_folder,
    labels_path,
    prior_path,
)
from scalebridge.pipeline.recipe_errors import describe_problem
from scalebridge.pipeline.sections import (
    ElectrodeSection,
    HostSection,
    InterfacesSection,
    LabelsSection,
    LearningSection,
    Located,
    OracleSection,
    PotentialSection,
    Section,
    ThermodynamicsSection,
    TransportSection,
    VerificationSection,
    WithoutEffect,
)
from scalebridge.pipeline.toml_writer import dump_toml

Content = dict[str, Any]


class Recipe(Section):
    """A resolved recipe: one profile merged in, paths absolute."""

    host: HostSection
    oracle: OracleSection | None = None
    """The reference calculator; left out where ``labels.given`` holds all there is."""
    labels: LabelsSection
    learning: LearningSection
    potential: PotentialSection
    verification: VerificationSection = VerificationSection()
    thermodynamics: ThermodynamicsSection
    transport: TransportSection
    interfaces: InterfacesSection = InterfacesSection()
    electrode: ElectrodeSection = ElectrodeSection()
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of every random stream of the run."""
    profile: Annotated[str, WithoutEffect()] = "quick"
    """Name of the profile that was merged in."""

    @cached_property
    def temperature(self) -> float:
        """Temperature of the electrode [K], from its design: the one for which the rungs below compute.

        A part of the content of its own, so that a stage can depend on it and not on the whole design.
        """
        path = design_path(self.electrode.design, self.host.name)
        return float(load_design(path, Provenance(code_version="", recipe_hash="")).temperature)

    @cached_property
    def content(self) -> Content:
        """What decides the run's numbers, as read when the recipe was loaded: what hashes are taken of."""
        return _hashable(self, self.host.name) | {"temperature": self.temperature}

    @property
    def hash(self) -> str:
        """SHA-256 of the resolved content, files it points to included."""
        return hash_json(self.content)

    def part(self, names: tuple[str, ...]) -> Content:
        """Return the content of the named sections (``temperature`` is one): what a stage depends on."""
        return {name: self.content[name] for name in names}

    def view(self, names: tuple[str, ...]) -> "Recipe":
        """Return a copy in which only the named sections can be read; any other raises AttributeError."""
        view = self.model_copy()
        for name in {*type(self).model_fields, "temperature"} - {*names, "profile"}:
            view.__dict__.pop(name, None)
        return view

    def save(self, path: Path) -> Path:
        """Write the resolved recipe as TOML; loading it again gives the same hash."""
        content = self.model_dump(mode="json")
        scalars = {"profile": content.pop("profile"), "seed": content.pop("seed")}
        text = dump_toml(scalars | content) + f"\n[profiles.{self.profile}]\n"
        temporary = path.with_suffix(path.suffix + ".part")
        temporary.write_text("# The recipe of this run, profile merged in.\n" + text)
        temporary.replace(path)
        return path


def load_recipe(path: Path, *, profile: str | None = None, seed: int | None = None) -> Recipe:
    """Read a recipe, merge one profile over it and check it; the other profiles are checked as well.

    Parameters
    ----------
    path
        The TOML file.
    profile, seed
        Replace the recipe's own.

    Raises
    ------
    InputError
        If the file cannot be read or breaks a rule: one line with file, key, value, rule and way out.
    """
    content = _read(path)
    profiles = content.pop("profiles", {})
    wanted = profile or content.get("profile", "quick")
    if wanted not in profiles and (profiles or profile is not None):
        raise InputError(
            f"{path}: profile = '{wanted}': the recipe has no such profile; "
            f"choose one of {', '.join(profiles) or '(none)'} or add a section [profiles.{wanted}]"
        )
    changes = {"profile": wanted} | ({} if seed is None else {"seed": seed})
    for name, override in profiles.items():
        _resolve(path, content, override, {"profile": name})
    recipe = _resolve(path, content, profiles.get(wanted, {}), changes)
    _ = recipe.content  # files are read now, not when they may have been edited during the run
    return recipe


def _read(path: Path) -> Content:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; 'scalebridge init DIR' writes a recipe to edit") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give a recipe file you may read"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}; correct the file there") from None


def _resolve(path: Path, content: Content, override: Content, changes: Content) -> Recipe:
    if not isinstance(override, Mapping):
        raise InputError(f"{path}: a profile is a table, not {override!r}; write [profiles.quick.learning]")
    merged = _merge(_merge(content, override), changes)
    try:
        recipe = Recipe.model_validate(_tuples(merged))
    except ValidationError as error:
        profile = changes["profile"]
        raise InputError(
            f"{path}: {describe_problem(error, Recipe, override=override, profile=profile)}"
        ) from None
    return _locate(recipe, path)


def _merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> Content:
    """Merge deeply: tables key by key, anything else replaced."""
    merged = dict(base)
    for key, value in override.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _locate(recipe: Recipe, path: Path) -> Recipe:
    """Make paths absolute (relative ones start at the recipe's folder) and check that they exist."""
    host, design = recipe.host.name, recipe.electrode.design
    if host not in bundled_hosts():
        host = str((path.parent / Path(host).expanduser()).resolve())
    if design != "bundled":
        design = str((path.parent / Path(design).expanduser()).resolve())
    oracle, labels, potential = recipe.oracle, recipe.labels, recipe.potential
    try:
        design_path(design, host)
        if oracle is not None:
            correction = _host_file(oracle.correction, path, host, correction_path)
            oracle = oracle.model_copy(update={"correction": correction})
        given = _host_file(labels.given, path, host, labels_path)
        prior = _host_file(potential.prior, path, host, prior_path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return recipe.model_copy(
        update={
            "host": recipe.host.model_copy(update={"name": host}),
            "oracle": oracle,
            "labels": labels.model_copy(update={"given": given}),
            "potential": potential.model_copy(update={"prior": prior}),
            "electrode": recipe.electrode.model_copy(update={"design": design}),
        }
    )


def _host_file(value: str | None, path: Path, host: str, check: Callable[[str, str], Path]) -> str | None:
    """Return a file's name where it lies in the host's folder, else its absolute path."""
    if value is None or (host_folder(host) / value).is_file():
        return value
    value = str((path.parent / Path(value).expanduser()).resolve())
    check(value, host)
    return value


def _hashable(section: BaseModel, host: str) -> Content:
    """Return what decides numbers: settings without effect left out, locations replaced by their content."""
    content: Content = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if any(isinstance(mark, WithoutEffect) for mark in field.metadata):
            continue
        if isinstance(value, BaseModel):
            content[name] = _hashable(value, host)
        elif kinds := [mark.kind for mark in field.metadata if isinstance(mark, Located)]:
            if value is not None:
                content[name] = _LOCATED[kinds[0]](value, host)
        else:
            content[name] = value
    return content


_LOCATED: Final[Mapping[str, Callable[[str, str], str]]] = {
    "host": lambda value, _: folder_hash(host_folder(value)),
    "design": lambda value, host: hash_file(design_path(value, host)),
    "correction": lambda value, host: hash_file(correction_path(value, host)),
    "labels": lambda value, host: hash_file(labels_path(value, host)),
    "prior": lambda value, host: hash_file(prior_path(value, host)),
}
