"""The recipe's sections: one frozen model each. A new setting is a field, its default and its docstring.

Lengths in Å, energies in eV, temperatures in K, times in fs or ps as the key says: these are settings of the
atomistic rooms. ``x`` counts ions per formula unit.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Located:
    """Marks a text that is a bundled name or a path; the recipe's hash takes the content found there."""

    kind: str
    """``host`` (a folder), ``design``, ``correction``, ``labels`` or ``prior`` (files)."""


@dataclass(frozen=True)
class WithoutEffect:
    """Marks a setting that changes how a run is done, never its numbers: it is left out of hashes."""


Repeat = tuple[
    Annotated[int, Field(ge=1, le=20)], Annotated[int, Field(ge=1, le=20)], Annotated[int, Field(ge=1, le=20)]
]
Repeats = Repeat | Annotated[tuple[Repeat, ...], Field(min_length=1)]
Temperature = Annotated[float, Field(gt=0, le=5000)]
Temperatures = Annotated[tuple[Temperature, ...], Field(min_length=1)]
Composition = Annotated[float, Field(ge=0)]
Compositions = Annotated[tuple[Composition, ...], Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Bursts = Literal["hybrid", "langevin", "npt-isotropic", "npt"]


def _leaves_some(every: int) -> int:
    if every == 1:
        raise ValueError("1 leaves no label to learn from; give 0 or at least 2")
    return every


class Section(BaseModel):
    """A part of the recipe: strict, frozen, unknown keys refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        allow_inf_nan=False,
    )


class HostSection(Section):
    """What is charged and discharged."""

    name: Annotated[str, Located("host")]
    """A bundled host (mnhcf, lfp) or the path of a host folder."""
    structures: str = ""
    """Which of the host's sets of phases, where it brings several (their key ``structures`` in host.toml)."""


class OracleSection(Section):
    """The reference calculator and the store of its labels."""

    calculator: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    """An ASE calculator as ``module:Class``."""
    arguments: dict[str, Any] = {}
    """Keyword arguments of the calculator."""
    correction: Annotated[str | None, Located("correction")] = None
    """A potential that is added to the calculator, fitted to the difference between a better level of theory
    and this one: a file in the host's folder, or a path."""
    remarks: tuple[str, ...] = ()
    """What is known to be wrong with this calculator for this host, in plain words: the report says it, and
    every card that rests on its labels."""
    store: Annotated[str, WithoutEffect()] = "labels.db"
    """Label store: an SQLite file in the run folder, an absolute path, or ``postgresql://…``."""
    max_failed_fraction: Fraction = 0.1
    """The labels stage fails when more than this fraction of calculations failed twice."""
    workers: Annotated[Count, WithoutEffect()] = 1
    """Calculations at a time."""
    retry_failed: Annotated[bool, WithoutEffect()] = False
    """Structures that the store holds as failed are tried again: for failures of the machine, not of them."""
    level: str | None = None
    """Level of theory its labels belong to, where ``labels.given`` tells several apart."""


class LabelsSection(Section):
    """The first training set: what the potential sees before it explores on its own."""

    compositions: Annotated[tuple[Composition, ...], Field(min_length=1)] | None = None
    """x of random structures to label."""
    structures_per_composition: Count = 8
    """Random arrangements of the ions at each composition."""
    repeat: Repeat = (1, 1, 1)
    """Repeats of the host's cell in labelled structures."""
    displacement: Positive = 0.04
    """Standard deviation of the framework's random displacements, per coordinate [Å]."""
    ion_displacement: Positive = 0.3
    """The same for ions, whose sites are wide [Å]."""
    strain: Fraction = 0.02
    """Standard deviation of the random strain components."""
    relaxation_steps: Count = 60
    """Steps of the relaxation of each phase at its own composition, at most; a part of them is kept."""
    given: Annotated[str | None, Located("labels")] = None
    """Labelled structures to start from (extended XYZ): a file in the host's folder, or a path. Nothing is
    computed then; structures of the ion alone are its metal. The keys of random structures have no effect."""
    level_of_theory: str = ""
    """Of the given labels, in plain words."""
    target: str | None = None
    """Level (``level`` in the file) by which the potential is judged: structures are held out of it alone.
    The others are learnt as well (see ``potential.correct``). Left out: all labels are of one level."""
    align: bool = False
    """Add to labels of other levels what the target adds on structures labelled at both, by a small potential
    of these differences; otherwise all levels count as one."""
    remarks: tuple[str, ...] = ()
    """What is known to be wrong with the given labels, in plain words, as ``oracle.remarks``."""
    held_out_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Fraction of structures that no fit sees."""


class LearningSection(Section):
    """Active learning: walkers over all ion contents propose structures; the calculator labels them."""

    temperatures: Temperatures
    """Temperatures of the walkers [K]; each runs through all x from both ends, in every phase."""
    repeat: Repeats = (1, 1, 1)
    """Repeats of the cell that walkers move in, or several of them; what they find is labelled so."""
    cell: Literal["host", "primitive"] = "host"
    """Cell that is repeated: the host's, or the smallest one of each phase, for costly calculators."""
    strains: tuple[float, ...] = (0.0,)
    """Linear strains of the walkers' first cells; all are combined with all temperatures."""
    save_grade: Annotated[float, Field(alias="save", gt=1)] = 2.1
    """Extrapolation grade above which a configuration is queued for labelling."""
    break_grade: Annotated[float, Field(alias="break", gt=1)] = 10.0
    """Extrapolation grade above which a walker stops."""
    extreme_strain: Annotated[float, Field(ge=0, lt=0.3)] = 0.015
    """Linear strain by which structures are also graded compressed, stretched and sheared; 0: not at all."""
    broken_walkers: Annotated[int, Field(ge=0)] = 0
    """Walkers that may break or be stuck in the round that ends the loop."""
    few_selected: Annotated[int, Field(ge=0)] = 20
    """The round that ends the loop has no break and selects fewer new structures than this; 0: not asked."""
    flat_errors: Annotated[float, Field(ge=0)] = 0.05
    """And held-out errors changed by no more than this fraction over the two rounds before; 0: not asked."""
    stalled_rounds: Annotated[int, Field(ge=2)] = 5
    """Rounds without lower grades, in spite of labels, after which a region of x and volume gets no more."""
    closest_pair: Annotated[float, Field(ge=0, lt=1)] = 0.8
    """Fraction of the shortest labelled distance of a pair below which an atom fell into another's place."""
    volume_factor: Annotated[float, Field(gt=1)] = 1.5
    """Factor from the volumes of the walkers' first cells beyond which a cell collapsed or blew up."""
    bond_stretch: Annotated[float, Field(gt=1)] = 1.4
    """Factor from its first length beyond which a bond of the framework is broken."""
    broken_bonds: Fraction = 0.1
    """Fraction of broken bonds above which the framework melted."""
    retreats: Annotated[int, Field(ge=0)] = 3
    """Dead ends from which a walker goes back to its last safe state; after one more it is lost."""
    rounds: Count = 6
    """Largest number of rounds."""
    sweeps: Count = 8
    """Bursts of dynamics, each with a cell move, at every ion content."""
    trials: Count = 3
    """Trial insertions or deletions at every ion content."""
    labels_per_round: Count = 30
    """Labels bought in a round, at most; the best are chosen by D-optimality."""
    label_budget: Count = 200
    """Labels bought in all rounds, at most."""
    held_out_every: Annotated[int, Field(ge=0), AfterValidator(_leaves_some)] = 10
    """Of so many of these labels one, drawn at random, is never trained on: errors on them tell how well the
    potential knows what walkers explore. 0: none."""
    site_width: Positive = 0.35
    """Standard deviation of trial ions about their site, per coordinate [Å]."""
    bursts: Bursts = "hybrid"
    """Dynamics of the walkers, as in ``thermodynamics``."""

    @property
    def repeats(self) -> tuple[tuple[int, int, int], ...]:
        """All repeats that walkers move in."""
        first = self.repeat[0]
        return self.repeat if isinstance(first, tuple) else (self.repeat,)  # type: ignore[return-value]


class PotentialSection(Section):
    """Moment tensor potentials: one best estimate and a committee."""

    level: Annotated[int, Field(ge=2, le=24, multiple_of=2)] = 12
    """Level of the basis (even)."""
    cutoff: Positive = 5.0
    """Range of the neighbourhood [Å]."""
    members: Annotated[int, Field(ge=4)] = 4
    """Committee members beside the best estimate; fewer than 4 give no spread."""
    committee: Literal["bootstrap", "posterior"] = "bootstrap"
    """``bootstrap``: each fitted to resampled labels, blind to what the potential's form cannot describe;
    ``posterior``: drawn about the best estimate with its radial functions, as wide as held-out errors ask."""
    energy_weight: Positive = 1.0
    """Weight of energies in the loss."""
    force_weight: Positive = 0.01
    """Weight of forces in the loss."""
    stress_weight: Annotated[float, Field(ge=0)] = 0.001
    """Weight of stresses in the loss."""
    correct: bool = False
    """Whether the fit to given labels of all levels is drawn to those of ``labels.target`` at the end. It
    pays where levels differ by more than the errors of the fit."""
    prior: Annotated[str | None, Located("prior")] = None
    """A potential of cheaper labels, of the same level and species: a file in the host's folder, or a path.
    All fits are corrections of it, as firm as cross-validation on the labels says."""
    repulsion: bool = False
    """Whether pairs closer than any label repel as screened nuclei: no ion falls into the framework."""
    iterations: Count = 60
    """Largest number of iterations of the final fits."""
    refit_iterations: Count = 20
    """Largest number of iterations of a refit during active learning."""


class VerificationSection(Section):
    """Long dynamics in a cell larger than any labelled one: whether the potential knows what it meets."""

    temperatures: Temperatures = (300.0,)
    """Of the runs [K]."""
    compositions: Annotated[int, Field(ge=2)] = 5
    """Number of x, evenly from the empty to the full host."""
    repeat: Repeat = (1, 1, 1)
    """Repeats of the host's cell."""
    picoseconds: Positive = 10.0
    """Length of each run [ps]."""


class ThermodynamicsSection(Section):
    """Free energies against x: volume, voltage, phases."""

    temperatures: Temperatures
    """Temperatures of the isotherms [K]."""
    repeat: Repeat = (1, 1, 1)
    """Repeats of the host's cell; small enough not to separate into phases inside."""
    equilibration: Count = 50
    """Sweeps dropped at the start of each rung."""
    sweeps: Count = 200
    """Sweeps sampled on each rung by each walker."""
    walkers: Count = 2
    """Independent ladders of every member, from different arrangements of the ions."""
    attempts: Count = 5
    """Trial insertions and deletions per sweep between neighbouring rungs."""
    site_width: Positive = 0.35
    """Standard deviation of trial ions about their site, per coordinate [Å]."""
    switching_steps: Annotated[int, Field(ge=0)] = 0
    """Steps over which a trial ion is switched on or off; 0, the bare move, is cheap and often enough."""
    bursts: Bursts = "hybrid"
    """Dynamics of the walkers: ``hybrid`` Monte Carlo is exact. ``langevin`` dynamics at constant cell, and
    with a cell that is rescaled stochastically in its volume (``npt-isotropic``) or also in its shape
    (``npt``), are approximate, and every result says so; the last two take the place of the cell moves."""
    fit_order: Annotated[int, Field(ge=1, le=12)] = 4
    """Most terms of the Redlich–Kister series."""


class TransportSection(Section):
    """Diffusivities against x and temperature."""

    temperatures: Annotated[tuple[Temperature, ...], Field(min_length=3)]
    """Temperatures of the dynamics [K]; three at least, for an Arrhenius line."""
    compositions: Compositions
    """x at which ions are followed."""
    repeat: Repeat = (2, 2, 2)
    """Repeats of the host's cell."""
    picoseconds: Annotated[float, Field(ge=3)] = 10.0
    """Length of each trajectory [ps]; 3 at least, for block errors."""
    equilibration_ps: Positive = 1.0
    """Dynamics dropped before [ps]."""
    timestep_fs: Positive = 1.0
    """Time step [fs]."""
    images: Annotated[int, Field(ge=3)] = 5
    """Moving images of a nudged elastic band, where ions do not hop in the dynamics."""


class InterfacesSection(Section):
    """Two-phase slabs, eigenstrain and stiffness."""

    normals: Annotated[tuple[tuple[int, int, int], ...], Field(min_length=1)] = (
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
    )
    """Interface normals as Miller indices of the host's cell."""
    slab_cells: Annotated[tuple[Count, ...], Field(min_length=2)] = (1, 2, 3)
    """Cells per phase in each slab; two lengths at least separate interface from coherency energy."""
    arrangements: Annotated[int, Field(ge=2)] = 3
    """Arrangements of the ions in a partly filled phase over which γ is a mean; 2 at least, for an error."""
    candidates: Count = 6
    """Random arrangements relaxed for each of these; one is drawn with its Boltzmann weight."""
    max_force: Positive = 0.03
    """Relaxations end below this force [eV/Å]."""
    max_steps: Count = 1500
    """Steps after which a relaxation counts as failed."""


class ElectrodeSection(Section):
    """The porous electrode and its protocols."""

    design: Annotated[str, Located("design")] = "bundled"
    """``bundled`` (``design.toml`` in the host's folder) or the path of a design file."""
    c_rates: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.1, 0.5, 1.0, 2.0, 5.0)
    """Discharge rates: 1 fills the theoretical capacity in an hour."""
    shells: Annotated[int, Field(ge=5)] | None = None
    """Finite volumes along a particle's radius or half thickness; left out: from the interface's width."""
