"""Tables of the electrode: its design with sources, and what limits it."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from scalebridge.contracts import ElectrodeDesign, RateCapability, Record, Sourced
from scalebridge.electrode import UNLIMITED, CellModel, limiting_process, time_scales
from scalebridge.plotting import rate_name
from scalebridge.report.numbers import UNKNOWN, FloatArray, duration
from scalebridge.report.tables import Table

HOUR = 3600.0
LABELS = {"lower_cutoff": "lower cutoff, below the mean equilibrium voltage"}
"""Fields whose name alone would be read wrongly."""
PROCESSES: Final = {
    "diffusion": "diffusion in a particle, surface against mean",
    "reaction": "reaction, charge over exchange current",
    "salt": "salt in the pores, thickness²/3D",
    "ionic conduction": "ionic conduction, at a loss of kT/e",
    "electronic conduction": "electronic conduction, at a loss of kT/e",
    "anode diffusion": "diffusion in a particle of the anode, surface against mean",
    "anode reaction": "reaction of the anode, charge over exchange current",
}
"""What `time_scales` tells of, in the words of a reader."""
LIMITING: Final = {
    "diffusion": "diffusion in the particles limits",
    "reaction": "the reaction limits",
    "salt": "the salt in the pores limits",
    "ionic conduction": "ionic conduction limits",
    "electronic conduction": "electronic conduction limits",
    "anode diffusion": "diffusion in the anode's particles limits",
    "anode reaction": "the anode's reaction limits",
    "equilibrium": "nothing limits, the electrode stays near equilibrium",
}
"""What `limiting_process` names, in a sentence."""


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
            rows.append((label, _text(value), unit, str(getattr(record, "source", ""))))
    return rows


def _text(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.size} points, {value[0]:.3g} … {value[-1]:.3g}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def limits_table(rates: RateCapability, cells: Sequence[CellModel]) -> tuple[Table, str]:
    """Return time scales against the discharge times, and a sentence that says what limits at which rates.

    Members whose solver failed at every rate show nothing that could be limited: the range leaves them out,
    and so does the count of members that agree.

    Parameters
    ----------
    cells
        One for each member of ``rates``.
    """
    shown = np.asarray(rates.finished.any(axis=1))
    scales = [time_scales(cell) for cell in cells]
    c_rates = [float(rate) for rate in np.sort(rates.c_rate)]
    rows = []
    for name, time in scales[0].items():
        values = np.array([scale[name] for scale in scales])
        ratio = [f"{time * c_rate / HOUR:.2g}" for c_rate in c_rates]
        rows.append((PROCESSES[name], duration(time), _span(values[shown]), *ratio))
    named = [[limiting_process(cell, c_rate).process for c_rate in c_rates] for cell in cells]
    rows.append(("what limits", "", "", *named[0]))
    if len(cells) > 1:
        kept = [named[k] for k in np.flatnonzero(shown)]
        agree = [sum(processes[k] == named[0][k] for processes in kept) for k in range(len(c_rates))]
        rows.append(("members that agree", "", "", *(f"{count} of {len(kept)}" for count in agree)))
    header = ("process", "time", "range of members", *map(rate_name, c_rates))
    caption = (
        "Time: of member 0. Under each rate: the time as a multiple of the discharge time 1 h / C-rate. What "
        f"limits is the slowest; below {UNLIMITED:.0%} of the discharge time the electrode stays near "
        "equilibrium."
    )
    if not shown.all():
        missing = int(np.sum(~shown))
        caption += (
            f" The range leaves out {missing} of {shown.size} members: their solver failed at every rate."
        )
    return Table(header, tuple(rows), caption), _what_limits(c_rates, named[0], scales[0])


def _span(values: FloatArray) -> str:
    if not values.size:
        return UNKNOWN
    low, high = duration(float(values.min())), duration(float(values.max()))
    return low if low == high else f"{low} – {high}"


def _what_limits(c_rates: Sequence[float], named: Sequence[str], scale: Mapping[str, float]) -> str:
    """Return which process limits a member at which rates, and from which rate on it would."""
    parts = []
    for process in dict.fromkeys(named):
        at = ", ".join(rate_name(rate) for rate, name in zip(c_rates, named, strict=True) if name == process)
        parts.append(f"at {at} {LIMITING[process]}")
    slowest = max(scale, key=lambda name: scale[name])
    time = scale[slowest]
    some, whole = _rate(UNLIMITED * HOUR / time), _rate(HOUR / time)
    return (
        f"In member 0, {'; '.join(parts)}. The slowest process, {PROCESSES[slowest].split(',')[0]}, takes "
        f"{duration(time)}: {UNLIMITED:.0%} of the discharge at {some}, all of it at {whole}."
    )


def _rate(c_rate: float) -> str:
    return rate_name(float(f"{c_rate:.2g}")) if c_rate >= 1 else f"C/{1 / c_rate:.2g}"
