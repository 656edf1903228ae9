"""The phase-field half cell as a PyBaMM model: voltages and times side by side, both solvers in one process.

python benchmarks/electrode_pybamm_phase_field.py [--volumes 20] [--shells 50] [--rate 1] [--compile]

Needs ``pip install 'scalebridge[pybamm]'``. PyBaMM gets the finite-volume equations that our kernels hold,
written with its own symbols from the arrays of the same `CellModel`: particles of the Cahn–Hilliard reaction
model in every volume, Nernst and Planck's electrolyte, Ohm's law, Butler–Volmer. Log-odds are ours; PyBaMM
has θ alone with ln θ/(1−θ) in the potential, and rates are no unknowns, as one would write it there.
Its Jacobian is CasADi's, its solver IDAKLU. Times are those of a repeated solve, without set-up; ours too.

| equation | name here |
|---|---|
| μ = ln θ/(1−θ) + Ω(1−2θ) − λ∇²θ | ``potential`` |
| ∂θ/∂t = ∇·(D θ(1−θ) ∇μ), surface: filling rate r | rhs of ``theta`` |
| r = k (1−θ_s)[a₊ᵅ′ e^{−αΔ̃} − e^{μ_s + (1−α)Δ̃}] | ``rate`` |
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pybamm
from scipy.sparse import block_diag, csr_matrix, diags, identity, kron

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from particle_models import LFP_OMEGA, cell, particle
from scalebridge.electrode import CellModel, Layer, solve_cell
from scalebridge.electrode._kernels import (
    ANION,
    DIFFUSION,
    DRIFT,
    RISE,
    SHIFT,
    SPREAD,
    CellArrays,
    cell_residual,
    outer_size,
    transport,
)
from scalebridge.electrode.arrays import cell_arrays, ohmic_drop
from scalebridge.electrode.model import HOUR
from scalebridge.electrode.system import Unknowns, cell_system, rest_state
from scalebridge.particle import REFERENCE_TOLERANCE, THETA_TOLERANCE, consistent_start, evaluate

TOLERANCE = 1e-5
OUTPUTS = 300
SAME = 1e-6
"""Relative difference of equations that only rounding and tables part."""
DIFFERENTIAL = ("theta", "c")
UNIFORM = 1e-9
"""Relative spread below which a table counts as constant."""


def model_of(volumes: int, shells: int) -> CellModel:
    """MPET's half cell, one particle in each volume."""
    layer = Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=volumes)
    return cell(particle(shells=shells), layer=layer, final_theta=0.99)


def constant(values: np.ndarray) -> float:
    """Return the value of a property that does not change."""
    assert np.ptp(values) <= UNIFORM * np.abs(values).max(), "the comparison needs constant properties"
    return float(values.mean())


def properties(a: CellArrays) -> dict[int, float]:
    """Return the electrolyte's constants by the number of their table."""
    c = np.linspace(0.1, 3.0, 30)
    return {
        k: constant(np.array([transport(a, k, float(x))[0] for x in c]))
        for k in (DIFFUSION, SPREAD, ANION, DRIFT, RISE, SHIFT)
    }


def step_matrix(count: int) -> Any:
    """Return the differences of neighbours, (count − 1, count)."""
    return diags([-np.ones(count - 1), np.ones(count - 1)], [0, 1], shape=(count - 1, count)).tocsr()


def divergence(count: int) -> Any:
    """Return what leaves less what enters each volume through its inner faces, (count, count − 1)."""
    return -step_matrix(count).T.tocsr()


