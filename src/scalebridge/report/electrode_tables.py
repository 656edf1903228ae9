"""Tables of the electrode: its design with sources, and what limits it."""

import numpy as np

from scalebridge.contracts import ElectrodeDesign, RateCapability, Record, Sourced
from scalebridge.plotting import rate_name
from scalebridge.report.numbers import UNKNOWN, FloatArray, duration
from scalebridge.report.tables import Table

HOUR = 3600.0
LABELS = {"lower_cutoff": "lower cutoff, below the mean equilibrium voltage"}
"""Fields whose name alone would be read wrongly."""


def design_table(design: ElectrodeDesign) -> Table:
    """Return every number of the design with its unit and source."""
    header = ("quantity", "value", "unit", "source")
    return Table(header, tuple(_design_rows(design, "")), f"Design '{design.name}'.")


def _design_rows(record: Record, prefix: str) -> list[tuple[str, str, str, str]]:
    rows = []
    units = record.units()
    for name in type(record).model_fields:
        if name in ("provenance", "validity", "citations", "schema_version", "name", "source"):
            continue
        value = getattr(record, name)
        label = prefix + LABELS.get(name, name.replace("_", " "))
        unit = units.get(name, "").replace("1", "–") if units.get(name) == "1" else units.get(name, "")
        if isinstance(value, Sourced):
            rows.append((label, f"{value.value:.6g}", unit, value.source))
        elif isinstance(value, Record):
            rows.extend(_design_rows(value, f"{label}: "))
        elif value is not None:
            text = f"{value:.6g}" if isinstance(value, float) else str(value)
            rows.append((label, text, unit, str(getattr(record, "source", ""))))
    return rows


def limits_table(rates: RateCapability) -> tuple[Table, str]:
    """Return time scales against the discharge times, and a sentence that names the longest.

    Members whose solver failed at every rate show nothing that could be limited: the range leaves them out.
    """
    shown = rates.finished.any(axis=1)
    scales = {
        "diffusion in a particle, size²/D": rates.diffusion_time,
        "reaction, charge over exchange current": rates.reaction_time,
        "electrolyte, thickness²/D_effective": np.array([rates.electrolyte_time]),
    }
    order = np.argsort(rates.c_rate)
    rows = []
    for name, values in scales.items():
        ratio = [f"{float(values[0]) * rates.c_rate[index] / HOUR:.2g}" for index in order]
        span = "" if values.size == 1 else _span(values[shown])
        rows.append((name, duration(float(values[0])), span, *ratio))
    header = ("process", "time", "range of members", *(rate_name(float(rates.c_rate[i])) for i in order))
    caption = "Time: of member 0. Under each rate: the time as a multiple of the discharge time 1 h / C-rate."
    if not shown.all():
        missing = int(np.sum(~shown))
        caption += (
            f" The range leaves out {missing} of {shown.size} members: their solver failed at every rate."
        )
    return Table(header, tuple(rows), caption), _longest(scales, rates)


def _span(values: FloatArray) -> str:
    return f"{duration(float(values.min()))} – {duration(float(values.max()))}" if values.size else UNKNOWN


def _longest(scales: dict[str, np.ndarray], rates: RateCapability) -> str:
    name = max(scales, key=lambda key: float(scales[key][0]))
    time = float(scales[name][0])
    reached = HOUR / time
    verb = "inside" if reached > rates.c_rate.max() else "longer than"
    highest = float(rates.c_rate.max())
    return (
        f"The longest is {name.split(',')[0]}: {duration(time)}, {verb} the discharge time of "
        f"{duration(HOUR / highest)} at {rate_name(highest)}; the two are equal at {reached:.2g}C."
    )
