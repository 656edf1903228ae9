"""PBE+U with GPAW in plane waves: spin-polarised, stress of a converged basis, spin states checked."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.oracle.kpoints import k_points
from scalebridge.oracle.spin_states import RedoxCentre, initial_moments, ligand_faults, spin_faults

LADDER: Final[tuple[Mapping[str, Any], ...]] = (
    {"mixer": (0.25, 8, 1.0), "maxiter": 60},
    {"mixer": (0.1, 8, 1.0), "maxiter": 80},
    {"mixer": (0.05, 5, 50.0), "maxiter": 100},
)
"""Of each attempt: density mixing (fraction, steps kept, weight of long waves), iterations."""
CONVERGENCE: Final[Mapping[str, float]] = {"energy": 4e-5, "density": 2.5e-4, "eigenstates": 2e-4}
"""GPAW's thresholds: eV, electrons and eV², each per valence electron."""
MAX_STRAIN: Final = 0.03
"""Between two cells: up to this component of the strain the second starts from the first's density."""


class NotConvergedError(RuntimeError):
    """No attempt of the ladder reached self-consistency."""


class WrongSpinStateError(RuntimeError):
    """The calculation converged, to moments that are not those of the host's redox centres."""


class UnbalancedChargeError(RuntimeError):
    """The ions of a structure give more electrons than its redox centres take: a structure without label."""


class LostLigandError(RuntimeError):
    """An atom of a redox centre's species has another neighbour than its ligand: a broken structure."""


