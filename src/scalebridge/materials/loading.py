"""Reading of hosts (``host.toml`` with structures), designs (``design.toml``) and measured materials.

They are bundled, or the user's own; both are read and checked in the same way.
"""

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import ase.io
import numpy as np
from ase import Atoms
from ase.formula import Formula
from pydantic import Field, ValidationError

from scalebridge.contracts import (
    ElectrodeDesign,
    Host,
    HostPhase,
    LiteratureValue,
    MeasuredMaterial,
    Provenance,
    Record,
    Structure,
    first_problem,
)
from scalebridge.foundation import FormatError, InputError

HOST_FILE: Final = "host.toml"
MATERIAL_FILE: Final = "material.toml"
GRAM: Final = 1e-3
"""1 g [kg]."""
Model = TypeVar("Model", bound=Record)
Sites = tuple[tuple[float, float, float], ...]


class _MetalEntry(Record):
    structure: str
    source: str


class _PhaseEntry(Record):
    name: str
    framework: str
    formula_units: Annotated[int, Field(gt=0)]
    composition: float
    sites: Sites
    source: str
    structures: str = ""


class _HostFile(Record):
    name: str
    formula: str
    ion: str
    ion_charge: Annotated[int, Field(gt=0)]
    sites_per_formula_unit: Annotated[int, Field(gt=0)]
    mass_composition: Annotated[float, Field(ge=0)]
    metal: _MetalEntry
    phases: tuple[_PhaseEntry, ...]
    literature: tuple[LiteratureValue, ...] = ()
    citations: tuple[str, ...] = ()


def host_names() -> tuple[str, ...]:
    """Return the names of the bundled hosts."""
    return _folders_with(HOST_FILE)


def material_names() -> tuple[str, ...]:
    """Return the names of the bundled measured materials."""
    return _folders_with(MATERIAL_FILE)


def bundled_designs() -> dict[str, Path]:
    """Return the bundled designs: ``HOST`` of its ``design.toml``, ``HOST-VARIANT`` of its others."""
    designs = {}
    for host in host_names():
        for path in sorted(_host_folder(host).glob("design*.toml")):
            designs[host + path.stem.removeprefix("design")] = path
    return designs


def _folders_with(name: str) -> tuple[str, ...]:
    folders = files("scalebridge.materials").iterdir()
    return tuple(sorted(folder.name for folder in folders if folder.joinpath(name).is_file()))


def load_host(folder: str | Path, provenance: Provenance, *, structures: str = "") -> Host:
    """Read a host.

    Parameters
    ----------
    folder
        Name of a bundled host, or path of a folder with ``host.toml`` and the structure files it names.
    provenance
        What the contract shall say it was made by.
    structures
        Which set of phases (their key ``structures``): hosts bring several where calculators differ much.

    Raises
    ------
    InputError
        If there is no such host or set, ``host.toml`` breaks its rules, or a framework is not made of the
        formula.
    FormatError
        If a file is damaged.
    """
    path = _host_folder(folder)
    source = path / HOST_FILE
    entry = _parse(_HostFile, json.dumps(_read_toml(source)), source)
    phases = tuple(_phase(phase, entry, path) for phase in entry.phases if phase.structures == structures)
    if structures and not phases:
        known = ", ".join(sorted({phase.structures for phase in entry.phases} - {""})) or "none"
        raise InputError(
            f"{source}: no phase of the structures '{structures}'; known are {known}, or leave the key out"
        )
    metal = _read_structure(path / entry.metal.structure)
    try:
        return Host(
            provenance=provenance,
            citations=entry.citations,
            name=entry.name,
            formula=entry.formula,
            ion=entry.ion,
            ion_charge=entry.ion_charge,
            sites_per_formula_unit=entry.sites_per_formula_unit,
            phases=phases,
            metal=Structure.from_atoms(metal),
            metal_source=entry.metal.source,
            formula_mass=_formula_mass(entry),
            mass_composition=entry.mass_composition,
            literature=entry.literature,
        )
    except ValidationError as error:
        raise InputError(f"{source}: {first_problem(error)}") from error


