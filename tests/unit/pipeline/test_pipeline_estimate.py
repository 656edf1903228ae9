"""The estimate of what is left."""

import pytest

from scalebridge.pipeline import StageTime, remaining_seconds


def test_weights_alone() -> None:
    assert remaining_seconds([StageTime(10), StageTime(30)], None) == pytest.approx(40)


def test_measured_times_scale_the_rest() -> None:
    times = [StageTime(10, measured=20), StageTime(30), StageTime(5, skipped=True)]
    assert remaining_seconds(times, None) == pytest.approx(60)


def test_previous_attempts_are_trusted() -> None:
    assert remaining_seconds([StageTime(10, previous=7), StageTime(10, measured=10)], None) == pytest.approx(
        7
    )


def test_running_stage_counts_down_and_then_follows_its_bar() -> None:
    times = [StageTime(10), StageTime(10)]
    assert remaining_seconds(times, 0, elapsed=4) == pytest.approx(16)
    assert remaining_seconds(times, 0, elapsed=30) == pytest.approx(10)
    assert remaining_seconds(times, 0, elapsed=30, fraction=0.75) == pytest.approx(20)
    assert remaining_seconds(times, 0, elapsed=30, fraction=0.0) == pytest.approx(10)
