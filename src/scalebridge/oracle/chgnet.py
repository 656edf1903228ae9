"""CHGNet 0.3.0 [Deng et al., Nature Machine Intelligence 5, 1031 (2023)]: weights inside its wheel."""

import contextlib
import io
import warnings
from typing import Any, Final, Literal

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

MODEL: Final = "0.3.0"


class CHGNet03(Calculator):  # type: ignore[misc]  # ASE ships no types
    """CHGNet pinned to model 0.3.0, on the CPU, silent, with a fixed number of threads.

    Parameters
    ----------
    threads
        Threads of torch in this process. One is fastest when several processes share the cores.
    on_isolated_atoms
        What to do with a structure in which an atom has no neighbour within 6 Å: its energy would be a
        constant without forces, so the default refuses it.

    Raises
    ------
    ModuleNotFoundError
        If ``chgnet`` or ``torch`` is not installed.
    """

    citations: Final = ("deng2023",)
    implemented_properties: Final = ["energy", "free_energy", "forces", "stress"]

    def __init__(
        self, *, threads: int = 1, on_isolated_atoms: Literal["ignore", "warn", "error"] = "error"
    ) -> None:
        super().__init__()
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            import torch  # noqa: PLC0415  # optional and slow to import: only where it is used
            from chgnet.model.dynamics import CHGNetCalculator  # noqa: PLC0415
            from chgnet.model.model import CHGNet  # noqa: PLC0415

            torch.set_num_threads(threads)
            model = CHGNet.load(model_name=MODEL, use_device="cpu", verbose=False)
            self._inner = CHGNetCalculator(model, use_device="cpu", on_isolated_atoms=on_isolated_atoms)

    @property
    def version(self) -> str:
        """Version of the model in use."""
        return str(self._inner.version)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = None,
        system_changes: Any = tuple(all_changes),
    ) -> None:
        """Compute energy [eV], forces (N, 3) [eV/Å] and stress (6,) [eV/Å³, Voigt]."""
        super().calculate(atoms, properties, system_changes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._inner.calculate(self.atoms, task="efs")
        found = self._inner.results
        energy = float(found["energy"])
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": found["forces"].astype(float),
            "stress": full_3x3_to_voigt_6_stress(found["stress"].astype(float)),
        }