def load_design(design: str | Path, provenance: Provenance) -> ElectrodeDesign:
    """Read an electrode design: a bundled one by its name (`bundled_designs`), or a file by its path.

    Raises
    ------
    InputError
        If there is no such file or it breaks the rules of :class:`~scalebridge.contracts.ElectrodeDesign`.
    FormatError
        If the file is not TOML.
    """
    path = bundled_designs().get(str(design), Path(design))
    values = _read_toml(path)
    anode = values.get("anode")
    if isinstance(anode, dict) and isinstance(anode.get("material"), str):
        name = anode["material"]
        material = load_material(name if name in material_names() else path.parent / name, provenance)
        anode["material"] = material.model_dump(mode="json")
    return _parse_contract(ElectrodeDesign, values, path, provenance)


def load_material(material: str | Path, provenance: Provenance) -> MeasuredMaterial:
    """Read a measured material: a bundled one by its name, or a file by its path.

    Raises
    ------
    InputError
        If there is no such file or it breaks the rules of :class:`~scalebridge.contracts.MeasuredMaterial`.
    FormatError
        If the file is not TOML.
    """
    path, bundled = Path(material), material_names()
    if str(material) in bundled:
        path = Path(str(files("scalebridge.materials").joinpath(str(material), MATERIAL_FILE)))
    elif not path.is_file():
        raise InputError(
            f"material '{material}': no such file and no bundled material ({', '.join(bundled)}); give one "
            "of these names or the path of a file"
        )
    return _parse_contract(MeasuredMaterial, _read_toml(path), path, provenance)


def _host_folder(folder: str | Path) -> Path:
    if str(folder) in host_names():
        return Path(str(files("scalebridge.materials").joinpath(str(folder))))
    path = Path(folder).expanduser()
    if (path / HOST_FILE).is_file():
        return path
    raise InputError(
        f"host '{folder}': neither a bundled host ({', '.join(host_names())}) nor a folder with a "
        f"{HOST_FILE}; give one of these names or the path of a host folder"
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of an existing one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not valid TOML: {error}; correct that line") from error


def _parse(model: type[Model], text: str, path: Path) -> Model:
    try:
        return model.model_validate_json(text, by_alias=True, by_name=False)
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}") from error


def _parse_contract(model: type[Model], values: dict[str, Any], path: Path, provenance: Provenance) -> Model:
    values["provenance"] = provenance.model_dump(mode="json")
    return _parse(model, json.dumps(values), path)


def _read_structure(path: Path) -> Atoms:
    try:
        atoms = ase.io.read(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {HOST_FILE} names it") from None
    except Exception as error:  # ASE's readers raise whatever their parsing meets
        raise FormatError(
            f"{path}: not a structure that ASE can read ({error}); write extended xyz"
        ) from error
    if not (isinstance(atoms, Atoms) and atoms.cell.rank == 3):
        raise FormatError(f"{path}: has no three-dimensional cell; write extended xyz with a Lattice entry")
    return atoms


def _phase(phase: _PhaseEntry, entry: _HostFile, folder: Path) -> HostPhase:
    atoms = _read_structure(folder / phase.framework)
    expected = _counts(entry)
    found = atoms.symbols.formula.count()
    wanted = {symbol: count * phase.formula_units for symbol, count in expected.items()}
    if found != wanted:
        raise InputError(
            f"{folder / phase.framework}: holds {atoms.symbols.formula:hill}, but phase '{phase.name}' with "
            f"{phase.formula_units} formula units of {entry.formula} needs {_text(wanted)}; correct the "
            "structure (without the mobile ions), the formula or formula_units"
        )
    return HostPhase(
        name=phase.name,
        framework=Structure.from_atoms(atoms),
        sites=np.array(phase.sites),
        formula_units=phase.formula_units,
        composition=phase.composition,
        source=phase.source,
    )


def _counts(entry: _HostFile) -> dict[str, int]:
    try:
        return dict(Formula(entry.formula, strict=True).count())
    except ValueError as error:
        raise InputError(
            f"formula '{entry.formula}' cannot be read ({error}); write it like MnFe(CN)6"
        ) from error


def _text(counts: dict[str, int]) -> str:
    return f"{Formula.from_dict(counts):hill}"


def _formula_mass(entry: _HostFile) -> float:
    framework = Atoms(entry.formula).get_masses().sum()
    ion = Atoms(entry.ion).get_masses().sum()
    return float(framework + entry.mass_composition * ion) * GRAM
