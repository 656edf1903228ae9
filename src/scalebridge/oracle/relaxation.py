"""Relaxation of positions and cell with the reference calculator; every step is a label and is stored."""

import warnings
from dataclasses import dataclass
from typing import Any, Final

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE

from scalebridge.foundation import SILENT, LabelError, Progress
from scalebridge.oracle.calculators import CalculatorSpec
from scalebridge.oracle.evaluation import DEFAULT_LIMITS, LabelLimits, evaluate
from scalebridge.oracle.labelling import labelled
from scalebridge.oracle.store import LabelStore, structure_key


@dataclass(frozen=True)
class Relaxation:
    """A relaxation.

    Attributes
    ----------
    frames
        Every structure visited, each with its label, first to last.
    converged
        Whether the largest force (and scaled stress) fell below ``fmax``.
    computed
        Labels computed now; the others came from the store.
    """

    frames: tuple[Atoms, ...]
    converged: bool
    computed: int

    @property
    def relaxed(self) -> Atoms:
        """The last structure."""
        return self.frames[-1]


class StoredCalculator(Calculator):  # type: ignore[misc]  # ASE ships no types
    """A calculator that answers from the store where it can; computes and stores otherwise.

    Attributes
    ----------
    frames
        Every structure asked for, with its label.
    computed
        Labels computed now.
    """

    implemented_properties: Final = ["energy", "free_energy", "forces", "stress"]

    def __init__(
        self, spec: CalculatorSpec, store: LabelStore | None, limits: LabelLimits = DEFAULT_LIMITS
    ) -> None:
        super().__init__()
        self.spec, self.store, self.limits = spec, store, limits
        self.frames: list[Atoms] = []
        self.computed = 0

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = None,
        system_changes: Any = tuple(all_changes),
    ) -> None:
        """Find or compute energy [eV], forces [eV/Å] and stress [eV/Å³].

        Raises
        ------
        LabelError
            If the calculation fails.
        """
        super().calculate(atoms, properties, system_changes)
        key = structure_key(self.atoms, self.spec)
        known = self.store.find([key]) if self.store is not None else {}
        if key in known and not known[key].outcome.failed:
            outcome = known[key].outcome
        else:  # a failure ended the relaxation: whoever starts it again has mended what failed
            outcome = evaluate(self.spec, self.atoms, self.limits)
            self.computed += 1
            if self.store is not None:
                self.store.add(key, self.atoms, self.spec, outcome)
        if outcome.failed:
            raise LabelError(
                f"relaxation of {self.atoms.get_chemical_formula()} by '{self.spec.target}' failed at step "
                f"{len(self.frames)}: {outcome.reasons[-1]}; start from a structure nearer to equilibrium, "
                "or mend the calculator's set-up: the step is tried again"
            )
        self.frames.append(labelled(self.atoms, outcome))
        self.results = dict(self.frames[-1].calc.results, free_energy=outcome.energy)


def relax(
    atoms: Atoms,
    spec: CalculatorSpec,
    *,
    store: LabelStore | None = None,
    limits: LabelLimits = DEFAULT_LIMITS,
    cell: bool = True,
    fmax: float = 0.05,
    max_steps: int = 200,
    progress: Progress = SILENT,
) -> Relaxation:
    """Relax positions and, if asked, the cell, by FIRE [Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006)].

    A relaxation that is started again finds its steps in the store and pays for none of them twice.

    Parameters
    ----------
    atoms
        Start; left unchanged. Its constraints act.
    spec
        The reference calculator.
    store
        Where the steps are kept; None: nowhere.
    limits
        Sanity limits of a label.
    cell
        Whether the cell relaxes too (ASE's ``FrechetCellFilter``).
    fmax
        Largest force (and stress times volume per cell degree of freedom) at the end [eV/Å].
    max_steps
        Steps after which it ends unconverged, which ``converged`` says.
    progress
        Told of every step.

    Raises
    ------
    LabelError
        If the calculator fails on the way.
    """
    trial = atoms.copy()
    calculator = StoredCalculator(spec, store, limits)
    trial.calc = calculator
    target = FrechetCellFilter(trial) if cell else trial
    optimizer = FIRE(target, logfile=None)
    with progress.task(f"relaxation of {atoms.get_chemical_formula()}", total=max_steps) as task:
        optimizer.attach(task.advance)
        with warnings.catch_warnings():
            # the filter's logarithm of the cell's deformation is doubted at 1e-13, far below fmax
            warnings.filterwarnings("ignore", message="logm result may be inaccurate")
            converged = bool(optimizer.run(fmax=fmax, steps=max_steps))
    return Relaxation(tuple(calculator.frames), converged, calculator.computed)
