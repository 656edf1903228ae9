"""What solutions say in one number: who is at work, what a cycle loses, what limits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.contracts import Solution
from scalebridge.electrode.discharge import CellSolution
from scalebridge.electrode.model import HOUR, CellModel
from scalebridge.electrode.population import active_shares
from scalebridge.electrode.porous import PorousElectrode
from scalebridge.foundation import InputError
from scalebridge.particle import evaluate

FloatArray = NDArray[np.float64]

UNLIMITED = 0.02
"""Share of the discharge time below which no process counts as limiting."""
WAY_POINTS = 1000
"""Site fractions at which the stability of a particle is asked."""


@dataclass(frozen=True)
class Limitation:
    """What holds a discharge back."""

    process: str
    """The slowest of ``times``, or ``equilibrium`` where all are short beside the discharge."""
    times: dict[str, float]
    """Of every process [s], see `time_scales`."""
    discharge_time: float
    """[s]"""


def time_scales(model: CellModel) -> dict[str, float]:
    """Return the times of the processes of a discharge [s].

    ``diffusion``: R²/15D at half filling, in which a sphere's surface departs from its mean (plates R²/3D,
    cylinders R²/8D; 0 of Allen–Cahn and homogeneous particles, where no ion moves);
    ``reaction``: charge of a particle over the exchange current of its surface;
    ``salt``: thickness²/3D of the salt in the electrode's pores; ``ionic conduction`` and ``electronic
    conduction``: in which the electrode's charge passes with a loss of kT/e over a third of its thickness,
    the separator with its whole one. Of a porous anode ``anode diffusion`` and ``anode reaction`` as well,
    and its share of both conductions. Newman and Thomas-Alyea, Electrochemical Systems (2004), chapter 22.
    """
    particle, separator = model.particle, model.separator
    concentration = np.array([model.salt_concentration])
    bulk = float(model.electrolyte.conductivity(concentration, particle.temperature)[0])
    per_resistance = model.cathode.capacity_per_area / particle.thermal_voltage
    porous = [
        electrode for electrode in (model.cathode, model.anode) if isinstance(electrode, PorousElectrode)
    ]
    layers = [electrode.layer for electrode in porous]
    ionic = sum(layer.thickness / (3 * bulk * layer.transport_factor) for layer in layers)
    ionic += separator.thickness / (bulk * separator.transport_factor)
    electronic = sum(item.layer.thickness / (3 * item.electronic_conductivity) for item in porous)
    times = {
        "diffusion": _diffusion_time(model.cathode),
        "reaction": model.cathode.reaction_time(),
        "salt": model.electrolyte_time() / 3,
        "ionic conduction": per_resistance * ionic,
        "electronic conduction": per_resistance * electronic,
    }
    if isinstance(model.anode, PorousElectrode):
        times["anode diffusion"] = _diffusion_time(model.anode)
        times["anode reaction"] = model.anode.reaction_time()
    return times


def _diffusion_time(electrode: PorousElectrode) -> float:
    share = {"sphere": 15.0, "cylinder": 8.0, "plate": 3.0}[electrode.particle.shape]
    return electrode.diffusion_time() / share


def limiting_process(model: CellModel, c_rate: float) -> Limitation:
    """Return the slowest process beside a discharge's time.

    Raises
    ------
    InputError
        If the rate is not positive.
    """
    if not c_rate > 0:
        raise InputError(f"C-rate {c_rate:g} must be positive; give the rate of a discharge")
    times, duration = time_scales(model), HOUR / c_rate
    slowest = max(times, key=times.__getitem__)
    return Limitation(slowest if times[slowest] > UNLIMITED * duration else "equilibrium", times, duration)


def active_fraction(model: CellModel, solution: CellSolution) -> tuple[FloatArray, FloatArray]:
    """Return which share of the electrode transforms up to each time, and how much has: (times,) both.

    `active_shares` of the particles' way through the unstable part of their free energy, where a phase turns
    into another; for a solid solution through all fillings. The current itself says less: in a slow discharge
    all particles that wait share it between two events, and give it to the next one that transforms.
    """
    theta, passed = _unstable_way(model)
    fillings = solution.theta @ model.particle.grid.fractions
    progress = np.interp(fillings, theta, passed)
    if solution.filling[-1] < solution.filling[0]:
        progress = 1.0 - progress
    return active_shares(progress, model.cathode.particle_shares)


def _unstable_way(model: CellModel) -> tuple[FloatArray, FloatArray]:
    """Return site fractions and the share of the unstable ones that lies below each.

    Without the coherency energy, which acts inside a particle: between particles it opens no way out.
    """
    middles = (np.arange(WAY_POINTS) + 0.5) / WAY_POINTS
    excess = np.array([evaluate(model.particle.excess, float(x))[1] for x in middles])
    unstable = 1 / (middles * (1 - middles)) + excess < 0
    below = np.concatenate([[0.0], np.cumsum(unstable if unstable.any() else np.ones(WAY_POINTS))])
    return np.linspace(0.0, 1.0, WAY_POINTS + 1), below / below[-1]


def mean_active_fraction(solution: Solution) -> float:
    """Return a discharge's mean of ``active_fraction`` over what ``transformed``.

    Near 1 particles transform together; near one over their number one after another, as far as the output
    times tell them apart.

    Raises
    ------
    InputError
        If the solution holds no such field, or nothing was transformed.
    """
    missing = [name for name in ("active_fraction", "transformed") if name not in solution.fields]
    if missing:
        raise InputError(
            f"solution without {' and '.join(missing)}: {solution.status}; give one of solve_discharge"
        )
    done = solution.fields["transformed"].values
    if done[-1] <= 0:
        raise InputError(f"no particle transformed: {solution.status}; give a discharge that goes further")
    return float(np.sum(solution.fields["active_fraction"].values[1:] * np.diff(done)) / done[-1])


def voltage_hysteresis(discharge: CellSolution, charge: CellSolution, filling: ArrayLike) -> FloatArray:
    """Return by how much a charge's voltage lies above a discharge's at equal fillings [V].

    Parameters
    ----------
    discharge, charge
        Two runs or steps of a protocol, filling rising and falling.
    filling
        (n,) mean site fractions that both pass.

    Raises
    ------
    InputError
        If a filling was not passed in one of the runs, or one runs the other way.
    """
    wanted = np.atleast_1d(np.asarray(filling, dtype=np.float64))
    voltages = []
    for name, run, sign in (("discharge", discharge, 1.0), ("charge", charge, -1.0)):
        x, order = run.filling, slice(None, None, int(sign))
        if sign * (x[-1] - x[0]) <= 0:
            raise InputError(
                f"{name} with filling from {x[0]:g} to {x[-1]:g} runs the other way; exchange the two"
            )
        if wanted.min() < x.min() or wanted.max() > x.max():
            raise InputError(
                f"filling {wanted.min():g} … {wanted.max():g} goes beyond the {name}'s {x.min():g} … "
                f"{x.max():g}; ask within"
            )
        voltages.append(np.interp(wanted, x[order], run.voltage[order]))
    return np.asarray(voltages[1] - voltages[0])