class PhaseField:
    """A `CellModel` at constant current as a discretised ``pybamm.BaseModel``: `model`."""

    def __init__(self, cell: CellModel, c_rate: float) -> None:
        self.cell, self.arrays = cell, cell_arrays(cell, target=c_rate)
        self.c_rate, self.constants = c_rate, properties(self.arrays)
        start = self._start()
        ends = np.cumsum([0, *(values.size for values in start.values())])
        x = {
            name: pybamm.StateVector(slice(int(first), int(last)), name=name)
            for name, first, last in zip(start, ends[:-1], ends[1:], strict=True)
        }
        self.rate, theta = self._particles(x)
        equations = {"theta": theta} | self._cell(x, self.rate)
        self.model = discretised_model(start, equations)

    def voltage(self, states: np.ndarray) -> np.ndarray:
        """Return the terminal voltage of states (unknowns, times) [V]."""
        offset = self.cell.particle.mean_voltage - self.c_rate * ohmic_drop(self.cell)
        # before the last unknown, the metal's current, stands the potential of the last volume
        return offset + self.cell.particle.thermal_voltage * np.asarray(states)[-2]

    def _start(self) -> dict[str, np.ndarray]:
        """Return the consistent state that our solver starts from; c and θ have rates, the rest has none."""
        unknowns = Unknowns.of(self.arrays)
        system = cell_system(self.arrays, unknowns)
        rest = rest_state(self.cell, self.arrays, unknowns, self.c_rate)
        state = consistent_start(system, rest)[0]
        return {
            "theta": state[unknowns.cathode.theta].ravel(),
            "c": state[unknowns.concentration],
            "phi": state[unknowns.concentration + 1],
            "solid": state[unknowns.cathode.solid],
            "metal": state[[-outer_size(self.arrays)]],
        }

    def _particles(self, x: dict[str, Any]) -> tuple[Any, Any]:
        """Return the filling rates of the volumes in 1C, and ∂θ/∂t of all shells."""
        a, p = self.arrays, self.arrays.cathode.active.arrays
        n, volumes = p.fractions.size, a.cathode.volumes
        grid = np.linspace(0.01, 0.99, 99)
        excess = np.array([evaluate(p.excess, float(t))[0] for t in grid])
        shift = constant(excess - LFP_OMEGA * (1 - 2 * grid) + 1.0) - 1.0
        diffusivity = constant(np.array([evaluate(p.diffusivity, float(t))[0] for t in grid]))
        step, areas, inverse = step_matrix(n), p.face_areas, p.inverse_fractions
        shrink = a.cathode.active.shrink
        out = diags(inverse) @ divergence(n) @ diags(areas)
        curvature = kron(diags(shrink**2), out @ step * (-p.gradient / p.spacing)).tocsr()
        theta = x["theta"]
        log_odds = pybamm.log(theta / (1 - theta))
        interaction = LFP_OMEGA * (1 - 2 * theta) + shift
        potential = log_odds + interaction + pybamm.Matrix(curvature) @ theta
        every = block_diag([step] * volumes).tocsr()
        middle = block_diag([0.5 * abs(step)] * volumes).tocsr()
        mean = pybamm.Matrix(middle) @ theta
        force = pybamm.Matrix(every) @ potential
        flux = diffusivity * mean * (1 - mean) * force
        spread = kron(diags(shrink**2), out / p.spacing).tocsr()
        surface = csr_matrix(
            (np.ones(volumes), (np.arange(volumes), n * np.arange(1, volumes + 1) - 1)),
            shape=(volumes, n * volumes),
        )
        at_surface = pybamm.Matrix(surface)
        log_a, vacancy = at_surface @ potential, 1 - at_surface @ theta
        here = np.arange(a.cathode.first, a.cathode.first + volumes)
        pick = csr_matrix((np.ones(volumes), (np.arange(volumes), here)), shape=(volumes, self.cell.volumes))
        cathode = pybamm.Matrix(pick)
        c, drive = cathode @ x["c"], x["solid"] - cathode @ x["phi"]
        k = pybamm.Vector(p.rate * shrink)
        assert p.exclusion == 1.0
        film = float(np.max(a.cathode.active.film))
        assert p.following == p.coherency == p.inner_wetting == p.outer_wetting == film == 0.0
        rate = (
            k * vacancy * (c * pybamm.exp(-p.transfer * drive) - pybamm.exp(log_a + (1 - p.transfer) * drive))
        )
        enters = pybamm.Matrix((surface.T * (p.rate_scale * inverse[-1])).tocsr())
        return rate, pybamm.Matrix(spread) @ flux + enters @ rate

    def _cell(self, x: dict[str, Any], rate: Any) -> dict[str, Any]:
        """Return the equations of electrolyte, solid and metal."""
        a, value, total = self.arrays, self.constants, self.cell.volumes
        c, phi, solid, metal = (x[name] for name in ("c", "phi", "solid", "metal"))
        step, leaves = step_matrix(total), pybamm.Matrix(divergence(total))
        left = diags([a.upwind, 1 - a.upwind], [0, 1], shape=(total - 1, total)).tocsr()
        rise, jump = pybamm.Matrix(step) @ c, pybamm.Matrix(step) @ phi
        face = pybamm.Vector(-a.face)
        current = face * value[SPREAD] * ((pybamm.Matrix(left) @ c) * jump + value[DRIFT] * rise)
        anion = face * value[DIFFUSION] * rise - value[ANION] * current
        salt = -(leaves @ anion) * pybamm.Vector(1 / a.storage)
        first = pybamm.Matrix(csr_matrix(([1.0], ([0], [0])), shape=(total, 1)))
        cathode, volumes = a.cathode, a.cathode.volumes
        here = np.arange(volumes)
        share = csr_matrix((cathode.share, (cathode.first + here, here)), shape=(total, volumes))
        charge = leaves @ current - first @ metal + pybamm.Matrix(share) @ rate
        conducts = diags(-a.solid[cathode.first : cathode.first + volumes - 1])
        inner = pybamm.Matrix((divergence(volumes) @ conducts @ step_matrix(volumes)).tocsr())
        end = np.zeros(volumes)
        end[-1] = self.c_rate
        electrons = inner @ solid + pybamm.Vector(end) - pybamm.Vector(a.cathode.share) * rate
        take = pybamm.Matrix(csr_matrix(([1.0], ([0], [0])), shape=(1, total)))
        c0, phi0 = take @ c, take @ phi
        surface = pybamm.log(c0 + metal * (value[RISE] / a.metal_face))
        drive = -(phi0 + value[SHIFT] * (surface - pybamm.log(c0)))
        alpha = a.counter_transfer
        butler = pybamm.exp(surface - alpha * drive) - pybamm.exp((1 - alpha) * drive)
        return {"c": salt, "phi": charge, "solid": electrons, "metal": metal / a.counter_rate + butler}