@final
class GPAWPlusU(Calculator):  # type: ignore[misc]  # ASE ships no types
    """GPAW with PBE+U, set up for insertion hosts with localised electrons; one core.

    A structure that holds redox centres is spin-polarised and starts from moments that balance the charge of
    its ions, or from its own initial moments where it brings some. A label whose moments are not what the
    centres accept is raised as a failure, with the moments. A structure without redox centres is taken for a
    metal: no spin, its own density of k-points. Point-group symmetry is off; time reversal is used.

    Consecutive structures with the same atoms start from the last density while they are near each other,
    which saves a third to a half. One that ends badly that way is tried again from scratch, along ``LADDER``.

    Plane-wave stresses hold the number of waves constant while the cell changes, energies the cutoff. With
    V·dE_cut/dV = −⅔ E_cut at a constant number, σ(cutoff) = σ(number) + (2/3V) dE/d ln E_cut on the diagonal
    [Francis and Payne, J. Phys.: Condens. Matter 2, 4395 (1990)]. ``finite_basis`` holds −dE/d ln E_cut by
    species: it comes from the cores, so it hardly depends on the structure.

    Parameters
    ----------
    cutoff
        Of the plane waves [eV].
    kpoints, mean_value
        Of a host: a density [Å], a mesh, or points; all or the first (see ``oracle.kpoints.k_points``).
    metal_density
        Of k-points of a structure without redox centres [Å].
    hubbard
        U on the d shell by species [eV] [Dudarev et al., Phys. Rev. B 57, 1505 (1998)].
    centres
        Tables of ``RedoxCentre``, in the order in which they take electrons.
    ion, ion_charge
        The inserted ion and its charge [e].
    smearing
        Fermi–Dirac width [eV]. Energies are extrapolated to zero width, ``free_energy`` is not.
    finite_basis
        −dE/d ln E_cut by species [eV per atom]; a species left out counts as converged.
    convergence
        Thresholds, see ``CONVERGENCE``.
    reuse
        Largest displacement of an atom up to which the last density is the start [Å]; 0: never.
    txt
        File of GPAW's own output, overwritten by every new start; empty: none.

    Raises
    ------
    ModuleNotFoundError
        If ``gpaw`` is not installed.
    InputError
        If a setting is out of its range.
    """

    citations: Final = ("mortensen2024", "perdew1996", "dudarev1998", "francis1990", "baldereschi1973")
    implemented_properties: Final = ["energy", "free_energy", "forces", "stress", "magmom", "magmoms"]

    def __init__(
        self,
        *,
        cutoff: float = 500.0,
        kpoints: Any = 1.5,
        mean_value: bool = False,
        metal_density: float = 6.0,
        hubbard: Mapping[str, float] | None = None,
        centres: Sequence[Mapping[str, Any]] = (),
        ion: str = "",
        ion_charge: int = 1,
        smearing: float = 0.05,
        finite_basis: Mapping[str, float] | None = None,
        convergence: Mapping[str, float] = CONVERGENCE,
        reuse: float = 0.3,
        txt: str = "",
    ) -> None:
        super().__init__()
        import gpaw  # noqa: PLC0415  # optional and slow to import: only where it is used

        self.version: Final = str(gpaw.__version__)
        if not (cutoff >= 200 and smearing > 0 and reuse >= 0):
            raise InputError(
                f"cutoff {cutoff:g} eV, smearing {smearing:g} eV and reuse {reuse:g} Å; "
                "at least 200 eV, more than 0 eV and 0 Å or more are needed"
            )
        self.cutoff, self.smearing, self.convergence = cutoff, smearing, dict(convergence)
        self.kpoints, self.mean_value, self.metal_density = kpoints, mean_value, metal_density
        self.hubbard, self.finite_basis = dict(hubbard or {}), dict(finite_basis or {})
        self.centres = tuple(RedoxCentre.from_dict(table) for table in centres)
        self.ion, self.ion_charge = ion, ion_charge
        self.reuse, self.txt = reuse, txt
        self._inner: Any = None
        self._last = Atoms()

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = None,
        system_changes: Any = tuple(all_changes),
    ) -> None:
        """Compute energy [eV], forces [eV/Å], stress (6,) [eV/Å³, Voigt], moments of atoms and cell [μB].

        Raises
        ------
        NotConvergedError
            If no attempt reaches self-consistency.
        WrongSpinStateError
            If a redox centre ends with a moment that it does not accept.
        UnbalancedChargeError
            If the ions give more electrons than the redox centres take.
        LostLigandError
            If an atom of a centre's species is next to none of its ligands; nothing is computed.
        """
        super().calculate(atoms, properties, system_changes)
        structure = self.atoms.copy()
        structure.set_constraint()
        if faults := ligand_faults(structure, self.centres, ion=self.ion):
            raise LostLigandError("; ".join(faults))
        if self._near(structure):
            try:
                self.results = self._run(structure)
                self._last = structure
            except (NotConvergedError, WrongSpinStateError):
                pass  # the old density led astray: from scratch
            else:
                return
        self.results = self._climb(structure)
        self._last = structure

    def _near(self, structure: Atoms) -> bool:
        """Whether the last density is a good start."""
        if self._inner is None or not np.array_equal(structure.numbers, self._last.numbers):
            return False
        asked, had = structure.get_initial_magnetic_moments(), self._last.get_initial_magnetic_moments()
        if not (np.array_equal(structure.pbc, self._last.pbc) and np.allclose(asked, had)):
            return False
        if not np.array_equal(self._k_points(structure), self._k_points(self._last)):
            return False
        deformation = np.linalg.solve(self._last.cell.complete()[:], structure.cell.complete()[:])
        moved = structure.positions - self._last.positions @ deformation
        strain = np.abs(deformation - np.eye(3)).max()
        return bool(np.linalg.norm(moved, axis=1).max() <= self.reuse and strain <= MAX_STRAIN)

    def _climb(self, structure: Atoms) -> dict[str, Any]:
        """Start from scratch, along the ladder until one attempt converges."""
        start = structure.copy()
        if not np.any(start.get_initial_magnetic_moments()):
            start.set_initial_magnetic_moments(self._initial_moments(structure))
        for rung, attempt in enumerate(LADDER):
            self._inner = self._new(start, attempt)
            try:
                return self._run(start)
            except NotConvergedError as error:
                if rung == len(LADDER) - 1:
                    raise NotConvergedError(
                        f"{error} in any of {len(LADDER)} attempts; the structure may be metallic or between "
                        "two charge orders: give it initial moments, more smearing or other positions"
                    ) from None
        raise AssertionError("the ladder has rungs")

    def _initial_moments(self, structure: Atoms) -> NDArray[np.float64]:
        try:
            return initial_moments(structure, self.centres, ion=self.ion, ion_charge=self.ion_charge)
        except InputError as error:  # of this structure, which may be broken; the others are labelled
            raise UnbalancedChargeError(str(error)) from None

    def _run(self, structure: Atoms) -> dict[str, Any]:
        """Compute with the present inner calculator; on failure it is dropped."""
        from gpaw import KohnShamConvergenceError  # noqa: PLC0415

        inner, self._inner = self._inner, None
        try:
            energy = float(inner.get_potential_energy(structure))
        except KohnShamConvergenceError:
            raise NotConvergedError("the density is not self-consistent") from None
        moments = np.zeros(len(structure))
        if self._is_host(structure):
            moments = np.array(inner.get_magnetic_moments(structure), dtype=np.float64)
        faults = spin_faults(structure, moments, self.centres, ion=self.ion)
        if faults:
            raise WrongSpinStateError(
                f"{'; '.join(faults)}; energy {energy:.3f} eV, moments {self._told(structure, moments)} μB"
            )
        results = {
            "energy": energy,
            "free_energy": float(inner.get_potential_energy(structure, force_consistent=True)),
            "forces": np.array(inner.get_forces(structure), dtype=np.float64),
            "magmom": float(inner.get_magnetic_moment(structure)) if self._is_host(structure) else 0.0,
            "magmoms": moments,
        }
        if structure.pbc.all():
            stress = np.array(inner.get_stress(structure), dtype=np.float64)
            results["stress"] = stress + self._finite_basis_stress(structure)
        self._inner = inner
        return results

    def _finite_basis_stress(self, structure: Atoms) -> NDArray[np.float64]:
        """From a constant number of plane waves to a constant cutoff, (6,) [eV/Å³]."""
        slope = sum(self.finite_basis.get(symbol, 0.0) for symbol in structure.symbols)
        diagonal = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
        return np.asarray(-2.0 / 3.0 * slope / structure.get_volume() * diagonal)

    def _k_points(self, structure: Atoms) -> NDArray[np.float64]:
        if self._is_host(structure):
            return k_points(structure, self.kpoints, mean_value=self.mean_value)
        return k_points(structure, self.metal_density)

    def _is_host(self, structure: Atoms) -> bool:
        return any(len(centre.sites(structure, ion=self.ion)) for centre in self.centres)

    def _told(self, structure: Atoms, moments: NDArray[np.float64]) -> str:
        sites = [site for centre in self.centres for site in centre.sites(structure, ion=self.ion)]
        return " ".join(f"{structure.symbols[site]}{site} {moments[site]:.2f}" for site in sites)

    def _new(self, structure: Atoms, attempt: Mapping[str, Any]) -> Any:
        """Return a new GPAW calculator for a structure."""
        from gpaw import GPAW, PW, FermiDirac, Mixer, MixerSum  # noqa: PLC0415

        host = self._is_host(structure)
        present = set(structure.symbols)
        return GPAW(
            mode=PW(self.cutoff),
            xc="PBE",
            setups={symbol: f":d,{u}" for symbol, u in self.hubbard.items() if symbol in present},
            kpts=self._k_points(structure),
            symmetry={"point_group": False},
            spinpol=host,
            occupations=FermiDirac(self.smearing),
            mixer=(MixerSum if host else Mixer)(*attempt["mixer"]),
            eigensolver={"name": "davidson", "niter": 1},
            maxiter=attempt["maxiter"],
            convergence=self.convergence,
            txt=self.txt or None,
        )
