"""A run that is killed without warning twenty times ends as if nothing had happened, and loses no label."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_ladder_toy import contracts, write_study

KILLS = 20
TIMED = {"learning/learning_cost"}
"""Contracts that hold wall times."""


def start(recipe: Path, run: Path) -> subprocess.Popen[bytes]:
    command = [
        Path(sys.executable).with_name("scalebridge"),
        "run",
        recipe,
        "--out",
        run,
        "--executor",
        "serial",
    ]
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def labels(run: Path) -> int:
    """Rows of the label store."""
    store = run / "labels.db"
    if not store.exists():
        return 0
    with sqlite3.connect(store, timeout=60.0) as connection:  # rolls back what the kill interrupted
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return connection.execute("SELECT COUNT(*) FROM systems").fetchone()[0] if "systems" in names else 0


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    """Killed at random moments, seed fixed; the moments depend on the machine, what is asserted does not."""
    recipe = write_study(tmp_path / "study")
    began = time.monotonic()
    whole = start(recipe, tmp_path / "whole")
    output, _ = whole.communicate()
    assert whole.returncode == 0, output.decode()
    longest = max(6.0, 2.5 * (time.monotonic() - began) / KILLS)
    random, killed, known = np.random.default_rng(0), 0, 0
    for _ in range(10 * KILLS):
        process = start(recipe, tmp_path / "killed")
        try:
            output, _ = process.communicate(timeout=random.uniform(1.0, longest) if killed < KILLS else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            assert labels(tmp_path / "killed") >= known
            known = labels(tmp_path / "killed")
            continue
        assert process.returncode == 0, output.decode()
        if killed >= KILLS:
            break
    assert killed == KILLS
    one, other = (
        {name: c.content_hash for name, c in contracts(tmp_path / run).items()} for run in ("whole", "killed")
    )
    assert one.keys() == other.keys()
    assert {name for name in one if one[name] != other[name]} <= TIMED
