"""Interface and strain energies of all members in one contract."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import (
    InterfaceEnergies,
    InterfaceSample,
    Provenance,
    StructureTable,
    Validity,
)
from scalebridge.foundation import ConvergenceError, InputError, constants
from scalebridge.interfaces.arrangements import mean_slabs
from scalebridge.interfaces.pair import PhasePair
from scalebridge.interfaces.slab import SlabEnergies
from scalebridge.interfaces.strain import (
    Transformation,
    coherency_modulus,
    eigenstrain,
    rotate_stiffness,
    solve_transformation,
)
from scalebridge.interfaces.work import ElasticResult, End, SlabResult

FloatArray = NDArray[np.float64]
Miller = tuple[int, int, int]
NEAR = 0.05
"""Compositions x closer than this count as the same."""
DISAGREEMENT = 2.0
"""Factor between the strain energies of B(n) and of the slabs above which a warning is given."""
EV_PER_ANGSTROM = constants.EV / constants.ANGSTROM
"""1 eV/Å [J/m]."""


@dataclass(frozen=True)
class _Member:
    """One member's part: slabs by direction and arrangement, C of both ends [eV/Å³], strains, stretch."""

    slabs: list[list[SlabEnergies]]
    stiffness: FloatArray
    eigenstrain: FloatArray
    transformation: Transformation

    @property
    def means(self) -> list[SlabEnergies]:
        """The mean over arrangements, by direction."""
        return [mean_slabs(arrangements) for arrangements in self.slabs]


@dataclass(frozen=True)
class _Notes:
    """Remarks, and which members carry another's part, by the name of the part."""

    remarks: list[str] = field(default_factory=list)
    borrowed: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    missing: list[str] = field(default_factory=list)
    """Parts that no member has."""

    def borrow(self, member: int, part: str, remark: str) -> None:
        self.remarks.append(remark)
        self.borrowed[part].append(member)

    def warnings(self, members: int) -> list[str]:
        """Return what must not be read as agreement of the members."""
        return [
            *dict.fromkeys(self.missing),
            *(
                f"{len(who)} of {members} members ({', '.join(map(str, who))}) have no {part} of their own "
                "and carry another member's; the spread over members is too narrow"
                for part, who in self.borrowed.items()
            ),
        ]


def combine(
    slabs: Sequence[SlabResult],
    elastic: Sequence[ElasticResult],
    *,
    members: int,
    provenance: Provenance,
    pair: PhasePair,
    structures: StructureTable | None = None,
    warn: Callable[[str], None] = lambda text: None,
) -> InterfaceEnergies:
    """Combine all results into the contract.

    Several slabs of one member and plane are arrangements of the ions, drawn independently: γ, κ and the
    coherency energy are those of their mean, and the contract keeps γ of each.
    The eigenstrain follows the cells of ``structures`` where given, else the relaxed cells of ``pair``.
    The transformation (stretches, B(n)) from the low to the high phase of ``pair`` is that of the relaxed
    cells, as the slabs and the stiffness are: sampled cells, whose angles fluctuate by degrees, would enter B
    by the square of their noise. A member's part that failed is taken from member 0; a remark says so, and
    ``warn`` is called with how many members that concerns; likewise where B(n) and the slabs disagree.

    Raises
    ------
    ConvergenceError
        If member 0 lacks a slab direction or a cell, or no member has a stiffness.
    InputError
        If no slab was given, or ``structures`` has another number of members.
    """
    notes = _Notes()
    remarks = notes.remarks
    planes = list(dict.fromkeys(result.miller for result in slabs))
    if not planes or (structures is not None and structures.cell.shape[0] != members):
        given = members if structures is None else structures.cell.shape[0]
        raise InputError(
            f"{len(planes)} slab directions and {given} members' structures for {members} members; "
            "give at least one direction and structures of the same committee"
        )
    parts = [
        _Member(
            [_slabs_of(slabs, member, plane, notes) for plane in planes],
            *_strains(elastic, member, structures, pair, notes),
        )
        for member in range(members)
    ]
    for warning in [*notes.warnings(members), *_disagreement(parts, planes, pair)]:
        remarks.append(warning)
        warn(warning)
    for member, part in enumerate(parts):
        for plane, mean in zip(planes, part.means, strict=True):
            remarks += _doubts(mean, f"member {member}, plane {plane}")
    remarks.append(f"slabs, stiffness, stretches and B(n) join {pair}{pair.reason and f'; {pair.reason}'}")
    remarks.append(
        "slabs share the mean of both relaxed phases' base vectors; κ = 2γd is that of bonds between "
        "neighbouring site planes, a lower bound if interactions reach further"
    )
    x = np.array([pair.x_low, pair.x_high]) if structures is None else structures.x
    return _contract(parts, x, pair, provenance=provenance, remarks=tuple(dict.fromkeys(remarks)))


