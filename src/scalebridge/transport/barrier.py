"""The barrier of one hop: nudged elastic band, refined saddle, harmonic transition state theory."""

from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.mep import NEB
from ase.optimize import FIRE
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

from scalebridge.foundation import ConvergenceError, InputError, constants, random_stream
from scalebridge.sampling import MakeCalculator, RelaxationSettings, Relaxed, relax
from scalebridge.transport.vibrations import attempt_frequency, path_frequency, solve_stationary_point

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class BarrierSettings:
    """How a minimum-energy path is found.

    Attributes
    ----------
    images
        Movable images between the ends (odd, so that one starts at the middle).
    force_tolerance
        Largest force across the path on any atom [eV/Å].
    maximum_steps
        Steps of the band before giving up.
    maximum_step
        Longest move of any atom per step [Å].
    minimum_distance
        Shortest distance of two atoms allowed on the start path [Å].
    rattle
        Standard deviation of the random displacement that breaks symmetry before ends are relaxed [Å].
    end_trials, end_rattle
        Relaxations of the first end, with the mover displaced by ``end_rattle`` [Å]: the lowest is used.
    metastable_depth
        A dip between two maxima deeper than this is a metastable site [eV].
    seed
        Of the rattle.
    """

    images: int = 7
    force_tolerance: float = 0.05
    maximum_steps: int = 300
    maximum_step: float = 0.1
    minimum_distance: float = 1.0
    rattle: float = 0.03
    end_trials: int = 3
    end_rattle: float = 0.3
    metastable_depth: float = 0.01
    seed: int = 0
    relaxation: RelaxationSettings = field(default_factory=RelaxationSettings)


@dataclass(frozen=True)
class Barrier:
    """The barrier of one hop.

    Attributes
    ----------
    start_energy, end_energy, saddle_energy
        [eV].
    attempt_frequency
        ν of the forward hop after Vineyard [1/fs].
    path_energies
        (images + 2,) energies along the band against its start [eV].
    metastable
        True if the path has a minimum between its ends: the highest saddle against the lowest minimum
        decides, the rate is an estimate.
    refined
        False if no first-order saddle was found near the band's top: its energy is then the band's and ν the
        frequency of the start's Hessian along the path; an estimate.
    saddle
        Atoms at the saddle.
    """

    start_energy: float
    end_energy: float
    saddle_energy: float
    attempt_frequency: float
    path_energies: FloatArray
    metastable: bool
    refined: bool
    saddle: Atoms

    @property
    def forward(self) -> float:
        """Barrier from the start [eV]."""
        return self.saddle_energy - self.start_energy

    def rate(self, temperature: float) -> float:
        """Return the forward rate ν exp(−E/kT) [1/fs]: harmonic transition state theory."""
        return float(self.attempt_frequency * np.exp(-self.forward / (constants.BOLTZMANN_EV * temperature)))


def solve_barrier(
    start: Atoms,
    mover: int,
    vector: FloatArray,
    make_calculator: MakeCalculator,
    *,
    settings: BarrierSettings | None = None,
    what: str = "the hop",
) -> Barrier:
    """Find the barrier for moving atom ``mover`` of ``start`` by ``vector`` at fixed cell.

    Both ends are relaxed; the band uses the improved tangent and a climbing image (Henkelman and Jónsson,
    J. Chem. Phys. 113, 9978 (2000); Henkelman, Uberuaga, Jónsson, ibid. 9901); the saddle is refined by
    eigenvector following until exactly one mode is unstable.

    Parameters
    ----------
    start
        Periodic structure with the mover on its first site; the second site is empty.
    mover
        Index of the atom that hops.
    vector
        (3,) from the first site to the second [Å].
    make_calculator
        Makes the energy model.
    what
        Name in error messages.

    Raises
    ------
    ConvergenceError
        If the band, an end or the saddle does not converge, or both ends relax into one site.
    InputError
        If two atoms come closer than allowed on the start path.
    """
    settings = settings or BarrierSettings()
    first, last = _relaxed_ends(
        start, mover, np.asarray(vector, dtype=float), make_calculator, settings=settings, what=what
    )
    moved = float(np.linalg.norm(last.atoms.positions[mover] - first.atoms.positions[mover]))
    if moved < 0.4 * float(np.linalg.norm(vector)):
        raise ConvergenceError(
            f"{what}: after relaxation the ends are {moved:.2f} Å apart where the sites are "
            f"{np.linalg.norm(vector):.2f} Å apart; this potential has one site there, merge them"
        )
    images = _start_path(first.atoms, last.atoms, settings, what)
    energies = _relax_band(images, make_calculator, settings, what)
    return _refine(images, energies, (first, last), make_calculator, settings)


