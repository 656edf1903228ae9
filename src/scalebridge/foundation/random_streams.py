"""Independent, reproducible random streams named by what they are used for."""

import hashlib

import numpy as np


def random_stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return a generator that depends only on ``seed`` and ``names``.

    Streams of different names are statistically independent, so a walker's numbers change neither with
    the number of processes nor with the order in which walkers run.

    Parameters
    ----------
    seed
        The recipe's seed.
    *names
        What the stream is for, for example ``"sampling", "walker", 3``.
    """
    text = "/".join(str(name) for name in names)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype=np.uint32)
    return np.random.default_rng(np.random.SeedSequence([seed, *words.tolist()]))
