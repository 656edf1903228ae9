"""Protocols: what a cell is made to do, step by step, and the sentences that say so.

Sentences are those of PyBaMM's experiments: "Discharge at C/5 until 2.0 V", "Charge at 1C for 30 minutes or
until 4.0 V", "Hold at 4.0 V until C/50", "Rest for 1 hour". Currents per electrode area are given in A/m2 or
mA/cm2, powers in W/m2, capacities of a step in % of the theoretical one. "Repeat 20 times:" repeats what
follows on its line, or the indented lines below it. "Follow FILE" follows a measured current that each row
holds until the next, "Follow FILE linearly" the straight lines between rows.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import FormatError, InputError

FloatArray = NDArray[np.float64]
Control = Literal["c-rate", "current", "voltage", "power"]
Quantity = Literal["voltage", "c-rate", "current", "capacity"]

LONGEST = 48 * 3600.0
"""Duration of a step that names neither time nor end by itself [s]."""
ROUNDING = 1e-12
"""Relative size of numbers that count as 0."""
PROFILE_POINTS = 4000
"""Output times of a whole profile, about; each row gets from `LEAST_POINTS` to `MOST_POINTS`."""
LEAST_POINTS, MOST_POINTS = 5, 100
_DURATIONS = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
}
_UNITS: dict[str, tuple[str, float]] = {
    "V": ("voltage", 1.0), "mV": ("voltage", 1e-3), "A/m2": ("current", 1.0), "mA/cm2": ("current", 10.0),
    "W/m2": ("power", 1.0), "mW/cm2": ("power", 10.0), "%": ("capacity", 0.01), "C": ("c-rate", 1.0),
}  # fmt: skip
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_SENTENCE = re.compile(
    r"(?P<verb>Discharge|Charge|Hold|Rest)(?: at (?P<value>.+?))?"
    r"(?: for (?P<time>.+?))?(?:(?: or)? until (?P<until>.+?))?\.?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Limit:
    """What ends a step: the quantity reaches the value."""

    quantity: Quantity
    value: float
    """V, 1, A/m² or the share of the theoretical capacity passed in the step; not negative."""


@dataclass(frozen=True)
class Step:
    """One step.

    Raises
    ------
    InputError
        If its duration is not positive.
    """

    control: Control
    value: float
    """V, C-rate, A/m² or W/m²; positive discharges."""
    duration: float = LONGEST
    """At most [s]."""
    until: tuple[Limit, ...] = ()
    text: str = ""
    slope: float = 0.0
    """By which a C-rate or current rises in time [1/s, A/m²/s]; it keeps its sign."""
    points: int | None = None
    """Output times; None: as many as `solve_protocol` is asked for."""

    def __post_init__(self) -> None:
        if not self.duration > 0:
            raise InputError(
                f"step '{self.text}': its duration of {self.duration:g} s must be positive; change it"
            )
        crossing = self.value * self.end_value < -ROUNDING * (self.value**2 + self.end_value**2)
        if self.slope and (self.control not in {"c-rate", "current"} or crossing):
            raise InputError(
                f"step '{self.text}': a {self.control} from {self.value:g} to {self.end_value:g} in a "
                "straight line must be a C-rate or a current, and keep its sign; part it where it changes"
            )

    @property
    def end_value(self) -> float:
        """The value after the whole duration."""
        return self.value + self.slope * self.duration


@dataclass(frozen=True)
class Protocol:
    """Steps in their order.

    Raises
    ------
    InputError
        If there is none.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise InputError('the protocol has no step; write for example "Discharge at C/5 until 2.0 V"')

    @classmethod
    def parse(cls, text: str, *, folder: Path = Path()) -> Self:
        """Read sentences, one a line or separated by semicolons; what follows ``#`` is a comment.

        Parameters
        ----------
        folder
            Where the files of "Follow FILE" are.

        Raises
        ------
        InputError
            If a sentence cannot be read.
        """
        lines = [line.split("#")[0].rstrip() for line in text.splitlines()]
        return cls(tuple(_block([line for line in lines if line.strip()], folder)))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file of sentences; see `parse`.

        Raises
        ------
        InputError
            If there is no such file or a sentence cannot be read.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InputError(f"{path}: no such file; give the path of an existing protocol") from None
        return cls.parse(text, folder=path.parent)