def _relaxed_ends(
    start: Atoms,
    mover: int,
    vector: FloatArray,
    make_calculator: MakeCalculator,
    *,
    settings: BarrierSettings,
    what: str,
) -> tuple[Relaxed, Relaxed]:
    """Relax both ends; keep the atoms that do not hop on a common centre.

    The first end is the lowest of several relaxations that keep the mover on its site; the second starts
    from the first with the mover carried over.
    """
    random = random_stream(settings.seed, "transport", "rattle")
    reach = 0.5 * float(np.linalg.norm(vector))
    first: Relaxed | None = None
    for trial in range(settings.end_trials):
        moved = start.copy()
        moved.positions += random.normal(0.0, settings.rattle, moved.positions.shape)
        if trial > 0:
            moved.positions[mover] += random.normal(0.0, settings.end_rattle, 3)
        relaxed = _relax_end(moved, make_calculator, settings, f"{what}, first end of the path")
        on_site = float(np.linalg.norm(relaxed.atoms.positions[mover] - start.positions[mover])) < reach
        if first is None or (on_site and relaxed.energy < first.energy):
            first = relaxed
    if first is None:
        raise InputError(f"{what}: end_trials is {settings.end_trials}; at least 1 is needed")
    final = first.atoms.copy()
    final.positions[mover] += vector
    last = _relax_end(final, make_calculator, settings, f"{what}, second end of the path")
    others = np.arange(len(start)) != mover
    if others.any():
        last.atoms.positions -= (last.atoms.positions - first.atoms.positions)[others].mean(axis=0)
    return first, last


def _relax_end(
    atoms: Atoms, make_calculator: MakeCalculator, settings: BarrierSettings, what: str
) -> Relaxed:
    return relax(atoms, make_calculator, settings=settings.relaxation, what=what)


def _start_path(first: Atoms, last: Atoms, settings: BarrierSettings, what: str) -> list[Atoms]:
    """Return the ends and images between, by image-dependent pair potentials (Smidstrup et al. 2014)."""
    images = [first.copy() for _ in range(settings.images + 1)] + [last.copy()]
    band = NEB(images, method="improvedtangent")
    band.interpolate(method="idpp" if len(first) > 1 else "linear", mic=False)
    closest = np.inf
    for image in images:
        distances = image.get_all_distances(mic=True)
        np.fill_diagonal(distances, np.inf)
        closest = min(closest, float(distances.min(initial=np.inf)))
    if closest < settings.minimum_distance:
        raise InputError(
            f"{what}: atoms come within {closest:.2f} Å on the start path, at least "
            f"{settings.minimum_distance:g} Å are needed; leave this hop out with a shorter hop cutoff"
        )
    return images


