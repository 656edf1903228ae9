"""D-optimal selection and extrapolation grades [Podryabinkin & Shapeev, Comput. Mater. Sci. 140, 171 (2017)].

Rows b are derivatives of an energy with respect to all parameters θ. With neighbourhood rows, ∂E_i/∂θ touches
only the block of the central species, so each species has its own small square A_z and the grade of atom i is
max |b_i A_z⁻¹|. Rows depend on the potential: after a refit build the set anew from the training frames.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt
from ase import Atoms

from scalebridge.foundation import FormatError, InputError
from scalebridge.potential._kernel_data import FloatArray
from scalebridge.potential._maxvol import (
    START,
    IndexArray,
    Square,
    first_equal,
    maximise_volume,
    regularised_start,
)
from scalebridge.potential.grader import Grader
from scalebridge.potential.mlip_selection import MARKER, decode_selection, encode_selection
from scalebridge.potential.model import MomentTensorPotential
from scalebridge.potential.storage import append_tail, has_tail, read_tail, write_atomically

Kind = Literal["neighbourhood", "shared", "configuration"]
EPSILON: Final = 1e-4
"""Start A = ε·1 in units of the columns' root mean squares over the training rows."""


def fingerprint(potential: MomentTensorPotential) -> str:
    """Return a hash of the parameters that rows depend on."""
    digest = hashlib.sha256()
    radial_basis = np.array([potential.min_distance, potential.cutoff, potential.scaling])
    basis = potential.basis
    tables = (basis.basic, basis.products, np.array([basis.n_moments]), basis.scalars)
    digest.update(
        repr((potential.species, potential.radial.shape, [table.shape for table in tables])).encode()
    )
    for values in (potential.radial, potential.xi, radial_basis, *tables):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class ActiveSet:
    """The rows that span what a potential has been trained on.

    Attributes
    ----------
    kind : str
        ``"neighbourhood"``: one square per species, one row per atom. ``"shared"``: one row per atom too, but
        one square for all species, as in MLIP-3. ``"configuration"``: one square, one row per structure (its
        sum over atoms ÷ N).
    squares : tuple of Square
        In scaled columns; ``origin`` is the index of the structure a row comes from.
    scales : tuple of (P_z,)
        Column scales.
    fingerprint : str
        Of the potential.
    """

    kind: Kind
    squares: tuple[Square, ...]
    scales: tuple[FloatArray, ...]
    fingerprint: str

    @classmethod
    def from_frames(
        cls,
        potential: MomentTensorPotential,
        frames: Sequence[Atoms],
        *,
        kind: Kind = "neighbourhood",
        tolerance: float = 1.001,
        epsilon: float = EPSILON,
    ) -> "ActiveSet":
        """Select rows of large volume from ``frames``.

        Parameters
        ----------
        potential
            Its rows are used.
        frames
            Training structures; labels are not read.
        kind
            See the attribute.
        tolerance
            Afterwards no training row has a grade above this.
        epsilon
            Relative size of the regularised start: directions in which the training rows are smaller than
            this do not count.

        Raises
        ------
        InputError
            Without frames, or for an unknown kind.
        """
        if not frames:
            raise InputError("no structures to build an active set from; pass the training structures")
        if kind not in get_args(Kind):
            raise InputError(f"kind {kind!r} is unknown; use one of {', '.join(get_args(Kind))}")
        collected = _collect(potential, frames, kind)
        scales = tuple(_column_scales(rows) for rows, _ in collected)
        squares = tuple(
            maximise_volume(
                regularised_start(rows.shape[1], epsilon), rows / scale, origin, tolerance=tolerance
            )
            for (rows, origin), scale in zip(collected, scales, strict=True)
        )
        return cls(kind, squares, scales, fingerprint(potential))

    @property
    def members(self) -> tuple[int, ...]:
        """Indices of the structures with at least one row in the set."""
        found = {int(n) for square in self.squares for n in square.origin if n != START}
        return tuple(sorted(found))

    def _check(self, potential: MomentTensorPotential) -> None:
        if fingerprint(potential) != self.fingerprint:
            raise InputError(
                "the active set belongs to another potential; rebuild it with ActiveSet.from_frames"
            )

    def grades(self, potential: MomentTensorPotential, atoms: Atoms) -> FloatArray:
        """Return the grade of each atom (N,), or that of the structure (1,) for configuration rows.

        Raises
        ------
        InputError
            If the set was built with another potential.
        """
        self._check(potential)
        out = np.zeros(1 if self.kind == "configuration" else len(atoms))
        blocks = rows_of(potential, atoms, self.kind)
        for square, scale, (rows, place) in zip(self.squares, self.scales, blocks, strict=True):
            out[place] = square.grades(rows / scale)
        return out

    def grade(self, potential: MomentTensorPotential, atoms: Atoms) -> float:
        """Return the largest grade of ``atoms``: above about 2 label it, above about 10 do not trust it."""
        return float(self.grades(potential, atoms).max(initial=0.0))

    def grader(self, potential: MomentTensorPotential) -> Grader:
        """Return the grades as a picklable function of plain arrays (one square per species only)."""
        self._check(potential)
        if self.kind != "neighbourhood":
            raise InputError(
                f"an active set of kind '{self.kind}' has no grader; build it with kind='neighbourhood'"
            )
        inverses = tuple(
            square.inverse / scale[:, None] for square, scale in zip(self.squares, self.scales, strict=True)
        )
        return Grader(potential.kernel(), inverses)

    def updated(
        self,
        potential: MomentTensorPotential,
        frames: Sequence[Atoms],
        *,
        first_index: int,
        tolerance: float = 1.001,
    ) -> "ActiveSet":
        """Return the set after offering it ``frames``, numbered from ``first_index``."""
        self._check(potential)
        squares = []
        for square, scale, (rows, origin) in zip(
            self.squares, self.scales, _collect(potential, frames, self.kind), strict=True
        ):
            held = square.origin != START
            pool = np.vstack([square.matrix[held], rows / scale])
            labels = np.concatenate([square.origin[held], origin + first_index])
            squares.append(maximise_volume(square, pool, labels, tolerance=tolerance))
        return ActiveSet(self.kind, tuple(squares), self.scales, self.fingerprint)

    def save(self, path: str | Path, potential: MomentTensorPotential) -> None:
        """Write ``.almtp``: the potential's text followed by this selection state.

        States of kinds ``"shared"`` and ``"configuration"`` are written as MLIP-3 does, for it and LAMMPS;
        which structures the rows come from is lost. MLIP-3 knows no kind ``"neighbourhood"``.

        Raises
        ------
        InputError
            If the set belongs to another potential or the file cannot be written.
        """
        self._check(potential)
        if self.kind != "neighbourhood":
            (square,), (scale,) = self.squares, self.scales
            section = encode_selection(
                square.matrix * scale,
                square.inverse / scale[:, None],
                configuration=self.kind == "configuration",
            )
            write_atomically(Path(path), potential.to_text().encode() + section)
            return
        arrays: dict[str, npt.NDArray[np.generic]] = {}
        for n, (square, scale) in enumerate(zip(self.squares, self.scales, strict=True)):
            arrays |= {f"matrix{n}": square.matrix, f"origin{n}": square.origin, f"scale{n}": scale}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        write_atomically(Path(path), append_tail(potential.to_text(), buffer.getvalue()).encode())

    @staticmethod
    def is_in(path: str | Path) -> bool:
        """Return whether a potential's file goes on with a selection state, whole or damaged."""
        return MARKER in Path(path).read_bytes() or has_tail(Path(path))

    @classmethod
    def load(
        cls, path: str | Path, *, species: tuple[str, ...] | None = None
    ) -> tuple["ActiveSet", MomentTensorPotential]:
        """Read the selection state and the potential from ``.almtp``, also one that MLIP-3 wrote.

        Raises
        ------
        FormatError
            If either is missing or damaged.
        """
        potential = MomentTensorPotential.load(path, species=species)
        if MARKER in Path(path).read_bytes():
            matrix, inverse, configuration = decode_selection(Path(path), potential.n_parameters)
            square = Square(matrix, inverse, np.full(len(matrix), START, dtype=np.int64))
            kind: Kind = "configuration" if configuration else "shared"
            return cls(kind, (square,), (np.ones(len(matrix)),), fingerprint(potential)), potential
        with np.load(io.BytesIO(read_tail(Path(path))), allow_pickle=False) as arrays:
            count = sum(name.startswith("matrix") for name in arrays)
            matrices = [arrays[f"matrix{n}"] for n in range(count)]
            origins = [arrays[f"origin{n}"] for n in range(count)]
            scales = tuple(arrays[f"scale{n}"] for n in range(count))
        size = potential.radial[0].size + 1 + len(potential.xi)
        if [matrix.shape for matrix in matrices] != [(size, size)] * len(potential.species):
            raise FormatError(
                f"{path}: the selection state is not of this potential's form; build it anew with ActiveSet"
            )
        squares = tuple(
            Square(matrix, np.linalg.inv(matrix), origin)
            for matrix, origin in zip(matrices, origins, strict=True)
        )
        return cls("neighbourhood", squares, scales, fingerprint(potential)), potential


