"""Random valid instances of every record of ``scalebridge.contracts``, built from the type annotations."""

import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import numpy as np

from scalebridge import contracts
from scalebridge.contracts.base import Contract, Record
from scalebridge.foundation.units import Axes, Unit

FIXED_LENGTHS = {"xyz": 3, "vector": 3, "row": 3, "column": 3, "principal": 3, "end": 2}
FIXED_LENGTHS |= {"voigt_row": 6, "voigt_column": 6, "parameter": 2, "other_parameter": 2}


def all_records() -> list[type[Record]]:
    """Return every record class of the contracts package, contracts included, found by inheritance."""

    def below(cls: type[Record]) -> set[type[Record]]:
        return {cls}.union(*(below(child) for child in cls.__subclasses__()))

    own = {cls for cls in below(Record) if cls.__module__.startswith(contracts.__name__)}
    return sorted(own - {Record, Contract}, key=lambda cls: cls.__name__)


def all_contracts() -> list[type[Contract]]:
    return [cls for cls in all_records() if issubclass(cls, Contract)]


class Maker:
    """Draws instances; an axis name has one length within one maker, so members agree everywhere."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.lengths = dict(FIXED_LENGTHS)
        self.lengths["member"] = int(self.rng.integers(2, 4))

    def make(self, cls: type[Record], **fixed: Any) -> Any:
        values = {
            name: self.value(field.annotation, field.metadata, name)
            for name, field in cls.model_fields.items()
            if name not in fixed and name != "schema_version"
        }
        values |= fixed
        adjust: Callable[[Maker, dict[str, Any]], None] | None = ADJUSTMENTS.get(cls.__name__)
        if adjust is not None:
            adjust(self, values)
        return cls(**values)

    def length(self, axis: str) -> int:
        return self.lengths.setdefault(axis, int(self.rng.integers(1, 5)))

    def value(self, annotation: Any, metadata: list[Any], name: str) -> Any:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin in (Union, types.UnionType, Literal):
            chosen = arguments[self.rng.integers(len(arguments))]
            known = origin is Literal or chosen is type(None)
            return (chosen if origin is Literal else None) if known else self.value(chosen, metadata, name)
        if origin is Annotated:
            return self.value(arguments[0], [*arguments[1:], *metadata], name)
        if origin is tuple:
            return self.tuple(arguments, metadata, name)
        if origin is dict:
            return {self.text(): self.value(arguments[1], [], name) for _ in range(self.rng.integers(0, 3))}
        if annotation is np.ndarray or origin is np.ndarray:
            axes = next((mark for mark in metadata if isinstance(mark, Axes)), Axes("free"))
            return self.rng.normal(size=tuple(self.length(axis) for axis in axes.names))
        return self.scalar(annotation, metadata)

    def scalar(self, annotation: Any, metadata: list[Any]) -> Any:
        if isinstance(annotation, type) and issubclass(annotation, Record):
            return self.make(annotation)
        if annotation is str:
            return self.text()
        if annotation is bool:
            return bool(self.rng.integers(2))
        low, high = bounds(metadata)
        if annotation is int:
            low = -9 if low == -np.inf else low
            return int(self.rng.integers(int(low) + 1, int(low) + 9))
        if annotation is float:
            if np.isfinite(low) and np.isfinite(high):
                return float(self.rng.uniform(low, high))
            sign = 1.0 if np.isfinite(low) else self.rng.choice([-1.0, 1.0])
            return float(sign * 10 ** self.rng.uniform(-25, 25))
        raise TypeError(f"no rule to draw a {annotation}")

    def tuple(self, arguments: tuple[Any, ...], metadata: list[Any], name: str) -> tuple[Any, ...]:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            shortest = max((m.min_length for m in metadata if hasattr(m, "min_length")), default=0)
            count = self.length("member") if name == "members" else int(self.rng.integers(shortest, 4))
            return tuple(self.value(arguments[0], [], "") for _ in range(count))
        return tuple(self.value(argument, [], "") for argument in arguments)

    def text(self) -> str:
        letters = list('abcdeXYZ 012/"\\é⁺→{}[]')
        return "".join(self.rng.choice(letters, size=self.rng.integers(1, 12)))


def bounds(metadata: list[Any]) -> tuple[float, float]:
    low, high = -np.inf, np.inf
    for mark in metadata:
        for part in getattr(mark, "metadata", [mark]):
            if isinstance(part, annotated_types.Gt):
                low = float(part.gt)
            elif isinstance(part, annotated_types.Ge):
                low = float(part.ge)
            elif isinstance(part, annotated_types.Lt):
                high = float(part.lt)
            elif isinstance(part, annotated_types.Le):
                high = float(part.le)
    return low, high


def _host_phase(maker: Maker, values: dict[str, Any]) -> None:
    values["formula_units"] = 2
    values["sites"] = maker.rng.random((4, 3))
    values["composition"] = float(maker.rng.uniform(0, 2))
    values["framework"] = maker.make(contracts.Structure, **_atoms(maker, ("Mn", "Fe", "N")))


def _host(maker: Maker, values: dict[str, Any]) -> None:
    values["ion"] = "Na"
    values["sites_per_formula_unit"] = 2
    values["metal"] = maker.make(contracts.Structure, **_atoms(maker, ("Na", "Na")))


def _atoms(maker: Maker, symbols: tuple[str, ...]) -> dict[str, Any]:
    return {"symbols": symbols, "scaled_positions": maker.rng.random((len(symbols), 3))}


def _design(maker: Maker, values: dict[str, Any]) -> None:
    low, high = np.sort(maker.rng.uniform(0.01, 0.99, size=2)).tolist()
    values["initial_theta"] = maker.make(contracts.Sourced, value=low)
    values["final_theta"] = maker.make(contracts.Sourced, value=high)
    foil = maker.rng.integers(2) == 1
    values["counter_rate_law"] = maker.make(contracts.RateLaw) if foil else None
    values["anode"] = None if foil else maker.make(contracts.CounterElectrode)


def _counter_electrode(maker: Maker, values: dict[str, Any]) -> None:
    values["initial_theta"] = maker.make(contracts.Sourced, value=float(maker.rng.uniform(0.01, 0.99)))
    alone = {"phase_relaxation_time": None, "phase_barrier": None}
    values["particles"] = values["particles"].model_copy(update=alone)


def _active_particles(maker: Maker, values: dict[str, Any]) -> None:
    platelet = values["kind"] == "allen-cahn"
    values["shape"] = "plate" if platelet else values["shape"]
    values["length"] = maker.make(contracts.Sourced) if platelet else None
    if values["phase_relaxation_time"] is None:
        values["phase_barrier"] = None


def _electrolyte(maker: Maker, values: dict[str, Any]) -> None:
    if values["cation_diffusivity"] is None or values["anion_diffusivity"] is None:
        values["cation_diffusivity"] = values["anion_diffusivity"] = None


def _rate_law(maker: Maker, values: dict[str, Any]) -> None:
    bound = values["form"] == "butler-volmer"
    values["reorganisation_energy"] = None if bound else float(maker.rng.uniform(1e-20, 1e-19))
    if values["reference_temperature"] is None:
        values["activation_energy"] = 0.0


def _listed_sizes(maker: Maker, values: dict[str, Any]) -> None:
    if values["volume_shares"] is not None:
        values["volume_shares"] = tuple(maker.rng.uniform(0.1, 1, size=len(values["sizes"])).tolist())


def _field(maker: Maker, values: dict[str, Any]) -> None:
    values["unit"] = "V.m-1"
    values["axes"] = ("time", "volume")
    values["values"] = maker.rng.normal(size=(3, 2))


def _rate_capability(_: Maker, values: dict[str, Any]) -> None:
    members, rates = values["capacity"].shape
    values["terminations"] = (("voltage cutoff",) * (rates - 1) + (contracts.SOLVER_FAILURE,),) * members


def _curve(maker: Maker, values: dict[str, Any]) -> None:
    points = values["theta"].size + 1
    values["theta"] = np.sort(maker.rng.uniform(size=points))
    for name in {"voltage", "diffusivity"} & set(values):
        values[name] = np.sort(maker.rng.uniform(size=points))[::-1]


def _measured_material(maker: Maker, values: dict[str, Any]) -> None:
    values["saturation_concentration"] = maker.make(contracts.Sourced, value=float(maker.rng.uniform(1, 9)))


ADJUSTMENTS: dict[str, Callable[[Maker, dict[str, Any]], None]] = {
    "ActiveParticles": _active_particles,
    "CounterElectrode": _counter_electrode,
    "DiffusivityCurve": _curve,
    "ElectrodeDesign": _design,
    "Electrolyte": _electrolyte,
    "Field": _field,
    "Host": _host,
    "HostPhase": _host_phase,
    "ListedSizes": _listed_sizes,
    "MeasuredMaterial": _measured_material,
    "RateCapability": _rate_capability,
    "RateLaw": _rate_law,
    "VoltageCurve": _curve,
}
"""What rules between fields ask for; everything else comes from the annotations alone."""


def has_unit(metadata: list[Any]) -> bool:
    return any(isinstance(mark, Unit) for mark in metadata)
