"""MLIP-3's selection state behind the text of a potential, as in its ``.almtp`` files.

``#MVS_v1.1``, five lines of weights, ``#``, then A and A⁻¹ᵀ as 64-bit little-endian numbers row by row, and
where each row comes from. Rows are ∂E/∂θ, with θ in the order radial coefficients, species coefficients,
moment coefficients. MLIP-3 and LAMMPS (``pair_style mtp/extrapolation``) read it.
"""

from pathlib import Path
from typing import Final

import numpy as np

from scalebridge.foundation import FormatError
from scalebridge.potential._kernel_data import FloatArray

MARKER: Final = b"\n#MVS_v1.1\n"
_WEIGHTS: Final = ("energy_weight", "force_weight", "stress_weight", "site_en_weight", "weight_scaling")
_NUMBER: Final = np.dtype("<f8")
_TOLERANCE: Final = 1e-3
"""Largest deviation of A A⁻¹ from the unit matrix in a file that is whole."""


def encode_selection(matrix: FloatArray, inverse: FloatArray, *, configuration: bool) -> bytes:
    """Return the section for an active set.

    Parameters
    ----------
    matrix, inverse : (P, P)
        A and A⁻¹. Where rows come from is not told, as for those that MLIP starts from.
    configuration
        Whether rows are of structures (÷ their atoms) instead of neighbourhoods.
    """
    weights = (float(configuration), 0.0, 0.0, float(not configuration))
    lines = [f"{name} {weight:.16e}" for name, weight in zip(_WEIGHTS, weights, strict=False)]
    head = "\n".join([*lines, f"{_WEIGHTS[-1]} 2", "#"]).encode()
    numbers = matrix.astype(_NUMBER).tobytes() + inverse.T.astype(_NUMBER).tobytes()
    return MARKER + head + numbers + b"\n#\n" + b"-1 -1\n" * len(matrix) + b"#\n"


def decode_selection(path: Path, size: int) -> tuple[FloatArray, FloatArray, bool]:
    """Return A and A⁻¹ (P, P) of a file, and whether their rows are of structures.

    Raises
    ------
    FormatError
        If the section is damaged, or selects by forces or stresses.
    """
    before, _, section = path.read_bytes().partition(MARKER)
    line = before.count(b"\n") + 2

    def error(message: str) -> FormatError:
        return FormatError(f"{path}:{line}: {message}; build the selection state anew with ActiveSet")

    weights: dict[str, float] = {}
    for name in _WEIGHTS:
        text, _, section = section.partition(b"\n")
        words = text.split()
        try:
            weights[name] = float(words[1])
        except (IndexError, ValueError):
            raise error(f"the selection state has {text[:30]!r} where {name} should be") from None
        if words[0] != name.encode():
            raise error(f"the selection state has {text[:30]!r} where {name} should be")
    modes = [weights["energy_weight"], weights["force_weight"], weights["stress_weight"]]
    if [*modes, weights["site_en_weight"]] not in ([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]):
        raise error("the selection state goes by other rows than of structures or of neighbourhoods")
    configuration = weights["energy_weight"] == 1.0
    if configuration and weights["weight_scaling"] != 2.0:
        raise error("the rows of its structures are not divided by their atoms (weight_scaling is not 2)")
    count = size * size * _NUMBER.itemsize
    if section[:1] != b"#" or section[1 + 2 * count : 4 + 2 * count] != b"\n#\n":
        raise error(f"the selection state does not hold two matrices of {size} × {size} numbers")
    numbers = np.frombuffer(section[1 : 1 + 2 * count], dtype=_NUMBER).astype(np.float64)
    matrix, transposed = numbers.reshape(2, size, size)
    if not np.abs(matrix @ transposed.T - np.eye(size)).max() < _TOLERANCE:
        raise error("the two matrices of the selection state are not inverse to each other")
    return matrix, np.ascontiguousarray(transposed.T), configuration