def _column_scales(rows: FloatArray) -> FloatArray:
    """Return root mean squares of the columns; empty columns get the largest of the others, or 1."""
    if not len(rows):
        return np.ones(rows.shape[1])
    scale = np.sqrt(np.mean(rows**2, axis=0))
    largest = float(scale.max(initial=0.0))
    out: FloatArray = np.where(scale > 1e-12 * largest, scale, largest or 1.0)
    return out


def rows_of(
    potential: MomentTensorPotential, atoms: Atoms, kind: Kind
) -> list[tuple[FloatArray, IndexArray]]:
    """Return per square the rows of ``atoms`` and the atoms (or 0) they stand for."""
    if kind == "configuration":
        return [(potential.rows(atoms).mean(axis=0, keepdims=True), np.zeros(1, dtype=np.int64))]
    if kind == "shared":
        return [(potential.rows(atoms), np.arange(len(atoms)))]
    types, rows = potential.block_rows(atoms)
    places = [np.flatnonzero(types == z) for z in range(len(potential.species))]
    return [(rows[place], place) for place in places]


def _collect(
    potential: MomentTensorPotential, frames: Sequence[Atoms], kind: Kind
) -> list[tuple[FloatArray, IndexArray]]:
    """Return per square all rows of ``frames`` and the first frame that has such a row."""
    parts = [rows_of(potential, atoms, kind) for atoms in frames]
    out = []
    for block in range(len(parts[0])):
        rows = np.vstack([part[block][0] for part in parts])
        origin = np.concatenate(
            [np.full(len(part[block][0]), n, dtype=np.int64) for n, part in enumerate(parts)]
        )
        out.append((rows, origin[first_equal(rows)]))
    return out