def _doubts(mean: SlabEnergies, where: str) -> list[str]:
    """Return what a reader must know of slabs of one member and plane."""
    doubts = []
    if not mean.converged:
        doubts.append(
            f"{where}: forces on the slabs stayed above the tolerance; γ and the coherency energy are upper "
            "estimates"
        )
    if mean.slope < 0:
        doubts.append(
            f"{where}: the coherency energy is negative; inside slabs a host relaxes below its own unit "
            "cell, which is then too small for its ground state"
        )
    gamma = mean.interface_energy * constants.EV_PER_ANGSTROM2
    if gamma <= 0:
        doubts.append(f"{where}: γ = {gamma:.3g} J/m²; no stable interface, κ = 0")
    return doubts


def _slabs_of(slabs: Sequence[SlabResult], member: int, plane: Miller, notes: _Notes) -> list[SlabEnergies]:
    """Return the slabs of all arrangements that relaxed, where there are none those of member 0."""
    own = [result for result in slabs if (result.member, result.miller) == (member, plane)]
    relaxed = [result.slabs for result in own if result.slabs is not None]
    problem = next((result.problem for result in own if result.slabs is None), "was not computed")
    if not relaxed and member == 0:
        raise ConvergenceError(
            f"no slab of member 0 along plane {plane} ({problem}); choose other directions, or train the "
            "potential on such slabs"
        )
    if not relaxed:
        remark = f"member {member}, plane {plane}: carries member 0's slabs ({problem})"
        notes.borrow(member, f"slabs along plane {plane}", remark)
        return _slabs_of(slabs, 0, plane, notes)
    if len(relaxed) < len(own):
        notes.remarks.append(
            f"member {member}, plane {plane}: {len(own) - len(relaxed)} of {len(own)} arrangements of the "
            f"ions are left out ({problem})"
        )
    return relaxed


def _end_of(
    elastic: Sequence[ElasticResult], member: int, end: End, notes: _Notes
) -> tuple[FloatArray, FloatArray | None]:
    """Return cell and stiffness of one end, where it failed that of the first member that has one."""
    results = {result.member: result for result in elastic if result.end == end}
    own = results.get(member, results.get(0))
    if own is None:
        raise ConvergenceError(f"no cell of the {end} phase for member 0; relax it with the others")
    if own.member == member and own.stiffness is not None:
        return own.cell, own.stiffness
    other = next((result for result in results.values() if result.stiffness is not None), None)
    if other is not None:
        what = "stiffness" if own.member == member else "cell and stiffness"
        why = own.problem or "not computed"
        remark = f"member {member}, {end} phase: carries member {other.member}'s {what} ({why})"
        notes.borrow(member, f"{what} of the {end} phase", remark)
    return own.cell, None if other is None else other.stiffness


def _both(low: FloatArray | None, high: FloatArray | None, notes: _Notes) -> FloatArray:
    """Return both stiffnesses (2, 6, 6); where no member has one of them, the other stands for both."""
    known = [stiffness for stiffness in (low, high) if stiffness is not None]
    if not known:
        raise ConvergenceError(
            "no stiffness of either phase for any member; relax further or train the potential on strained "
            "cells"
        )
    if len(known) == 1:
        name, other = ("low", "high") if low is None else ("high", "low")
        notes.missing.append(
            f"no member has a stiffness of the {name} phase: that of the {other} phase is used"
        )
    return np.array([known[0], known[-1]])