def discretised_model(start: dict[str, np.ndarray], equations: dict[str, Any]) -> pybamm.BaseModel:
    """Return what PyBaMM's discretisation would leave of a model; ``DIFFERENTIAL`` names have rates."""
    model = pybamm.BaseModel("phase-field half cell")
    model.rhs = {pybamm.Variable(name): equations[name] for name in DIFFERENTIAL}
    model.algebraic = {pybamm.Variable(name): equations[name] for name in start if name not in DIFFERENTIAL}
    model.initial_conditions = {v: pybamm.Vector(start[v.name]) for v in (*model.rhs, *model.algebraic)}
    model.concatenated_rhs = pybamm.NumpyConcatenation(*model.rhs.values())
    model.concatenated_algebraic = pybamm.NumpyConcatenation(*model.algebraic.values())
    model.concatenated_initial_conditions = pybamm.Vector(np.concatenate(list(start.values())))
    model.len_rhs = sum(start[name].size for name in DIFFERENTIAL)
    model.len_rhs_and_alg = sum(values.size for values in start.values())
    model.len_alg = model.len_rhs_and_alg - model.len_rhs
    infinite = np.full(model.len_rhs_and_alg, np.inf)
    model.bounds = (-infinite, infinite)
    held = np.arange(model.len_rhs_and_alg) < model.len_rhs
    model.mass_matrix = pybamm.Matrix(diags(held.astype(float)).tocsr())
    model.mass_matrix_inv = pybamm.Matrix(identity(model.len_rhs, format="csr"))
    model.is_discretised = True
    return model


