"""Interface and strain energies of all members in one contract."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import InterfaceEnergies, Provenance, StructureTable, Validity
from scalebridge.foundation import ConvergenceError, InputError, constants
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
EV_PER_ANGSTROM = constants.EV / constants.ANGSTROM
"""1 eV/Å [J/m]."""


@dataclass(frozen=True)
class _Member:
    """One member's part: slabs by direction, C of both ends [eV/Å³], strains, transformation."""

    slabs: list[SlabEnergies]
    stiffness: FloatArray
    eigenstrain: FloatArray
    transformation: Transformation


def combine(
    slabs: Sequence[SlabResult],
    elastic: Sequence[ElasticResult],
    *,
    members: int,
    provenance: Provenance,
    sites_per_formula_unit: int,
    structures: StructureTable | None = None,
) -> InterfaceEnergies:
    """Combine all results into the contract.

    The eigenstrain follows the cells of ``structures`` where given, else the relaxed cells of both ends.
    The transformation (stretches, B(n)) is that of ``structures`` where it reaches both ends, else of
    the relaxed cells. A member's part that failed is taken from member 0, and a remark says so.

    Raises
    ------
    ConvergenceError
        If member 0 lacks a slab direction, a cell or a stiffness.
    InputError
        If no slab was given, or ``structures`` has another number of members.
    """
    remarks: list[str] = []
    planes = list(dict.fromkeys(result.miller for result in slabs))
    if not planes or (structures is not None and structures.cell.shape[0] != members):
        given = members if structures is None else structures.cell.shape[0]
        raise InputError(
            f"{len(planes)} slab directions and {given} members' structures for {members} members; "
            "give at least one direction and structures of the same committee"
        )
    parts = [
        _Member(
            [_slab_of(slabs, member, plane, remarks) for plane in planes],
            *_strains(elastic, member, structures, sites_per_formula_unit, remarks),
        )
        for member in range(members)
    ]
    for member, part in enumerate(parts):
        for plane, slab in zip(planes, part.slabs, strict=True):
            if not slab.converged:
                remarks.append(
                    f"member {member}, plane {plane}: forces on the slabs stayed above the tolerance; γ and "
                    "the coherency energy are upper estimates"
                )
            if slab.slope < 0:
                remarks.append(
                    f"member {member}, plane {plane}: the coherency energy is negative; inside slabs a host "
                    "relaxes below its own unit cell, which is then too small for its ground state"
                )
            gamma = slab.interface_energy * constants.EV_PER_ANGSTROM2
            if gamma <= 0:
                remarks.append(
                    f"member {member}, plane {plane}: γ = {gamma:.3g} J/m²; no stable interface, κ = 0"
                )
    remarks.append(
        "slabs share the mean of both relaxed phases' base vectors; κ = 2γd is that of bonds between "
        "neighbouring site planes, a lower bound if interactions reach further"
    )
    x = [0.0, float(sites_per_formula_unit)] if structures is None else structures.x
    return _contract(parts, np.asarray(x), provenance, tuple(dict.fromkeys(remarks)))


def _slab_of(slabs: Sequence[SlabResult], member: int, plane: Miller, remarks: list[str]) -> SlabEnergies:
    found = {result.member: result for result in slabs if result.miller == plane}
    own = found.get(member)
    if own is not None and own.slabs is not None:
        return own.slabs
    reason = "was not computed" if own is None else own.problem
    first = found.get(0)
    if first is None or first.slabs is None:
        raise ConvergenceError(
            f"no slab of member 0 along plane {plane} "
            f"({'was not computed' if first is None else first.problem}); choose other directions, or train "
            "the potential on such slabs"
        )
    remarks.append(f"member {member}, plane {plane}: carries member 0's slabs ({reason})")
    return first.slabs


