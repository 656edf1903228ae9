"""Coherent slabs of two phases of a host: interface energy and coherency energy."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from scalebridge.foundation import ConvergenceError, InputError
from scalebridge.interfaces.gradient import gradient_energy
from scalebridge.interfaces.orientation import oriented_cell
from scalebridge.interfaces.strain import solve_transformation
from scalebridge.sampling import HostCell, MakeCalculator, RelaxationSettings, Relaxed, relax

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RelaxedPhase:
    """One phase at zero temperature and stress, in the repeat unit of slabs.

    Attributes
    ----------
    host
        Framework and sites before relaxation.
    occupied
        Sites that hold an ion.
    cell
        (3, 3) relaxed vectors as rows [Å].
    scaled
        (N, 3) relaxed scaled coordinates, framework first; its mean displacement removed.
    energy
        Of the unit [eV].
    """

    host: HostCell
    occupied: tuple[int, ...]
    cell: FloatArray
    scaled: FloatArray
    energy: float

    @property
    def symbols(self) -> list[str]:
        """Chemical symbols, framework first."""
        symbols: list[str] = self.host.framework.get_chemical_symbols()
        return symbols + [self.host.ion] * len(self.occupied)

    @property
    def theta(self) -> float:
        """Site fraction."""
        return len(self.occupied) / self.host.n_sites

    def atoms(self) -> Atoms:
        """Return the relaxed unit."""
        return Atoms(self.symbols, cell=self.cell, scaled_positions=self.scaled, pbc=True)


def relax_phase(
    host: HostCell,
    make_calculator: MakeCalculator,
    *,
    occupied: Sequence[int],
    shift: FloatArray | None = None,
    settings: RelaxationSettings | None = None,
    what: str = "the host",
) -> RelaxedPhase:
    """Relax atoms and cell of the host with ions on ``occupied``, started off by ``shift`` (N, 3) [Å].

    Raises
    ------
    ConvergenceError
        If the relaxation fails.
    """
    start = host.atoms(occupied)
    before = start.get_scaled_positions(wrap=False)
    if shift is not None:
        start.positions += shift
    relaxed = relax(start, make_calculator, cell="all", settings=settings, what=what)
    after = relaxed.atoms.get_scaled_positions(wrap=False)
    frame = len(host.framework)
    after = after - (after - before)[:frame].mean(axis=0)
    return RelaxedPhase(host, tuple(occupied), np.array(relaxed.atoms.cell), after, relaxed.energy)


def oriented_phase(phase: RelaxedPhase, matrix: NDArray[np.int64]) -> RelaxedPhase:
    """Return the relaxed phase in the cell ``matrix`` @ cell."""
    scaled = phase.scaled @ np.linalg.inv(matrix.astype(float))
    host = oriented_cell(phase.host, matrix)
    return RelaxedPhase(host, phase.occupied, matrix @ phase.cell, scaled, phase.energy)


@dataclass(frozen=True)
class SlabSettings:
    """How slabs are built.

    Attributes
    ----------
    counts
        Repeat units N of each phase; at least two different numbers.
    plane_tolerance
        Sites closer than this along the normal form one plane [Å].
    """

    counts: tuple[int, ...] = (2, 3)
    plane_tolerance: float = 0.5
    relaxation: RelaxationSettings = field(
        default_factory=lambda: RelaxationSettings(
            force_tolerance=0.03, loose_tolerance=0.15, maximum_steps=1500
        )
    )


@dataclass(frozen=True)
class SlabEnergies:
    """Energies of coherent slabs along one direction: E(N)/A = 2 γ + N · slope.

    Attributes
    ----------
    normal
        (3,) unit normal in the frame of the low phase's cell.
    counts
        (n,) units per phase.
    energies
        (n,) [E_slab − N (e_1 + e_2)]/A [eV/Å²].
    height
        Of one unit of each phase, one upon the other [Å].
    spacing
        Mean distance of successive site planes along the normal [Å].
    difference
        Δθ from the low to the high phase.
    converged
        Whether every slab reached the force tolerance, not only the loose one.
    """

    normal: FloatArray
    counts: NDArray[np.int64]
    energies: FloatArray
    height: float
    spacing: float
    difference: float
    converged: bool

    @property
    def slope(self) -> float:
        """Coherency energy per unit of each phase [eV/Å²]."""
        return float(self._line[0])

    @property
    def interface_energy(self) -> float:
        """γ, half the intercept [eV/Å²]."""
        return float(self._line[1]) / 2

    @property
    def coherency_energy_density(self) -> float:
        """Slope over the height of one unit of each phase [eV/Å³]."""
        return self.slope / self.height

    @property
    def gradient_energy(self) -> float:
        """κ = 2 γ d/(Δθ)² [eV/Å], 0 if γ ≤ 0."""
        return gradient_energy(self.interface_energy, self.spacing, self.difference)

    @property
    def _line(self) -> FloatArray:
        return np.polyfit(self.counts, self.energies, 1)


def solve_slabs(
    low: RelaxedPhase,
    high: RelaxedPhase,
    make_calculator: MakeCalculator,
    *,
    settings: SlabSettings | None = None,
    what: str = "slab",
) -> SlabEnergies:
    """Build, relax and fit coherent slabs stacked along the third cell vector.

    N units of each phase share the mean of both phases' base vectors (the high phase's cell taken without
    its rotation against the low one). All atoms and the stacking vector relax.
    γ is the mean of the interfaces of the two sides. Each side's bulk energy is that of its own arrangement.

    Raises
    ------
    InputError
        If fewer than two different numbers of units are given.
    ConvergenceError
        If a slab does not relax.
    """
    settings = settings or SlabSettings()
    counts = np.array(sorted(set(settings.counts)), dtype=np.int64)
    if len(counts) < 2 or counts[0] < 1:
        raise InputError(f"slab counts {settings.counts}: at least two different numbers of units are needed")
    base, stacks = _common_base(low, high)
    area = float(np.linalg.norm(np.cross(base[0], base[1])))
    energies = np.empty(len(counts))
    converged = True
    for k, count in enumerate(counts.tolist()):
        slab = build_slab(low, high, count)
        relaxed: Relaxed = relax(
            slab,
            make_calculator,
            cell="third vector",
            settings=settings.relaxation,
            what=f"{what} of {count} + {count} units",
        )
        converged = converged and relaxed.converged
        energies[k] = (relaxed.energy - count * (low.energy + high.energy)) / area
    normal = np.cross(base[0], base[1]) / area
    normal *= np.sign(normal @ stacks[0])
    heights = [float(stack @ normal) for stack in stacks]
    return SlabEnergies(
        normal=normal,
        counts=counts,
        energies=energies,
        height=sum(heights),
        spacing=0.5 * sum(heights) / _site_planes(low, heights[0], settings.plane_tolerance),
        difference=high.theta - low.theta,
        converged=converged,
    )


def build_slab(low: RelaxedPhase, high: RelaxedPhase, count: int) -> Atoms:
    """Return ``count`` units of the low and then of the high phase, stacked along the third vector.

    Both are cut in the middle of the widest gap that their atoms share along the stack, so that no atom near
    the cut is doubled or missing where one phase is tilted against the other.
    """
    base, stacks = _common_base(low, high)
    slab = Atoms(cell=np.vstack([base, count * (stacks[0] + stacks[1])]), pbc=True)
    origin = np.zeros(3)
    cut = _widest_gap(np.concatenate([low.scaled[:, 2], high.scaled[:, 2]]))
    for phase, stack in zip((low, high), stacks, strict=True):
        cell = np.vstack([base, stack])
        scaled = phase.scaled.copy()
        scaled[:, 2] -= np.floor(scaled[:, 2] - cut)
        positions = scaled @ cell
        for _ in range(count):
            slab += Atoms(phase.symbols, positions=positions + origin)
            origin = origin + stack
    return slab


def _widest_gap(places: FloatArray) -> float:
    """Return the middle of the widest gap between places on a circle of length 1."""
    places = np.sort(np.mod(places, 1.0))
    gaps = np.diff(np.append(places, places[0] + 1))
    widest = int(np.argmax(gaps))
    return float(places[widest] + gaps[widest] / 2)


def _common_base(low: RelaxedPhase, high: RelaxedPhase) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
    """Return the mean base vectors (2, 3) and each phase's stacking vector, in the low phase's frame."""
    stretched = low.cell @ solve_transformation(low.cell, high.cell).stretch
    return 0.5 * (low.cell + stretched)[:2], (low.cell[2], stretched[2])


def _site_planes(phase: RelaxedPhase, height: float, tolerance: float) -> int:
    """Return the number of distinct site planes in one unit along its stacking direction."""
    place = np.sort(np.mod(phase.host.sites[:, 2] + 1e-6, 1.0)) * height
    gaps = np.diff(np.append(place, place[0] + height))
    planes = int(np.sum(gaps > tolerance))
    if planes == 0:
        raise ConvergenceError(
            f"the sites form no separate planes along the stack (tolerance {tolerance:g} Å, "
            f"height {height:.2f} Å); lower plane_tolerance"
        )
    return planes
