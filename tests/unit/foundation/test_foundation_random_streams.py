"""Random streams: named, reproducible, independent. Seeds are fixed, so outcomes never change."""

import numpy as np

from scalebridge.foundation import random_stream


def test_same_name_same_numbers() -> None:
    first = random_stream(7, "sampling", "walker", 3).random(5)
    assert np.array_equal(first, random_stream(7, "sampling", "walker", 3).random(5))


def test_any_change_of_seed_or_name_changes_the_numbers() -> None:
    streams = [
        random_stream(7, "sampling", "walker", 3),
        random_stream(8, "sampling", "walker", 3),
        random_stream(7, "sampling", "walker", 4),
        random_stream(7, "sampling", "walker"),
        random_stream(7, "walker", "sampling", 3),
        random_stream(7),
    ]
    first = [stream.random() for stream in streams]
    assert len(set(first)) == len(first)


def test_numbers_are_stable_between_machines_and_versions() -> None:
    """Pinned: results of a recipe must not change with the installation."""
    drawn = random_stream(0, "pinned").integers(0, 2**32, size=3)
    assert drawn.tolist() == PINNED


def test_neighbouring_streams_are_uncorrelated() -> None:
    # |r| of 4000 independent pairs exceeds 5/√4000 with probability 6e-7 per pair, 45 pairs
    data = np.array([random_stream(1, "walker", number).normal(size=4000) for number in range(10)])
    correlation = np.corrcoef(data) - np.eye(10)
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)


PINNED = [2348726145, 1290630602, 2433227415]
