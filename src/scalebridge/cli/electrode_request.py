"""What ``scalebridge electrode`` was asked for, and whether its options go together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError

Kind = Literal["discharges", "--protocol", "--impedance", "--bpx or --pybamm"]

EVERYWHERE: Final = {"card", "design", "shells", "executor", "as_json"}
BELONGING: Final[dict[Kind, set[str]]] = {
    "discharges": {"rates", "sizes", "plots", "netcdf", "animation", "member"},
    "--protocol": {"protocol", "member", "plots", "netcdf", "animation"},
    "--impedance": {
        "impedance",
        "frequencies",
        "double_layer",
        "counter_double_layer",
        "member",
        "plots",
        "netcdf",
    },
    "--bpx or --pybamm": {"bpx", "pybamm", "member"},
}
"""Options of each kind of work beside those that every one takes."""
DEFAULT_RATES: Final = "0.1,1,5"
NANOMETRES: Final = 1e9
"""In a metre."""
PER_DECADE: Final = 5
MOST_FREQUENCIES: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class Request:
    """The command's arguments; None: not given.

    Raises
    ------
    InputError
        If options do not go together; the message names the two.
    """

    card: Path
    design: str
    rates: str | None
    sizes: str | None
    shells: int | None
    protocol: str | None
    impedance: float | None
    frequencies: str | None
    double_layer: float | None
    counter_double_layer: float | None
    bpx: Path | None
    pybamm: Path | None
    member: int | None
    plots: Path | None
    netcdf: Path | None
    animation: Path | None
    executor: str
    as_json: bool

    def __post_init__(self) -> None:
        kinds = self._kinds()
        if len(kinds) > 1:
            raise InputError(f"{kinds[0]} and {kinds[1]} are different work; ask for one at a time")
        for name, value in vars(self).items():
            if value is not None and name not in EVERYWHERE | BELONGING[self.kind]:
                owners = [kind for kind, names in BELONGING.items() if name in names]
                option = f"--{name.replace('_', '-')}"
                raise InputError(
                    f"{option} goes with {' and '.join(owners)}, not with {self.kind}; leave it out"
                )
        if self.kind != "discharges":
            return
        _ = self.c_rates, self.particle_sizes  # refused here, before kernels are loaded
        if self.animation is None:
            if self.member is not None:
                raise InputError(
                    f"--member {self.member}: discharges run every member of the card; leave it out, or add "
                    "--animation FILE to see that one"
                )
            return
        if len(self.c_rates) > 1:
            raise InputError(
                f"--animation {self.animation} shows one discharge where --rates "
                f"{self.rates or DEFAULT_RATES} asks for several; give one, like --rates 1"
            )
        if len(self.particle_sizes or ()) > 1:
            raise InputError(
                f"--animation {self.animation} shows one discharge where --sizes {self.sizes} asks for "
                "several; give one"
            )

    def _kinds(self) -> list[Kind]:
        asked: dict[Kind, bool] = {
            "--protocol": self.protocol is not None,
            "--impedance": self.impedance is not None,
            "--bpx or --pybamm": self.bpx is not None or self.pybamm is not None,
        }
        return [kind for kind, wanted in asked.items() if wanted]

    @property
    def kind(self) -> Kind:
        """What is to be done."""
        return next(iter(self._kinds()), "discharges")

    @property
    def chosen_member(self) -> int:
        """The committee member where one is shown."""
        return 0 if self.member is None else self.member

    @property
    def c_rates(self) -> tuple[float, ...]:
        """C-rates, ascending."""
        return parse_positive("--rates", DEFAULT_RATES if self.rates is None else self.rates)

    @property
    def particle_sizes(self) -> tuple[float, ...] | None:
        """Particle sizes, ascending [m]; None: the design's."""
        if self.sizes is None:
            return None
        return tuple(size / NANOMETRES for size in parse_positive("--sizes", self.sizes, "50,100,200"))

    @property
    def frequency_points(self) -> NDArray[np.float64] | None:
        """Frequencies of the impedance [Hz]; None: those that it chooses."""
        return None if self.frequencies is None else parse_frequencies(self.frequencies)


def parse_positive(option: str, text: str, example: str = DEFAULT_RATES) -> tuple[float, ...]:
    """Return the numbers of ``0.1,1,5``, ascending.

    Raises
    ------
    InputError
        If one is no positive number.
    """
    try:
        values = sorted(float(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text}: not numbers; write them like {example}") from None
    if not 0 < values[0] <= values[-1] < float("inf"):
        raise InputError(f"{option} {text}: must be positive; write them like {example}")
    if len(set(values)) < len(values):
        raise InputError(f"{option} {text}: a number stands there twice; write each once")
    return tuple(values)


def parse_frequencies(text: str) -> NDArray[np.float64]:
    """Return the frequencies of ``1e-3,1e5`` or ``1e-3,1e5,10`` (points per decade), both ends included [Hz].

    Raises
    ------
    InputError
        If the text is not two or three numbers, or they do not make a range.
    """
    way_out = "write the lowest and the highest in Hz, and points per decade, like 1e-3,1e5,10"
    words = text.split(",")
    try:
        low, high = (float(word) for word in words[:2])
        per_decade = PER_DECADE if len(words) == 2 else int(words[2])
    except (ValueError, IndexError):
        raise InputError(f"--frequencies {text}: not two numbers and a whole one; {way_out}") from None
    if len(words) > 3 or not 0 < low < high < float("inf") or per_decade < 1:
        raise InputError(f"--frequencies {text}: must be 0 < lowest < highest and N ≥ 1; {way_out}")
    count = 1 + max(round(per_decade * np.log10(high / low)), 1)
    if count > MOST_FREQUENCIES:
        raise InputError(f"--frequencies {text}: {count} points are more than {MOST_FREQUENCIES}; {way_out}")
    return np.geomspace(low, high, count)
