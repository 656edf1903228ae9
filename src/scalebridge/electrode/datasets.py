"""Solutions as xarray datasets and NetCDF files (extra ``xarray``)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.contracts import RateCapability, Solution
from scalebridge.foundation import InputError, optional_package

XARRAY = ("xarray", "datasets and NetCDF files")
"""For `optional_package`."""
COORDINATES: Mapping[str, str] = {
    "map_filling": "map_time",
    "depth": "volume",
    "boundary_level": "gap",
    "front_level": "front",
    "step_end": "step",
}
"""Fields that say where along an axis of another name something lies."""


def to_dataset(result: Solution | RateCapability) -> Any:
    """Return the ``xarray.Dataset`` of a result.

    Every field is a variable with its ``units`` in the form of UDUNITS (``m2 s-1``); a field along the axis
    of its own name (``time``, ``map_time``, ``radius``, ``position``, ``frequency``) is that dimension's
    coordinate, and `COORDINATES` are further ones. Attributes: what made it, its sources, remarks, and of a
    `Solution` status, termination, C-rate and member.

    Raises
    ------
    MissingDependencyError
        If xarray is not installed.
    """
    xarray = optional_package(*XARRAY)
    variables = _solution_fields(result) if isinstance(result, Solution) else _rate_fields(result)
    named = {
        name: (axes, values, {"units": unit.replace(".", " ")})
        for name, (axes, values, unit) in variables.items()
    }
    coordinates = {
        name for name, (axes, _, _) in named.items() if axes in ((name,), (COORDINATES.get(name),))
    }
    return xarray.Dataset(
        {name: value for name, value in named.items() if name not in coordinates},
        coords={name: named[name] for name in coordinates},
        attrs=_attributes(result),
    )


def write_netcdf(result: Solution | RateCapability, path: Path) -> Path:
    """Write a result as NetCDF 3 (64-bit offsets), which every reader knows; return the path.

    Fields without any element, as the phase boundaries of a solid solution, are left out: the format has no
    dimension of length 0.

    Raises
    ------
    InputError
        If the file cannot be written.
    MissingDependencyError
        If xarray is not installed.
    """
    dataset = to_dataset(result)
    dataset = dataset.drop_vars([name for name, value in dataset.variables.items() if value.size == 0])
    try:
        dataset.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); give a path in a folder that exists"
        ) from error
    return path


def _solution_fields(solution: Solution) -> dict[str, tuple[tuple[str, ...], Any, str]]:
    return {name: (field.axes, field.values, field.unit) for name, field in solution.fields.items()}


def _rate_fields(rates: RateCapability) -> dict[str, tuple[tuple[str, ...], Any, str]]:
    axes, units = rates.named_axes(), rates.units()
    fields = {name: (axes[name], getattr(rates, name), units[name]) for name in axes}
    fields["finished"] = (("member", "rate"), rates.finished.astype("int32"), "1")
    fields["member"] = (("member",), np.array(rates.row_members, dtype="int32"), "1")
    fields["electrolyte_time"] = ((), rates.electrolyte_time, units["electrolyte_time"])
    return fields


def _attributes(result: Solution | RateCapability) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "contract": type(result).__name__,
        "schema_version": result.schema_version,
        "code_version": result.provenance.code_version,
        "recipe_hash": result.provenance.recipe_hash,
        "citations": ", ".join(result.citations),
        "remarks": "\n".join(result.validity.remarks),
    }
    if isinstance(result, Solution):
        attributes |= {"status": result.status, "termination": result.termination, "member": result.member}
        if result.c_rate is not None:
            attributes["c_rate"] = result.c_rate
    return attributes
