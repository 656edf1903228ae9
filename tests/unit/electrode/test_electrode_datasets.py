"""Solutions as datasets and NetCDF files, read back by xarray and by scipy on its own."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import netcdf_file

from scalebridge.contracts import Contract, RateCapability, Solution
from scalebridge.electrode import to_dataset, write_netcdf
from scalebridge.foundation import InputError, MissingDependencyError

xarray = pytest.importorskip("xarray")


@pytest.fixture
def solution(synthetic_contracts: dict[str, Contract]) -> Solution:
    found = next(item for item in synthetic_contracts.values() if isinstance(item, Solution))
    assert isinstance(found, Solution)
    return found


def test_every_field_is_there_with_its_unit(solution: Solution) -> None:
    dataset = to_dataset(solution)
    assert set(dataset.variables) == set(solution.fields)
    for name, field in solution.fields.items():
        assert dataset[name].dims == field.axes
        assert np.array_equal(dataset[name].values, field.values)
        assert dataset[name].attrs["units"] == field.unit.replace(".", " ")
    axes = {"time", "map_time", "radius", "position", "depth", "map_filling", "boundary_level"}
    assert axes & set(solution.fields) <= set(dataset.coords)
    assert "voltage" in dataset.data_vars
    assert dataset.attrs["status"] == solution.status


def test_selection_by_coordinates(solution: Solution) -> None:
    """What labels are for: the voltage at a time, by the interpolation of another code."""
    dataset = to_dataset(solution)
    time, voltage = (solution.fields[name].values for name in ("time", "voltage"))
    asked = 0.3 * time[0] + 0.7 * time[-1]
    assert float(dataset["voltage"].interp(time=asked)) == pytest.approx(np.interp(asked, time, voltage))


def test_netcdf_comes_back(solution: Solution, tmp_path: Path) -> None:
    path = write_netcdf(solution, tmp_path / "solution.nc")
    kept = {name for name, field in solution.fields.items() if field.values.size}
    loaded = xarray.load_dataset(path, engine="scipy", decode_timedelta=False)
    assert set(loaded.variables) == kept
    expected = to_dataset(solution)
    for name in kept:
        assert np.array_equal(loaded[name].values, expected[name].values)
        assert loaded[name].dims == expected[name].dims
    assert loaded.attrs["status"] == solution.status
    with netcdf_file(path, mmap=False) as raw:
        assert raw.variables["voltage"].units == b"V"
        assert np.array_equal(raw.variables["voltage"][:], solution.fields["voltage"].values)


def test_rate_capability(synthetic_contracts: dict[str, Contract], tmp_path: Path) -> None:
    rates = next(item for item in synthetic_contracts.values() if isinstance(item, RateCapability))
    assert isinstance(rates, RateCapability)
    dataset = to_dataset(rates)
    assert dataset["capacity"].dims == ("member", "rate")
    assert dataset["member"].values.tolist() == list(range(len(rates.capacity)))
    assert to_dataset(rates.model_copy(update={"members": (0, 2, 3, 5, 7)}))["member"].values[-1] == 7
    assert dataset["capacity"].attrs["units"] == "C kg-1"
    assert np.array_equal(dataset["finished"].values.astype(bool), rates.finished)
    loaded = xarray.load_dataset(write_netcdf(rates, tmp_path / "r.nc"), decode_timedelta=False)
    assert np.array_equal(loaded["energy"].values, rates.energy)
    assert float(loaded["electrolyte_time"]) == rates.electrolyte_time


def test_refusals(solution: Solution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_netcdf(solution, tmp_path / "none" / "solution.nc")
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'scalebridge\[xarray\]'"):
        to_dataset(solution)