def deviation(made: PhaseField) -> float:
    """Return by how much PyBaMM's equations differ from our kernels' at a disturbed state, relative.

    Both get the same random θ, c, φ; the rates, unknowns of ours, are PyBaMM's.
    """
    cell, a = made.cell, made.arrays
    unknowns = Unknowns.of(a)
    random = np.random.default_rng(7)
    y = made.model.concatenated_initial_conditions.evaluate().ravel().copy()
    y += 1e-2 * random.random(y.size) * np.where(np.arange(y.size) < made.model.len_rhs, 0.5, 1.0)
    n = cell.particle.shells
    theta, c, phi, solid, metal = np.split(y, np.cumsum([n * a.cathode.volumes, cell.volumes, cell.volumes,
                                                         a.cathode.volumes]))  # fmt: skip
    rate = made.rate.evaluate(y=y[:, None]).ravel()
    state, first = np.zeros(unknowns.size), unknowns.size - outer_size(a)
    state[unknowns.cathode.theta] = theta.reshape(a.cathode.volumes, 1, n)
    state[unknowns.cathode.odds] = np.log(state[unknowns.cathode.theta] / (1 - state[unknowns.cathode.theta]))
    state[unknowns.cathode.filling] = state[unknowns.cathode.theta] @ cell.particle.grid.fractions
    state[unknowns.cathode.rate] = rate[:, None]
    state[unknowns.concentration], state[unknowns.concentration + 1] = c, phi
    state[unknowns.cathode.solid], state[first], state[-1] = solid, metal[0], made.c_rate
    out = np.zeros(unknowns.size)
    cell_residual(a, state, np.zeros(unknowns.size), out)
    rhs = made.model.concatenated_rhs.evaluate(y=y[:, None]).ravel()
    algebraic = made.model.concatenated_algebraic.evaluate(y=y[:, None]).ravel()
    pairs = {
        "theta": (rhs[: theta.size], -out[unknowns.cathode.odds].ravel()),
        "c": (rhs[theta.size :], -out[unknowns.concentration]),
        "phi": (algebraic[: phi.size], out[unknowns.concentration + 1]),
        "solid": (algebraic[phi.size : -1], out[unknowns.cathode.solid]),
        "metal": (algebraic[-1:] * a.counter_rate, out[first : first + 1]),
        "rate": (rate, rate - out[unknowns.cathode.rate].ravel()),
    }
    found = {k: float(np.max(np.abs(u - v)) / max(np.max(np.abs(v)), 1e-300)) for k, (u, v) in pairs.items()}
    print("equations differ by", ", ".join(f"{k} {v:.1e}" for k, v in found.items()))
    return max(found.values())


@dataclass
class Timed:
    """Runs of one solver: least wall and processor times [s], and the last voltage."""

    wall: float = np.inf
    processor: float = np.inf
    voltage: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def run(self, solve: Callable[[], np.ndarray]) -> float:
        """Solve once more; return the wall time."""
        wall, processor = time.perf_counter(), time.process_time()
        self.voltage = solve()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        self.wall, self.processor = min(self.wall, wall), min(self.processor, processor)
        return wall


def compare(model: CellModel, c_rate: float, until: float, *, repeat: int, compiled: bool) -> None:
    """Solve by turns and print voltages' differences and times."""
    times = np.linspace(0.0, until * HOUR / c_rate, OUTPUTS)
    phase_field = PhaseField(model, c_rate)
    assert deviation(phase_field) < SAME, "PyBaMM was given other equations"
    absolute = THETA_TOLERANCE * TOLERANCE / REFERENCE_TOLERANCE
    solver = pybamm.IDAKLUSolver(rtol=TOLERANCE, atol=absolute, options={"compile": compiled})

    def ours() -> np.ndarray:
        solution = solve_cell(model, c_rate, times=times, relative_tolerance=TOLERANCE)
        assert solution.time.size == times.size, solution.status
        return solution.voltage

    def theirs() -> np.ndarray:
        solution = solver.solve(phase_field.model, [0.0, float(times[-1])], t_interp=times)
        return phase_field.voltage(solution.y)

    first = Timed().run(ours), Timed().run(theirs)
    print(f"set-up and first solve: ours {first[0]:.2f} s, PyBaMM {pybamm.__version__} {first[1]:.2f} s")
    us, them = Timed(), Timed()
    for _ in range(repeat):
        us.run(ours)
        them.run(theirs)
    difference = 1e3 * (us.voltage - them.voltage)
    print(
        f"{model.cathode.layer.volumes} volumes × 1 particle × {model.particle.shells} points, {c_rate:g}C, "
        f"rtol {TOLERANCE:g}, least of {repeat} solves\n"
        f"voltages differ by {np.sqrt(np.mean(difference**2)):.4f} mV rms, {np.abs(difference).max():.4f} mV "
        f"at most\nwall: ours {us.wall:.3f} s, PyBaMM {them.wall:.3f} s, ratio {them.wall / us.wall:.2f}\n"
        f"processor: ours {us.processor:.3f} s, PyBaMM {them.processor:.3f} s, "
        f"ratio {them.processor / us.processor:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=int, default=20)
    parser.add_argument("--shells", type=int, default=50)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--until", type=float, default=0.9, help="share of the capacity passed")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="PyBaMM's functions by the C compiler")
    asked = parser.parse_args()
    model = model_of(asked.volumes, asked.shells)
    compare(model, asked.rate, asked.until, repeat=asked.repeat, compiled=asked.compile)


if __name__ == "__main__":
    main()