def _strains(
    elastic: Sequence[ElasticResult],
    member: int,
    structures: StructureTable | None,
    pair: PhasePair,
    notes: _Notes,
) -> tuple[FloatArray, FloatArray, Transformation]:
    """Return stiffnesses (2, 6, 6) in the low phase's frame, eigenstrain (x, 3, 3) and transformation."""
    low_cell, low_stiffness = _end_of(elastic, member, "low", notes)
    high_cell, high_stiffness = _end_of(elastic, member, "high", notes)
    transformation = solve_transformation(low_cell, high_cell)
    if high_stiffness is not None:
        high_stiffness = rotate_stiffness(high_stiffness, transformation.rotation)
    stiffness = _both(low_stiffness, high_stiffness, notes)
    if structures is None:
        cells, x = np.array([low_cell, high_cell]), np.array([pair.x_low, pair.x_high])
    else:
        cells, x = structures.cell[member], structures.x
    first = int(np.argmin(x))
    if x[first] > NEAR:
        notes.remarks.append(f"the eigenstrain counts from x = {x[first]:g}, the lowest sampled")
    return stiffness, eigenstrain(cells[first], cells), transformation


def _contract(
    parts: list[_Member],
    x: FloatArray,
    pair: PhasePair,
    *,
    provenance: Provenance,
    remarks: tuple[str, ...],
) -> InterfaceEnergies:
    """Return the contract in SI; B(n) counts per unit of θ, so ½ B (Δθ)² holds the pair's whole strain."""
    means = [part.means for part in parts]
    first = means[0]

    def of_slabs(name: str) -> FloatArray:
        return np.array([[getattr(mean, name) for mean in row] for row in means])

    return InterfaceEnergies(
        provenance=provenance,
        validity=Validity(
            temperature=(0.0, 0.0), composition=(float(x.min()), float(x.max())), remarks=remarks
        ),
        citations=("cahn1958", "khachaturyan1983", "ball1987", "chen2013"),
        normals=np.array([mean.normal for mean in first]),
        slab_cells=np.array([mean.counts for mean in first], dtype=float),
        slab_energy=of_slabs("energies") * constants.EV_PER_ANGSTROM2,
        interface_energy=of_slabs("interface_energy") * constants.EV_PER_ANGSTROM2,
        samples=_samples(parts),
        coherency_energy_density=of_slabs("coherency_energy_density") * constants.EV_PER_ANGSTROM3,
        gradient_energy=of_slabs("gradient_energy") * EV_PER_ANGSTROM,
        x=x,
        eigenstrain=np.array([part.eigenstrain for part in parts]),
        stiffness=np.array([part.stiffness for part in parts]) * constants.EV_PER_ANGSTROM3,
        theta_low=pair.theta_low,
        theta_high=pair.theta_high,
        coherency_modulus=np.array([_moduli(part, pair) for part in parts]) * constants.EV_PER_ANGSTROM3,
        stretches=np.array([part.transformation.stretches for part in parts]),
        cofactor_residual=np.array([part.transformation.cofactor_residual for part in parts]),
    )


def _moduli(part: _Member, pair: PhasePair) -> list[float]:
    """Return B(n) [eV/Å³] by direction, per unit of θ."""
    strain = (part.transformation.stretch - np.eye(3)) / (pair.theta_high - pair.theta_low)
    return [coherency_modulus(part.stiffness.mean(axis=0), strain, mean.normal) for mean in part.means]


def _disagreement(parts: list[_Member], planes: list[Miller], pair: PhasePair) -> list[str]:
    """Say where ⅛B(Δθ)², which equal parts of both phases store, is far from what the slabs store."""
    texts = []
    unit = constants.EV_PER_ANGSTROM3 / 1e6
    step = pair.theta_high - pair.theta_low
    for number, plane in enumerate(planes):
        pairs = {
            member: (_moduli(part, pair)[number] * step**2 / 8, part.means[number].coherency_energy_density)
            for member, part in enumerate(parts)
        }
        far = {m: (b, s) for m, (b, s) in pairs.items() if b > DISAGREEMENT * s or s > DISAGREEMENT * b}
        if far:
            who = ", ".join(f"{m} ({b * unit:.3g} against {s * unit:.3g})" for m, (b, s) in far.items())
            texts.append(
                f"plane {plane}: the strain energy ⅛B(Δθ)² and that of the slabs [MJ/m³] differ by more than "
                f"a factor {DISAGREEMENT:g} in members {who}; B(n), which the electrode uses, is as uncertain"
            )
    return texts


def _samples(parts: list[_Member]) -> tuple[InterfaceSample, ...]:
    return tuple(
        InterfaceSample(
            member=member,
            direction=direction,
            interface_energy=slab.interface_energy * constants.EV_PER_ANGSTROM2,
        )
        for member, part in enumerate(parts)
        for direction, arrangements in enumerate(part.slabs)
        for slab in arrangements
    )
