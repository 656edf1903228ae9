"""MLIP's ``.cfg`` files of labelled structures.

``PlusStress`` is −V σ in ASE's sign [eV], order xx yy zz yz xz xy. Cells with fewer than three vectors are
structures with open directions, as in MLIP.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from scalebridge.foundation import FormatError, InputError
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential.storage import write_atomically
from scalebridge.potential.training import WEIGHT

_STRESS_KEYS: Final = ("xx", "yy", "zz", "yz", "xz", "xy")
_FORCE_KEYS: Final = ("fx", "fy", "fz")
_PLACE_KEYS: Final = tuple(tuple(f"{kind}_{axis}" for axis in "xyz") for kind in ("cartes", "direct"))
_DIGITS: Final = 9
_FLAT: Final = 1e-9
"""Of a cell's volume, relative to the product of its vectors' lengths: it has none."""


class _Reader:
    """Lines of a cfg file with their numbers."""

    def __init__(self, path: Path) -> None:
        try:
            data = path.read_bytes()
            text = data.decode("utf-8")
        except OSError as error:
            raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from error
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise FormatError(f"{path}:{line}: this is no UTF-8 text ({error.reason}); convert it") from error
        self.path = path
        self._lines: Iterator[tuple[int, str]] = enumerate(text.splitlines(), start=1)
        self.number = 0

    def error(self, message: str) -> FormatError:
        return FormatError(f"{self.path}:{self.number}: {message}; the file is damaged or not a .cfg")

    def next(self) -> list[str] | None:
        for number, line in self._lines:
            self.number = number
            words = line.split()
            if words:
                return words
        return None

    def require(self, what: str) -> list[str]:
        words = self.next()
        if words is None:
            raise self.error(f"the file ends where {what} should be")
        return words

    def numbers(self, words: Sequence[str], what: str, count: int) -> FloatArray:
        try:
            values = np.array([float(word) for word in words])
        except ValueError:
            raise self.error(f"{what} holds something that is no number") from None
        if len(values) != count or not np.isfinite(values).all():
            raise self.error(f"{what} needs {count} finite numbers, {len(values)} are there")
        return values


def read_cfg(path: str | Path, *, species: Sequence[str]) -> list[Atoms]:
    """Read labelled structures.

    Parameters
    ----------
    path
        A ``.cfg`` file; several structures may follow each other.
    species
        Chemical symbols by type.

    Returns
    -------
    list of ase.Atoms
        With a ``SinglePointCalculator`` for the energy, forces and stress that the file has, and MLIP's
        features in ``info``.

    Raises
    ------
    FormatError
        On damaged files, with file and line.
    """
    reader = _Reader(Path(path))
    out = []
    while (words := reader.next()) is not None:
        if words[0] != "BEGIN_CFG":
            raise reader.error(f"{words[0][:30]!r} stands where BEGIN_CFG should be")
        out.append(_read_structure(reader, tuple(species)))
    if not out:
        raise reader.error("there is no structure in it")
    return out


def _read_structure(reader: _Reader, species: tuple[str, ...]) -> Atoms:
    size, cell, columns = 0, np.zeros((0, 3)), dict[str, FloatArray]()
    energy: float | None = None
    stress: dict[str, float] = {}
    info: dict[str, str] = {}
    words = reader.require("END_CFG")
    while words[0] != "END_CFG":
        keyword, following = words[0].rstrip(":").lower(), True
        if keyword == "size":
            count = reader.require("the number of atoms")[0]
            if not (count.isascii() and count.isdigit() and len(count) <= _DIGITS):
                raise reader.error(f"the number of atoms is {count[:30]!r}, a whole number is needed")
            size = int(count)
        elif keyword == "supercell":
            cell, words = _read_cell(reader)
            following = False
        elif keyword in ("atomdata", "atomic_data"):
            columns = _read_atoms(reader, words[1:], size)
        elif keyword == "energy":
            energy = float(reader.numbers(reader.require("the energy"), "Energy", 1)[0])
        elif keyword == "plusstress":
            stress = _read_stress(reader, words[1:])
        elif keyword == "feature" and len(words) > 1:
            info[words[1]] = " ".join(words[2:])
        else:
            raise reader.error(f"{words[0][:30]!r} is not a section of a .cfg")
        if following:
            words = reader.require("END_CFG")
    return _assemble(reader, species, cell, columns, (energy, stress, info))


def _read_cell(reader: _Reader) -> tuple[FloatArray, list[str]]:
    rows: list[FloatArray] = []
    words = reader.require("a cell vector")
    while len(words) == 3 and len(rows) < 3 and not words[0][0].isalpha():
        rows.append(reader.numbers(words, "Supercell", 3))
        if len(rows) == 3 and abs(np.linalg.det(rows)) <= _FLAT * np.prod(np.linalg.norm(rows, axis=1)):
            raise reader.error("the cell has no volume")
        words = reader.require("the rest of the structure")
    return np.array(rows).reshape(-1, 3), words


def _read_stress(reader: _Reader, keys: Sequence[str]) -> dict[str, float]:
    if sorted(keys) != sorted(_STRESS_KEYS):
        raise reader.error(f"PlusStress has components {' '.join(keys)}; {' '.join(_STRESS_KEYS)} are needed")
    return dict(zip(keys, reader.numbers(reader.require("the stress"), "PlusStress", 6), strict=True))


def _read_atoms(reader: _Reader, keys: Sequence[str], size: int) -> dict[str, FloatArray]:
    if size == 0 or "type" not in keys or len(set(keys)) != len(keys):
        raise reader.error("AtomData lacks the column 'type', repeats one or comes before Size")
    named = [key for places in _PLACE_KEYS for key in places if key in keys]
    if tuple(named) not in _PLACE_KEYS:
        raise reader.error("AtomData needs the columns cartes_x, _y, _z or direct_x, _y, _z, not of both")
    rows = [reader.numbers(reader.require(f"atom {n + 1}"), f"atom {n + 1}", len(keys)) for n in range(size)]
    return dict(zip(keys, np.array(rows).T, strict=True))


def _assemble(
    reader: _Reader,
    species: tuple[str, ...],
    cell: FloatArray,
    columns: dict[str, FloatArray],
    labels: tuple[float | None, dict[str, float], dict[str, str]],
) -> Atoms:
    energy, stress, info = labels
    types = columns.get("type", np.zeros(0))
    if not len(types) or (types != np.round(types)).any() or types.min() < 0:
        raise reader.error("the structure has no atoms or a type that is no whole number")
    if types.max() >= len(species):
        raise reader.error(f"type {int(types.max())} has no chemical symbol among {species}")
    full, pbc = np.zeros((3, 3)), [n < len(cell) for n in range(3)]
    full[: len(cell)] = cell
    atoms = Atoms([species[int(kind)] for kind in types], cell=full, pbc=pbc, info=info)
    cartesian = _PLACE_KEYS[0][0] in columns
    places = np.stack([columns[name] for name in _PLACE_KEYS[0 if cartesian else 1]], axis=1)
    atoms.positions = places if cartesian else places @ full
    results: dict[str, object] = {}
    if energy is not None:
        results["energy"] = results["free_energy"] = energy
    if all(key in columns for key in _FORCE_KEYS):
        results["forces"] = np.stack([columns[key] for key in _FORCE_KEYS], axis=1)
    if stress and all(pbc):
        results["stress"] = -np.array([stress[key] for key in _STRESS_KEYS]) / atoms.get_volume()
    if results:
        atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def write_cfg(path: str | Path, frames: Sequence[Atoms], *, species: Sequence[str]) -> None:
    """Write structures with the energy, forces and stress their calculator holds, if any.

    Weights and texts in ``info`` become features.

    Raises
    ------
    InputError
        If a structure has an element outside ``species``, is periodic in a direction after an open one (MLIP
        cannot express it), or the file cannot be written.
    """
    index = {symbol: n for n, symbol in enumerate(species)}
    write_atomically(Path(path), "".join(_format_structure(atoms, index) for atoms in frames).encode())


def _format_structure(atoms: Atoms, index: dict[str, int]) -> str:
    unknown = sorted(set(atoms.get_chemical_symbols()) - set(index))
    if unknown:
        raise InputError(f"species {', '.join(unknown)} have no type among {tuple(index)}; add them")
    n_vectors = int(atoms.pbc.sum())
    if not atoms.pbc[:n_vectors].all():
        raise InputError(
            f"periodicity {tuple(atoms.pbc)} has an open direction first; permute the cell vectors"
        )
    results = getattr(atoms.calc, "results", None) or {}
    forces = results.get("forces")
    out = ["BEGIN_CFG", " Size", f"    {len(atoms)}"]
    if n_vectors:
        out += [" Supercell", *("  " + _format(row) for row in atoms.cell.array[:n_vectors])]
    keys = "id type cartes_x cartes_y cartes_z" + (" fx fy fz" if forces is not None else "")
    out.append(f" AtomData:  {keys}")
    for n, symbol in enumerate(atoms.get_chemical_symbols()):
        values = atoms.positions[n] if forces is None else np.concatenate([atoms.positions[n], forces[n]])
        out.append(f"  {n + 1} {index[symbol]} {_format(values)}")
    if "energy" in results:
        out += [" Energy", f"    {_format(np.array([results['energy']]))}"]
    if results.get("stress") is not None and n_vectors == 3:
        plus = -atoms.get_volume() * np.asarray(results["stress"])
        out += [" PlusStress:  " + " ".join(_STRESS_KEYS), f"    {_format(plus)}"]
    out += [f" Feature   {key} {value}" for key, value in _features(atoms).items()]
    return "\n".join([*out, "END_CFG", "", ""])


def _features(atoms: Atoms) -> dict[str, str]:
    """Return the weight and the texts that come with a structure, each on one line."""
    texts = {key: " ".join(value.split()) for key, value in atoms.info.items() if isinstance(value, str)}
    weight = {WEIGHT: str(atoms.info[WEIGHT])} if WEIGHT in atoms.info else {}
    return {key: value for key, value in (texts | weight).items() if len(key.split()) == 1}


def _format(values: FloatArray) -> str:
    return " ".join(f"{value:.15g}" for value in values)
