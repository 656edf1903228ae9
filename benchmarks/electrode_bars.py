"""Times of the electrode against its targets; one line per figure.

python benchmarks/electrode_bars.py one       20 volumes × 1 particle × 50 points, 1C, rtol 1e-5
python benchmarks/electrode_bars.py sizes     20×5×50 and 20×10×50 of a distribution at C/10, 1C, 5C
python benchmarks/electrode_bars.py large     20×5×50 and 50×5×100 at 1C
python benchmarks/electrode_bars.py scaling   unknowns against time, with one size and with several
python benchmarks/electrode_bars.py sweep     8 members × 6 rates on one process and on two
"""

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from particle_models import cell, particle
from scalebridge.electrode import CellModel, CellSolution, Layer, Population, solve_cell

TOLERANCE = 1e-5
RATES = (0.2, 0.5, 1.0, 2.0, 3.0, 5.0)


def model(volumes: int, particles: int, shells: int, *, mean: float = 60e-9, omega: float = 4.5) -> CellModel:
    """MPET's half cell; more than one particle per volume come from a lognormal distribution."""
    cathode = Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=volumes)
    if particles == 1:
        return cell(particle(shells=shells), layer=cathode, final_theta=0.995)
    population = Population.lognormal(mean, 0.25 * mean, shape="sphere", volumes=volumes, particles=particles)
    made = particle(omega, size=mean, shells=shells) if omega != 4.5 else particle(size=mean, shells=shells)
    return cell(made, layer=cathode, population=population, final_theta=0.995)


def timed(made: CellModel, c_rate: float, repeat: int = 1) -> tuple[float, float, CellSolution]:
    """Return the least wall and processor time of several runs, the kernels compiled before."""
    solve_cell(made, c_rate, times=np.array([0.0, 1.0]), relative_tolerance=TOLERANCE)
    walls, processors = [], []
    for _ in range(repeat):
        wall, processor = time.perf_counter(), time.process_time()
        solution = solve_cell(made, c_rate, relative_tolerance=TOLERANCE)
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return min(walls), min(processors), solution


def report(name: str, made: CellModel, c_rate: float, repeat: int = 1) -> float:
    """Time one run and say how it ended."""
    wall, processor, solution = timed(made, c_rate, repeat)
    unknowns = made.cathode.particle_sizes.size * (2 * made.particle.shells + 2)
    print(
        f"{name:10s} {c_rate:4g}C  {unknowns:7d} unknowns  wall {wall:7.3f} s  processor {processor:7.3f} s  "
        f"filled {solution.filling[-1]:.4f}  {solution.termination}",
        flush=True,
    )
    return processor


def one() -> None:
    report("20x1x50", model(20, 1, 50), 1.0, repeat=5)


def sizes() -> None:
    for particles in (5, 10):
        for c_rate in (0.1, 1.0, 5.0):
            report(f"20x{particles}x50", model(20, particles, 50), c_rate)


def large() -> None:
    report("20x5x50", model(20, 5, 50), 1.0)
    report("50x5x100", model(50, 5, 100), 1.0)


def scaling() -> None:
    grow("one particle per volume", [(10, 1, 50), (20, 1, 50), (40, 1, 50), (80, 1, 50)], repeat=3)
    grow("sizes", [(10, 5, 50), (20, 5, 50), (40, 5, 50)], repeat=1)


def grow(name: str, counts: list[tuple[int, int, int]], repeat: int) -> None:
    """Time one kind of run at several sizes and fit the power of the unknowns it grows with."""
    seconds = [report(f"{v}x{p}x{n}", model(v, p, n), 1.0, repeat) for v, p, n in counts]
    unknowns = np.array([v * p * n for v, p, n in counts])
    slope = np.polyfit(np.log(unknowns), np.log(seconds), 1)[0]
    print(f"{name}: time grows as unknowns^{slope:.2f}")


def sweep_unit(task: tuple[float, float]) -> float:
    omega, c_rate = task
    made = cell(particle(omega), final_theta=0.95, cutoff_voltage=2.5)
    return float(solve_cell(made, c_rate, relative_tolerance=TOLERANCE).filling[-1])


def sweep() -> None:
    tasks = [(omega, rate) for omega in np.linspace(3.0, 4.5, 8) for rate in RATES]
    spent = []
    for workers in (1, 2):
        with ProcessPoolExecutor(workers) as pool:
            list(pool.map(sweep_unit, tasks[: 2 * workers]))  # processes started, kernels loaded
            start = time.perf_counter()
            list(pool.map(sweep_unit, tasks))
            spent.append(time.perf_counter() - start)
        print(f"{len(tasks)} discharges on {workers} processes: {spent[-1]:.2f} s", flush=True)
    print(f"two processes are {spent[0] / spent[1]:.2f} times as fast as one")


COMMANDS: dict[str, Callable[[], None]] = {
    "one": one, "sizes": sizes, "large": large, "scaling": scaling, "sweep": sweep
}  # fmt: skip

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=COMMANDS)
    COMMANDS[parser.parse_args().what]()