def read_profile(path: Path, *, linear: bool = False) -> tuple[Step, ...]:
    """Return the steps of a measured current; a new one begins at every row.

    The file has two columns with a header: ``time [s]`` and ``c_rate [1]`` or ``current [A.m-2]``. The charge
    of a step is value × time to rounding, or the trapezium's to the integrator's tolerance.

    Parameters
    ----------
    linear
        Follow the straight lines between rows. Otherwise each row holds until the next and the last one only
        says when the profile ends.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        If it has other columns, numbers that are not finite, or times that do not rise.
    """
    control, rows = _read_rows(path)
    points = int(np.clip(PROFILE_POINTS // (len(rows) - 1), LEAST_POINTS, MOST_POINTS))
    steps: list[Step] = []
    for (start, value), (end, following) in pairwise(rows):
        text = f"{path.name} from {start:g} s"
        if not linear:
            steps.append(Step(control, value, end - start, text=text, points=points))
            continue
        slope = (following - value) / (end - start)
        parts = [(value, end - start)]
        if value * following < 0:  # no step changes the sign of its current
            middle = -value / slope
            parts = [(value, middle), (0.0, end - start - middle)]
        steps.extend(Step(control, first, time, (), text, slope, points) for first, time in parts)
    return tuple(steps)


def _read_rows(path: Path) -> tuple[Control, list[tuple[float, float]]]:
    """Return what a profile's second column controls, and its rows."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of an existing profile") from None
    names = [name.strip() for name in lines[0].split(",")] if lines else []
    controls: dict[str, Control] = {"c_rate [1]": "c-rate", "current [A.m-2]": "current"}
    if len(names) != 2 or names[0] != "time [s]" or names[1] not in controls:
        raise FormatError(
            f"{path}: header '{','.join(names)}' must be 'time [s],c_rate [1]' or "
            "'time [s],current [A.m-2]'; correct it"
        )
    try:
        rows = np.array([[float(word) for word in line.split(",")] for line in lines[1:] if line.strip()])
    except ValueError as error:
        raise FormatError(f"{path}: {error}; write two numbers in every row") from None
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] != 2 or np.any(np.diff(rows[:, 0]) <= 0):
        raise FormatError(f"{path}: needs two or more rows of two numbers, times rising; correct it")
    if not np.all(np.isfinite(rows)):
        raise FormatError(f"{path}: holds numbers that are not finite; correct or leave out those rows")
    return controls[names[1]], [(float(time), float(value)) for time, value in rows]


def parse_step(sentence: str) -> Step:
    """Return the step that a sentence describes.

    Raises
    ------
    InputError
        If it cannot be read; the message says which part.
    """
    text = " ".join(sentence.split())
    match = _SENTENCE.match(text)
    if match is None:
        words = text.split(" ")
        near = get_close_matches(
            words[0].capitalize(), ("Discharge", "Charge", "Hold", "Rest", "Repeat", "Follow")
        )
        hint = f"; did you mean '{near[0]}'?" if near and near[0] != words[0] else ""
        raise InputError(
            f"'{text}' is no step{hint}; write 'Discharge at C/5 until 2.0 V', 'Charge at 1C for 30 minutes "
            "or until 4.0 V', 'Hold at 4.0 V until C/50' or 'Rest for 1 hour'"
        )
    verb = match["verb"].capitalize()
    control, value = _what(text, verb, match["value"])
    duration = LONGEST if match["time"] is None else _duration(text, match["time"])
    until = (
        () if match["until"] is None else tuple(_limit(text, part) for part in match["until"].split(" or "))
    )
    if verb == "Rest" and match["time"] is None:
        raise InputError(f"'{text}' does not say for how long; write 'Rest for 1 hour'")
    if control == "voltage" and any(limit.quantity == "voltage" for limit in until):
        raise InputError(f"'{text}' holds a voltage until a voltage; let it end on a current or a time")
    return Step(control, value, duration, until, text)


def _what(text: str, verb: str, value: str | None) -> tuple[Control, float]:
    if verb == "Rest":
        return "current", 0.0
    if value is None:
        raise InputError(f"'{text}' does not say at what; write '{verb} at ...'")
    quantity, number = _quantity(text, value)
    if (quantity == "voltage") != (verb == "Hold") or quantity == "capacity" or number <= 0:
        allowed = "a voltage" if verb == "Hold" else "a C-rate, a current or a power"
        raise InputError(f"'{text}': '{value}' must be {allowed}, and positive; correct it")
    sign = -1.0 if verb == "Charge" else 1.0
    controls: dict[str, Control] = {
        "voltage": "voltage", "c-rate": "c-rate", "current": "current", "power": "power"
    }  # fmt: skip
    return controls[quantity], sign * number


def _limit(text: str, words: str) -> Limit:
    quantity, number = _quantity(text, words)
    quantities: dict[str, Quantity] = {
        "voltage": "voltage", "c-rate": "c-rate", "current": "current", "capacity": "capacity"
    }  # fmt: skip
    if quantity not in quantities or number <= 0:
        raise InputError(f"'{text}': '{words}' cannot end a step; give a voltage, a C-rate, a current or %")
    return Limit(quantities[quantity], number)


def _quantity(text: str, words: str) -> tuple[str, float]:
    """Return what a number with its unit means: C/5, 1C, 0.5 C, 4.0 V, 2 A/m2, 10 W/m2, 50 %."""
    fraction = re.fullmatch(rf"C ?/ ?({_NUMBER})", words)
    if fraction and float(fraction[1]) > 0:
        return "c-rate", 1.0 / float(fraction[1])
    plain = re.fullmatch(rf"({_NUMBER}) ?(\S+)", words)
    if plain is None or plain[2] not in _UNITS:
        raise InputError(
            f"'{text}': '{words}' is no quantity; write C/5, 1C or a number with one of {', '.join(_UNITS)}"
        )
    quantity, factor = _UNITS[plain[2]]
    return quantity, float(plain[1]) * factor


def _duration(text: str, words: str) -> float:
    match = re.fullmatch(rf"({_NUMBER})? ?([a-zA-Z]+?)s?", words)
    unit = None if match is None else match[2] if match[2] in _DURATIONS else words
    if match is None or unit not in _DURATIONS:
        raise InputError(f"'{text}': '{words}' is no time; write a number of seconds, minutes, hours or days")
    return float(match[1] or 1.0) * _DURATIONS[unit]


def _block(lines: list[str], folder: Path) -> list[Step]:
    """Return the steps of lines, those under "Repeat N times:" as often as it says."""
    steps: list[Step] = []
    k = 0
    while k < len(lines):
        line = lines[k]
        k += 1
        repeat = re.fullmatch(r"(.*?)\brepeat (\d+) times?:(.*)", line, re.IGNORECASE)
        before, count, after = (line, "0", "") if repeat is None else repeat.groups()
        for sentence in before.split(";"):
            steps.extend(_sentence(sentence, folder))
        inner = [after] if after.strip() else []
        while repeat and not after.strip() and k < len(lines) and _indent(lines[k]) > _indent(line):
            inner.append(lines[k])
            k += 1
        steps.extend(_block(inner, folder) * int(count))
    return steps


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _sentence(sentence: str, folder: Path) -> tuple[Step, ...]:
    follow = re.fullmatch(r"\s*follow (.+?)( linearly)?\s*", sentence, re.IGNORECASE)
    if follow:
        return read_profile(folder / follow[1], linear=follow[2] is not None)
    return (parse_step(sentence),) if sentence.strip() else ()
