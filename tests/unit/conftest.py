"""Fixtures shared by the rooms' unit tests."""

from pathlib import Path

import pytest
from synthetic_run import make_contracts, write_run

from scalebridge.contracts import Contract


@pytest.fixture(scope="session")
def synthetic_contracts() -> dict[str, Contract]:
    """Every contract of a made-up run, by its path in the run folder."""
    return make_contracts()


@pytest.fixture(scope="session")
def synthetic_run_folder(
    tmp_path_factory: pytest.TempPathFactory, synthetic_contracts: dict[str, Contract]
) -> Path:
    """A complete made-up run folder; do not write into it."""
    return write_run(tmp_path_factory.mktemp("synthetic_run"), synthetic_contracts)
