"""Files of moment tensor potentials: ``.mtp`` and ``.almtp`` as MLIP-2, MLIP-3 and motep use them.

Both are the same text. What other codes do not store (chemical symbols, hard cores) rides in the free-text
line ``potential_tag``, which they copy or skip. An ``.almtp`` of scalebridge goes on with its selection state
(``storage.append_tail``) or as MLIP's (``mlip_selection``).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from ase.data import atomic_numbers

from scalebridge.foundation import FormatError
from scalebridge.potential._basis import Basis, IntArray
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._table_checks import MAX_FUNCTIONS, MAX_RADIAL_SIZE, Table, table_faults

_TAG: Final = "scalebridge-1"
_DIGITS: Final = 9
_LARGEST: Final = 2**31 - 1


@dataclass(frozen=True, eq=False)
class PotentialText:
    """The content of a potential file.

    Attributes as in ``MomentTensorPotential``; ``species`` is empty, ``hard_core`` and ``repulsion`` are zero
    where the file has none, ``level`` is that of the basis. ``n_species`` always counts the types.
    """

    n_species: int
    species: tuple[str, ...]
    level: int
    basis: Basis
    min_distance: float
    cutoff: float
    scaling: float
    radial: FloatArray
    xi: FloatArray
    offsets: FloatArray
    hard_core: FloatArray
    repulsion: FloatArray


class _Lines:
    """Lines of a file, the values after its keys, and the number of the line that a message is about."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._lines = text.split("\n")
        self._values: dict[str, tuple[str, int]] = {}
        self.number = self._shown = 0

    def error(self, message: str) -> FormatError:
        return FormatError(f"{self.path}:{self._shown}: {message}; the file is damaged or of another format")

    def next(self) -> str | None:
        """Return the next line that is not blank, or None at the end."""
        while self.number < len(self._lines):
            line = self._lines[self.number].strip()
            self.number += 1
            self._shown = self.number
            if line:
                return line
        return None

    def keep(self, key: str, value: str) -> None:
        """Remember the value of a key on the line read last."""
        self._values[key] = value, self.number

    def get(self, key: str, default: str | None = None) -> str:
        """Return the value of a key; messages are about its line from now on."""
        if key not in self._values and default is None:
            self._shown = self.number
            raise self.error(f"{_NAMES.get(key, key)} is missing")
        value, self._shown = self._values.get(key, (default or "", self.number))
        return value

    def peek(self) -> str:
        """Return the next line that is not blank without consuming it; empty at the end."""
        number = self.number
        line = self.next()
        self.number = number
        return line or ""

    def require(self, what: str) -> str:
        line = self.next()
        if line is None:
            raise self.error(f"the file ends where {what} should be")
        return line

    def numbers(self, text: str, what: str, count: int | None = None) -> FloatArray:
        body = text.strip()
        if not (body.startswith("{") and body.endswith("}")):
            raise self.error(f"{what} is not a complete list in braces")
        words = body.replace("{", " ").replace("}", " ").replace(",", " ").split()
        try:
            values = np.array([float(word) for word in words])
        except ValueError:
            raise self.error(f"{what} holds something that is no number") from None
        if count is not None and len(values) != count:
            raise self.error(f"{what} has {len(values)} numbers, {count} are needed")
        if not np.isfinite(values).all():
            raise self.error(f"{what} holds a number that is not finite")
        return values

    def scalar(self, text: str, what: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise self.error(f"{what} is {text!r}, a number is needed") from None
        if not np.isfinite(value):
            raise self.error(f"{what} is {text!r}, a finite number is needed")
        return value

    def integer(self, text: str, what: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
            raise self.error(f"{what} is {text[:30]!r}, a whole number of at most {_DIGITS} digits is needed")
        return int(text)

    def whole_numbers(self, text: str, what: str, count: int) -> Table:
        """Return numbers that fit into 32 bits."""
        values = self.numbers(text, what, count)
        if (values != np.round(values)).any() or (values < 0).any() or (values > _LARGEST).any():
            raise self.error(f"{what} holds something else than whole numbers from 0 to {_LARGEST}")
        return values.astype(np.int64)


_KEYS: Final = {
    "min_dist": "min", "min_val": "min", "min": "min",
    "max_dist": "max", "max_val": "max", "max": "max",
    "radial_basis_size": "size", "basis_size": "size", "size": "size",
}  # fmt: skip
_NAMES: Final = {"min": "min_dist", "max": "max_dist", "size": "radial_basis_size"}


def parse_potential(path: Path) -> PotentialText:
    """Read a potential file.

    Raises
    ------
    FormatError
        With file and line, if it is damaged, truncated or holds a magnetic or otherwise unknown potential.
    """
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    lines = _Lines(path, text.split("\n#", 1)[0])
    if lines.next() != "MTP":
        raise lines.error("the first line is not 'MTP'")
    radial: FloatArray | None = None
    key = ""
    while key != "moment_coeffs":
        line = lines.require("moment_coeffs")
        if line == "radial_coeffs":
            radial = _parse_radial(lines)
            continue
        key, separator, value = (part.strip() for part in line.partition("="))
        if not separator:
            raise lines.error(f"{line[:40]!r} is no 'key = value'")
        if key.startswith("magnetic"):
            raise lines.error("magnetic potentials are not supported")
        lines.keep(_KEYS.get(key, key), value)
    if radial is None:
        raise lines.error("radial_coeffs is missing")
    return _assemble(lines, radial)


def _parse_radial(lines: _Lines) -> FloatArray:
    kind = lines.get("radial_basis_type", "RBChebyshev")
    if kind != "RBChebyshev":
        raise lines.error(f"radial_basis_type {kind} is not supported, RBChebyshev is")
    n, size = (lines.integer(lines.get(key), _NAMES.get(key, key)) for key in ("species_count", "size"))
    if not 0 < n <= 118 or not 0 < size <= MAX_RADIAL_SIZE:
        raise lines.error(
            f"{n} species with {size} radial basis functions; at most 118 and {MAX_RADIAL_SIZE} are possible"
        )
    pairs = [_parse_pair(lines, f"{i}-{j}", size) for i in range(n) for j in range(n)]
    if len({len(pair) for pair in pairs}) != 1 or not len(pairs[0]):
        raise lines.error("species pairs have different numbers of radial functions, or none")
    return np.array(pairs).reshape(n, n, -1, size)


def _parse_pair(lines: _Lines, name: str, size: int) -> FloatArray:
    line = lines.require(f"the species pair {name}")
    if line.replace(" ", "") != name:
        raise lines.error(f"{line[:20]!r} stands where the species pair {name} should be")
    rows = []
    while lines.peek().startswith("{"):
        rows.append(lines.numbers(lines.require("radial coefficients"), "radial_coeffs", size))
    return np.array(rows).reshape(-1, size)


def _assemble(lines: _Lines, radial: FloatArray) -> PotentialText:
    n = len(radial)
    functions = lines.integer(lines.get("radial_funcs_count"), "radial_funcs_count")
    if functions != radial.shape[2] or functions > MAX_FUNCTIONS:
        raise lines.error(
            f"radial_funcs_count is {functions}, radial_coeffs has {radial.shape[2]}, {MAX_FUNCTIONS} at most"
        )
    basis = _parse_basis(lines, functions)
    xi = lines.numbers(lines.get("moment_coeffs"), "moment_coeffs", len(basis.scalars))
    offsets = lines.numbers(lines.get("species_coeffs"), "species_coeffs", n)
    species, hard_core, repulsion = _parse_tag(lines, lines.get("potential_tag", ""), n)
    scaling = lines.scalar(lines.get("scaling", "1"), "scaling")
    low, high = (lines.scalar(lines.get(key), _NAMES[key]) for key in ("min", "max"))
    if not 0 <= low < high:
        raise lines.error(f"min_dist {low} and max_dist {high} are not in order")
    return PotentialText(
        n_species=n, species=species, level=basis.level, basis=basis, min_distance=low, cutoff=high,
        scaling=scaling, radial=radial, xi=xi, offsets=offsets, hard_core=hard_core, repulsion=repulsion,
    )  # fmt: skip


def _parse_basis(lines: _Lines, functions: int) -> Basis:
    def table(key: str, count_key: str, width: int) -> Table:
        count = lines.integer(lines.get(count_key), count_key)
        return lines.whole_numbers(lines.get(key), key, count * width).reshape(count, width)

    moments = lines.integer(lines.get("alpha_moments_count"), "alpha_moments_count")
    basic = table("alpha_index_basic", "alpha_index_basic_count", 4)
    products = table("alpha_index_times", "alpha_index_times_count", 4)
    scalars = table("alpha_moment_mapping", "alpha_scalar_moments", 1)[:, 0]
    for key, fault in table_faults(basic, products, scalars, moments, functions):
        lines.get(key)
        raise lines.error(fault)

    def short(values: Table) -> IntArray:
        return np.ascontiguousarray(values, dtype=np.int32)

    return Basis(basic=short(basic), products=short(products), n_moments=moments, scalars=short(scalars))


def _parse_tag(lines: _Lines, tag: str, n: int) -> tuple[tuple[str, ...], FloatArray, FloatArray]:
    """Return species, hard cores and ranges of the repulsion; files without repulsion leave the last out."""
    words = tag.split()
    pairs = np.zeros((2, n, n))
    if not words or words[0] != _TAG:
        return (), pairs[0], pairs[1]
    count = n * (n + 1) // 2
    species, values = words[1 : 1 + n], words[1 + n :]
    if len(values) not in (count, 2 * count):
        raise lines.error("potential_tag has the wrong number of entries")
    if not set(species) <= set(atomic_numbers):
        raise lines.error(f"potential_tag names {' '.join(species)[:30]!r}, chemical symbols are needed")
    lower = np.tril_indices(n)
    for matrix, start in zip(pairs, range(0, len(values), count), strict=False):
        matrix[lower] = [lines.scalar(word, "potential_tag") for word in values[start : start + count]]
        matrix.T[lower] = matrix[lower]
    if (pairs < 0).any():
        raise lines.error("potential_tag holds a negative distance")
    return tuple(species), pairs[0], pairs[1]


def _list(values: FloatArray) -> str:
    return "{" + ", ".join(f"{value:.16e}" for value in values) + "}"


def _table(rows: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> str:
    return "{" + ", ".join("{" + ", ".join(map(str, row)) + "}" for row in rows.tolist()) + "}"


def format_potential(content: PotentialText) -> str:
    """Return the text of a ``.mtp`` file; all its numbers survive exactly."""
    n, basis = content.n_species, content.basis
    lower = np.tril_indices(n)
    distances = [*content.hard_core[lower], *(content.repulsion[lower] if content.repulsion.any() else ())]
    tag = " ".join([_TAG, *content.species, *(repr(float(x)) for x in distances)])
    out = [
        "MTP", "version = 1.1.0", f"potential_name = MTP level {content.level}",
        f"scaling = {content.scaling:.16e}", f"species_count = {n}",
        f"potential_tag = {tag if content.species else ''}", "radial_basis_type = RBChebyshev",
        f"\tmin_dist = {content.min_distance:.16e}", f"\tmax_dist = {content.cutoff:.16e}",
        f"\tradial_basis_size = {content.radial.shape[3]}",
        f"\tradial_funcs_count = {content.radial.shape[2]}",
        "\tradial_coeffs",
    ]  # fmt: skip
    for i in range(n):
        for j in range(n):
            out.append(f"\t\t{i}-{j}")
            out.extend(f"\t\t\t{_list(row)}" for row in content.radial[i, j])
    out += [
        f"alpha_moments_count = {basis.n_moments}",
        f"alpha_index_basic_count = {len(basis.basic)}",
        f"alpha_index_basic = {_table(basis.basic)}",
        f"alpha_index_times_count = {len(basis.products)}",
        f"alpha_index_times = {_table(basis.products)}",
        f"alpha_scalar_moments = {len(basis.scalars)}",
        "alpha_moment_mapping = {" + ", ".join(map(str, basis.scalars.tolist())) + "}",
        f"species_coeffs = {_list(content.offsets)}",
        f"moment_coeffs = {_list(content.xi)}",
    ]
    return "\n".join(out) + "\n"
