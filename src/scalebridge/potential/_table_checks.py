"""What the index tables of a potential's file must obey, before compiled code trusts them."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

MAX_FUNCTIONS: Final = 16
"""Radial functions that the compiled core takes."""
MAX_RADIAL_SIZE: Final = 64
"""Polynomials per radial function that the compiled core takes."""
MAX_RANK: Final = 12
"""Rank of a moment that the compiled core takes."""
Table = npt.NDArray[np.int64]


def table_faults(
    basic: Table, products: Table, scalars: Table, moments: int, functions: int
) -> Iterator[tuple[str, str]]:
    """Yield the key and the fault of each table that breaks a rule.

    Parameters
    ----------
    basic : (n_basic, 4)
        Rows (mu, a, b, c).
    products : (n_products, 4)
        Rows (i, j, mult, k).
    scalars : (n_scalars,)
        Moments that are scalar functions.
    moments, functions
        How many moments and radial functions the file says there are.
    """
    if not len(basic) or not len(scalars):
        key = "alpha_moment_mapping" if len(basic) else "alpha_index_basic"
        yield key, f"{key} is empty: the potential has no moments or no scalar functions"
        return
    if not len(basic) <= moments <= len(basic) + len(products):
        yield (
            "alpha_moments_count",
            (
                f"alpha_moments_count is {moments}, {len(basic)} basic moments and {len(products)} products "
                f"make {len(basic)} to {len(basic) + len(products)}"
            ),
        )
        return
    used = int(basic[:, 0].max()) + 1
    if used != functions:
        yield "alpha_index_basic", f"alpha_index_basic uses {used} radial functions, there are {functions}"
    ranks = basic[:, 1:].sum(axis=1)
    if ranks.max() > MAX_RANK:
        yield (
            "alpha_index_basic",
            (f"alpha_index_basic has a moment of rank {ranks.max()}, {MAX_RANK} is the highest"),
        )
    defined = np.zeros(moments, dtype=bool)
    defined[: len(basic)] = True
    operands, targets = products[:, :2], products[:, 3]
    if ((targets < len(basic)) | (targets >= moments)).any() or (operands >= targets[:, None]).any():
        yield "alpha_index_times", "alpha_index_times points outside the moments, to a basic one or backwards"
        return
    defined[targets] = True
    if not defined[operands].all():
        yield "alpha_index_times", "alpha_index_times uses a moment that no product makes"
    if scalars.max() >= moments or not defined[scalars].all():
        yield "alpha_moment_mapping", "alpha_moment_mapping points outside the moments"
