"""Which labels of explored structures no fit sees."""

from collections.abc import Sequence

from ase import Atoms

from scalebridge.foundation import random_stream


def is_held_out(number: int, every: int, seed: int) -> bool:
    """Return whether the label with this number, from 0 on, is held out: one drawn of every ``every``.

    The draw depends on the seed and the number alone, so that a run that goes on holds out the same.
    """
    block, place = divmod(number, every)
    return int(random_stream(seed, "sampling", "held out", block).integers(every)) == place


def split_labels(
    new: Sequence[Atoms], *, first: int, every: int, seed: int
) -> tuple[tuple[Atoms, ...], tuple[Atoms, ...]]:
    """Return new labels to train on and to hold out.

    Parameters
    ----------
    new
        Labelled structures.
    first
        Labels before them.
    every
        One of so many is held out; 0: none.
    seed
        Of the run.
    """
    held = [every > 0 and is_held_out(first + number, every, seed) for number in range(len(new))]
    return (
        tuple(atoms for atoms, out in zip(new, held, strict=True) if not out),
        tuple(atoms for atoms, out in zip(new, held, strict=True) if out),
    )