def _relax_band(
    images: list[Atoms], make_calculator: MakeCalculator, settings: BarrierSettings, what: str
) -> FloatArray:
    """Relax the band in place, first without, then with a climbing image; return its energies."""
    for image in images:
        image.calc = make_calculator()
    largest = np.inf
    for climb, tolerance in ((False, 4 * settings.force_tolerance), (True, settings.force_tolerance)):
        band = NEB(images, method="improvedtangent", climb=climb, k=0.5, allow_shared_calculator=False)
        optimizer = FIRE(band, logfile=None, maxstep=settings.maximum_step)
        for _ in optimizer.irun(fmax=tolerance, steps=settings.maximum_steps):
            if not np.isfinite(band.energies).all():
                raise ConvergenceError(
                    f"{what}: an image of the band came where the potential has no energy, atoms closer than "
                    "in its training set; train it along the hop or leave the hop out with a shorter cutoff"
                )
        largest = float(np.linalg.norm(band.get_forces(), axis=1).max())
    if largest > 20 * settings.force_tolerance:
        raise ConvergenceError(
            f"{what}: the band's largest force is {largest:.3g} eV/Å after {settings.maximum_steps} steps, "
            f"above 20 × {settings.force_tolerance:g} eV/Å; raise maximum_steps or the number of images"
        )
    return np.array([image.get_potential_energy() for image in images])


def _refine(
    images: list[Atoms],
    energies: FloatArray,
    ends: tuple[Relaxed, Relaxed],
    make_calculator: MakeCalculator,
    settings: BarrierSettings,
) -> Barrier:
    profile, highest = _profile(images, energies)
    relative = energies - energies[0]
    metastable = dip_depth(profile) > settings.metastable_depth
    minimum = solve_stationary_point(ends[0].atoms, make_calculator, order=0)
    end_energy = ends[1].energy
    deepest = int(np.argmin(energies))
    if energies[deepest] < min(energies[0], energies[-1]) - settings.metastable_depth:
        # The ion rests between the two sites: they share that minimum.
        minimum = solve_stationary_point(images[deepest], make_calculator, order=0)
        end_energy = minimum.energy
    try:
        saddle = solve_stationary_point(highest, make_calculator, order=1)
        top, atoms = saddle.energy, saddle.atoms
        frequency = attempt_frequency(minimum.eigenvalues, saddle.eigenvalues)
        refined = top - minimum.energy > 0.5 * (profile.max() + energies[0] - minimum.energy)
    except ConvergenceError:
        refined = False
    if not refined:
        top, atoms = float(energies[0] + profile.max()), highest
        frequency = path_frequency(minimum, images[1].positions - images[0].positions, make_calculator)
    return Barrier(
        start_energy=minimum.energy,
        end_energy=end_energy,
        saddle_energy=top,
        attempt_frequency=frequency,
        path_energies=relative,
        metastable=metastable,
        refined=refined,
        saddle=atoms,
    )


def _profile(images: list[Atoms], energies: FloatArray) -> tuple[FloatArray, Atoms]:
    """Return the energy along the band between images as well, and the atoms at its highest point.

    Energies and the forces along the band fix a cubic in every segment (Henkelman and Jónsson 2000):
    a saddle between two images, next to a metastable site, is found too.
    """
    positions = np.array([image.positions for image in images])
    steps = np.linalg.norm(np.diff(positions, axis=0).reshape(len(images) - 1, -1), axis=1)
    place = np.concatenate([[0.0], np.cumsum(steps)])
    tangent = np.gradient(positions, place, axis=0)
    tangent /= np.linalg.norm(tangent.reshape(len(images), -1), axis=1)[:, None, None]
    slopes = [-float(np.sum(image.get_forces() * t)) for image, t in zip(images, tangent, strict=True)]
    fine = np.unique(np.concatenate([place, np.linspace(0.0, place[-1], 20 * len(images))]))
    profile = np.asarray(CubicHermiteSpline(place, energies - energies[0], slopes)(fine))
    at = float(fine[int(np.argmax(profile))])
    atoms = images[0].copy()
    k = min(int(np.searchsorted(place, at, side="right")) - 1, len(images) - 2)
    share = (at - place[k]) / steps[k]
    atoms.set_positions((1 - share) * positions[k] + share * positions[k + 1])
    return profile, atoms


def dip_depth(energies: FloatArray) -> float:
    """Return how far a path falls between two of its maxima, at its deepest dip [unit of energies]."""
    depth = 0.0
    for k in range(1, len(energies) - 1):
        depth = max(depth, float(min(energies[:k].max(), energies[k + 1 :].max()) - energies[k]))
    return depth
