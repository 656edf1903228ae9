"""Fixtures shared by the rooms' unit tests."""

from pathlib import Path

import pytest

from scalebridge.contracts import Contract


@pytest.fixture(scope="session")
def synthetic_contracts() -> dict[str, Contract]:
    """Every contract of a made-up run, by its path in the run folder."""
    from synthetic_run import make_contracts

    return make_contracts()


@pytest.fixture(scope="session")
def synthetic_run_folder(
    tmp_path_factory: pytest.TempPathFactory, synthetic_contracts: dict[str, Contract]
) -> Path:
    """A complete made-up run folder; do not write into it."""
    from synthetic_run import write_run

    return write_run(tmp_path_factory.mktemp("synthetic_run"), synthetic_contracts)
