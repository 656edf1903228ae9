"""One label: run the calculator, check the numbers, retry once; in this process or in a pool."""

import functools
import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from numpy.typing import NDArray

from scalebridge.foundation import ScalebridgeError
from scalebridge.oracle.calculators import CalculatorSpec

ATTEMPTS: Final = 2
"""A failed calculation is tried once more, with a new calculator."""
THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class LabelLimits:
    """What a label must obey to be used.

    Attributes
    ----------
    max_force
        Largest magnitude of a force [eV/Å]; beyond, the calculator is far outside what it was made for.
    max_stress
        Largest stress component [eV/Å³].
    min_contact
        Smallest distance of two atoms over the sum of their covalent radii. Machine-learned calculators
        have holes below it: CHGNet's energy falls again when atoms come closer than 0.9 Å.
    """

    max_force: float = 50.0
    max_stress: float = 2.0
    min_contact: float = 0.5


DEFAULT_LIMITS: Final = LabelLimits()


@dataclass(frozen=True)
class Outcome:
    """A label, or why there is none.

    Attributes
    ----------
    energy
        Total energy [eV].
    forces
        (N, 3) [eV/Å].
    stress
        (6,) [eV/Å³], Voigt order xx yy zz yz xz xy, ASE's sign; None for a structure that is not periodic.
    reasons
        One line per failed attempt; a label may carry one from a first attempt.
    """

    energy: float | None = None
    forces: NDArray[np.float64] | None = None
    stress: NDArray[np.float64] | None = None
    reasons: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether there is no label."""
        return self.energy is None


class _BadLabelError(Exception):
    pass


@functools.cache
def _calculator(spec: CalculatorSpec) -> Any:
    return spec.build()


def evaluate(spec: CalculatorSpec, atoms: Atoms, limits: LabelLimits) -> Outcome:
    """Label one structure; on failure try once more with a new calculator. Safe to run in another process.

    Raises
    ------
    MissingDependencyError, InputError
        If the calculator cannot be built at all.
    """
    reasons: list[str] = []
    for _ in range(ATTEMPTS):
        calculator = _calculator(spec)
        try:
            _check_contacts(atoms, limits)
            energy, forces, stress = _compute(calculator, atoms)
            _check(energy, forces, stress, limits)
        except ScalebridgeError:
            raise
        except Exception as error:  # whatever a foreign code raises is a failed label, never a dead run
            reasons.append(" ".join(f"{type(error).__name__.lstrip('_')}: {error}".split()))
            _calculator.cache_clear()
        else:
            return Outcome(energy, forces, stress, tuple(reasons))
    return Outcome(reasons=tuple(reasons))


def _compute(calculator: Any, atoms: Atoms) -> tuple[float, NDArray[np.float64], NDArray[np.float64] | None]:
    trial = atoms.copy()
    trial.set_constraint()
    trial.calc = calculator
    energy = float(trial.get_potential_energy())
    forces = np.array(trial.get_forces(), dtype=np.float64)
    stress = np.array(trial.get_stress(voigt=True), dtype=np.float64) if trial.pbc.all() else None
    return energy, forces, stress


def _check(
    energy: float, forces: NDArray[np.float64], stress: NDArray[np.float64] | None, limits: LabelLimits
) -> None:
    values = {"energy": np.array(energy), "forces": forces}
    if stress is not None:
        values["stress"] = stress
    for name, value in values.items():
        if not np.all(np.isfinite(value)):
            raise _BadLabelError(f"{name} holds NaN or infinity")
    largest = float(np.linalg.norm(forces, axis=1).max(initial=0.0))
    if largest > limits.max_force:
        raise _BadLabelError(
            f"force of {largest:.1f} eV/Å on atom {int(np.linalg.norm(forces, axis=1).argmax())} "
            f"exceeds the limit of {limits.max_force:g} eV/Å"
        )
    if stress is not None and np.abs(stress).max() > limits.max_stress:
        raise _BadLabelError(
            f"stress of {np.abs(stress).max():.2f} eV/Å³ exceeds the limit of {limits.max_stress:g} eV/Å³"
        )


def _check_contacts(atoms: Atoms, limits: LabelLimits) -> None:
    radii = natural_cutoffs(atoms, mult=limits.min_contact)
    first, second, distances = neighbor_list("ijd", atoms, radii)
    if len(distances):
        worst = int(distances.argmin())
        pair = (
            f"{atoms.symbols[first[worst]]}{first[worst]} and {atoms.symbols[second[worst]]}{second[worst]}"
        )
        raise _BadLabelError(
            f"{pair} are {distances[worst]:.2f} Å apart, below {limits.min_contact:g} of the sum of their "
            "covalent radii"
        )


def label_fault(atoms: Atoms, limits: LabelLimits = DEFAULT_LIMITS) -> str:
    """Return which of the limits the label stored with ``atoms`` breaks; empty: none."""
    results = atoms.calc.results
    try:
        _check_contacts(atoms, limits)
        _check(results["energy"], np.asarray(results["forces"]), results.get("stress"), limits)
    except _BadLabelError as error:
        return str(error)
    return ""


def evaluate_all(
    spec: CalculatorSpec, structures: Mapping[str, Atoms], limits: LabelLimits, *, workers: int = 1
) -> Iterator[tuple[str, Outcome]]:
    """Yield ``(key, outcome)`` of each structure as it finishes.

    With ``workers`` > 1 the calculations run in that many new processes with one thread each, so a crash of
    the reference code costs an attempt, not the run.
    """
    if workers == 1:
        for key, atoms in structures.items():
            yield key, evaluate(spec, atoms, limits)
        return
    queue, suspects, crashes = deque(structures), deque[str](), Counter[str]()
    while queue or suspects:
        source, width = (suspects, 1) if suspects else (queue, workers)
        for key, outcome in _run_pool(spec, structures, limits, source, width):
            if outcome is not None:
                yield key, outcome
                continue
            crashes[key] += 1
            if crashes[key] < ATTEMPTS:
                suspects.append(key)
            else:
                yield key, Outcome(reasons=("the worker process died",) * ATTEMPTS)


def _run_pool(
    spec: CalculatorSpec,
    structures: Mapping[str, Atoms],
    limits: LabelLimits,
    queue: deque[str],
    workers: int,
) -> Iterator[tuple[str, Outcome | None]]:
    """Work off the queue until it is empty or a worker dies; then yield None for all that were in flight.

    Those are suspects: the caller runs each again, alone, so that an innocent one is cleared.
    """
    running: dict[Future[Outcome], str] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_use_one_thread) as pool:
        try:
            while queue or running:
                while queue and len(running) < workers:
                    running[pool.submit(evaluate, spec, structures[queue[0]], limits)] = queue[0]
                    queue.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    outcome = future.result()
                    yield running.pop(future), outcome
        except BrokenProcessPool:
            for key in running.values():
                yield key, None


def _use_one_thread() -> None:
    for name in THREAD_VARIABLES:
        os.environ[name] = "1"