def _end_of(
    elastic: Sequence[ElasticResult], member: int, end: End, remarks: list[str]
) -> tuple[FloatArray, FloatArray]:
    """Return cell and stiffness of one end."""
    found = {result.member: result for result in elastic if result.end == end}
    values = []
    for name in ("cell", "stiffness"):
        own = getattr(found.get(member), name, None)
        value = own if own is not None else getattr(found.get(0), name, None)
        if value is None:
            problem = found[0].problem if 0 in found else "it was not computed"
            raise ConvergenceError(
                f"no {name} of the {end} host for member 0 ({problem}); "
                "relax further or train the potential on strained cells"
            )
        if own is None:
            problem = found[member].problem if member in found else "not computed"
            remarks.append(f"member {member}, {end} host: carries member 0's {name} ({problem})")
        values.append(value)
    return values[0], values[1]


def _strains(
    elastic: Sequence[ElasticResult],
    member: int,
    structures: StructureTable | None,
    sites_per_formula_unit: int,
    remarks: list[str],
) -> tuple[FloatArray, FloatArray, Transformation]:
    """Return stiffnesses (2, 6, 6) in the empty host's frame, eigenstrain (x, 3, 3) and transformation."""
    empty_cell, empty_stiffness = _end_of(elastic, member, "empty", remarks)
    full_cell, full_stiffness = _end_of(elastic, member, "full", remarks)
    transformation = solve_transformation(empty_cell, full_cell)
    turned = rotate_stiffness(full_stiffness, transformation.rotation)
    stiffness = np.array([empty_stiffness, turned])
    if structures is None:
        cells = np.array([empty_cell, full_cell])
        return stiffness, eigenstrain(empty_cell, cells), transformation
    cells = structures.cell[member]
    ends = int(np.argmin(structures.x)), int(np.argmax(structures.x))
    reaches = structures.x[ends[0]] < 0.05 and structures.x[ends[1]] > sites_per_formula_unit - 0.05
    if reaches:
        transformation = solve_transformation(cells[ends[0]], cells[ends[1]])
    else:
        remarks.append(
            f"structures cover x = {structures.x[ends[0]]:g} … {structures.x[ends[1]]:g} only; the "
            "transformation and B(n) are those of the relaxed ends, the eigenstrain counts from the lowest x"
        )
    return stiffness, eigenstrain(cells[ends[0]], cells), transformation


def _contract(
    parts: list[_Member], x: FloatArray, provenance: Provenance, remarks: tuple[str, ...]
) -> InterfaceEnergies:
    """Return the contract in SI."""
    first = parts[0].slabs

    def of_slabs(name: str) -> FloatArray:
        return np.array([[getattr(slab, name) for slab in part.slabs] for part in parts])

    moduli = [
        [
            coherency_modulus(
                part.stiffness.mean(axis=0), part.transformation.stretch - np.eye(3), slab.normal
            )
            for slab in part.slabs
        ]
        for part in parts
    ]
    return InterfaceEnergies(
        provenance=provenance,
        validity=Validity(
            temperature=(0.0, 0.0), composition=(float(x.min()), float(x.max())), remarks=remarks
        ),
        citations=("cahn1958", "khachaturyan1983", "ball1987"),
        normals=np.array([slab.normal for slab in first]),
        slab_cells=np.array([slab.counts for slab in first], dtype=float),
        slab_energy=of_slabs("energies") * constants.EV_PER_ANGSTROM2,
        interface_energy=of_slabs("interface_energy") * constants.EV_PER_ANGSTROM2,
        coherency_energy_density=of_slabs("coherency_energy_density") * constants.EV_PER_ANGSTROM3,
        gradient_energy=of_slabs("gradient_energy") * EV_PER_ANGSTROM,
        x=x,
        eigenstrain=np.array([part.eigenstrain for part in parts]),
        stiffness=np.array([part.stiffness for part in parts]) * constants.EV_PER_ANGSTROM3,
        theta_low=0.0,
        theta_high=1.0,
        coherency_modulus=np.array(moduli) * constants.EV_PER_ANGSTROM3,
        stretches=np.array([part.transformation.stretches for part in parts]),
        cofactor_residual=np.array([part.transformation.cofactor_residual for part in parts]),
    )
