"""From arrays to the contracts `Solution` and `RateCapability`."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts import (
    SOLVER_FAILURE,
    ElectrodeDesign,
    Field,
    MaterialCard,
    Provenance,
    Solution,
    Validity,
)
from scalebridge.electrode.discharge import AnodeSolution, CellSolution, solve_cell
from scalebridge.electrode.heat import HeatBalance, cells_at
from scalebridge.electrode.measures import active_fraction
from scalebridge.electrode.model import CellModel
from scalebridge.electrode.noise import solve_noisy_cell
from scalebridge.electrode.porous import PorousElectrode
from scalebridge.electrode.thermal import solve_thermal_cell
from scalebridge.foundation import ConvergenceError, InputError
from scalebridge.particle import REFERENCE_TOLERANCE, ParticleModel, boundary_radius, state_resolution

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CITATIONS = (
    "cahn1958",
    "cogswell2012",
    "bazant2013",
    "doyle1993",
    "smith2017",
    "hindmarsh2005",
    "gardner2022",
)
ALLEN_CAHN = ("singh2008", "bai2011")
"""Further works behind platelets."""
RELAXING_PHASES = ("hofbauer1998",)
"""Behind phases with a rate of their own."""
MAP_TIMES = 24
MAP_RADII = 33
"""Largest numbers of times and radii in the stored maps; files stay near 300 kB."""


def solve_discharge(
    card: MaterialCard,
    design: ElectrodeDesign,
    c_rate: float,
    *,
    member: int = 0,
    provenance: Provenance,
    shells: int | None = None,
    map_times: int = MAP_TIMES,
    relative_tolerance: float = REFERENCE_TOLERANCE,
) -> Solution:
    """Discharge one member's cell at constant current and return the stored fields.

    Fields: ``time``, ``voltage``, ``filling``, ``capacity``, ``active_fraction`` and ``transformed`` (see
    `active_fraction`) along ``time``; ``map_time`` and, along it,
    ``theta`` (map_time, volume, radius), ``phase_boundary`` (map_time, volume, gap), ``reaction_rate``
    (map_time, volume), ``particle_filling`` (map_time, volume, particle) of the sizes ``particle_size``
    (volume, particle), ``concentration`` and ``electrolyte_potential``
    (map_time, position), ``solid_potential`` (map_time, volume); and the axes ``radius``, ``position`` (from
    the metal or the anode's collector) and ``depth`` (from the separator). ``radius`` of an Allen–Cahn
    platelet is the position along its length. ``boundary_level`` (gap,) holds the site fractions at which
    ``phase_boundary`` is taken (`ParticleModel.boundary_levels`): none for a solid solution, whose
    ``phase_boundary`` is empty as well. ``front_level`` (front,):
    `ParticleModel.front_levels`. Where a volume holds several particles, ``theta``, ``phase_boundary`` and
    ``reaction_rate`` are means over their capacities, with radii in proportion to the design's size. A porous
    anode adds ``anode_filling`` along ``time``, ``anode_theta`` (map_time, anode_volume, anode_radius) and
    ``anode_solid_potential`` (map_time, anode_volume), with the axes ``anode_radius`` and ``anode_depth``
    (from its collector). Phases with a rate of their own add ``phase_fraction`` (map_time, volume, branch) in
    the order of the card's branches. A design with ``thermal`` adds ``temperature`` and ``heat_release`` (per
    electrode area) along ``time``, see `solve_thermal_cell`. Particles with a ``noise_interval`` fluctuate,
    see `solve_noisy_cell`.

    Parameters
    ----------
    c_rate
        1C fills the theoretical capacity in one hour.
    shells
        None: from the interface length.
    map_times
        Largest number of times in the maps, equally spaced in filling.

    Raises
    ------
    ValidityError
        If the temperature is outside the card's range.
    InputError
        If the design does not fit the card, see `CellModel` and `ParticleModel`; or for fewer than 2 times.
    """
    if map_times < 2:
        raise InputError(f"{map_times} times in the maps must be at least 2; ask for more")
    cell = CellModel.from_card(card, design, member=member, shells=shells)
    validity, warmth = card_validity(card, design, {member: cell.particle}), {}
    try:
        if design.thermal is None:
            solve = solve_cell if cell.noise_interval is None else solve_noisy_cell
            solution = solve(cell, c_rate, relative_tolerance=relative_tolerance)
        else:
            build, balance = cells_at(card, design, cell, member), HeatBalance.from_design(design)
            warm = solve_thermal_cell(
                build,
                c_rate,
                balance,
                temperature=cell.particle.temperature,
                relative_tolerance=relative_tolerance,
            )
            solution, warmth = warm.cell, warmth_fields(warm.temperature, warm.heat)
            validity = warm_validity(validity, warm.temperature)
    except ConvergenceError as error:
        solution = _nothing_reached(cell, c_rate, str(error))
    return Solution(
        provenance=provenance,
        validity=validity,
        citations=citations(cell, design),
        fields=_fields(solution, cell, card.host.theoretical_capacity, map_times) | warmth,
        status=solution.status,
        termination=solution.termination,
        c_rate=c_rate,
        member=member,
    )


def card_validity(
    card: MaterialCard, design: ElectrodeDesign, particles: Mapping[int, ParticleModel]
) -> Validity:
    """Return where a solution holds: at the design's temperature, with the card's and the grid's remarks."""
    return Validity(
        temperature=(float(design.temperature),) * 2,
        remarks=(*card.validity.remarks, *state_resolution(particles)),
    )


def citations(cell: CellModel, design: ElectrodeDesign) -> tuple[str, ...]:
    """Return the keys of the works behind a cell's solution."""
    electrolyte = cell.electrolyte.citation
    anode = () if design.anode is None else design.anode.material.citations
    kinds = {design.particles.kind, "" if design.anode is None else design.anode.particles.kind}
    lines = ALLEN_CAHN if "allen-cahn" in kinds else ()
    phases = () if cell.particle.order is None else RELAXING_PHASES
    heat = () if design.thermal is None else ("bernardi1985",)
    noise = () if cell.noise_interval is None else ("cook1970",)
    salt = () if electrolyte is None else (electrolyte,)
    return (*CITATIONS, *lines, *phases, *noise, *salt, *anode, *heat)


def _nothing_reached(cell: CellModel, c_rate: float, message: str) -> CellSolution:
    """Return the state before the current is switched on, with the reason why nothing follows."""
    volumes, particles = cell.cathode.particle_sizes.shape
    total = cell.volumes
    theta = np.full((1, volumes, particles, cell.particle.shells), cell.cathode.initial_theta)
    return CellSolution(
        time=np.zeros(1),
        voltage=np.array([cell.open_circuit_voltage]),
        filling=np.array([cell.cathode.initial_theta]),
        current=np.zeros(1),
        theta=theta,
        reaction=np.zeros((1, volumes, particles)),
        concentration=np.full((1, total), cell.salt_concentration),
        electrolyte_potential=np.zeros((1, total)),
        solid_potential=np.full((1, volumes), cell.open_circuit_voltage),
        position=cell.positions,
        radius=cell.particle.grid.nodes,
        termination=SOLVER_FAILURE,
        status=f"{c_rate:g}C: no step was possible: {message}",
    )


def _fields(
    solution: CellSolution, cell: CellModel, theoretical_capacity: float, map_times: int
) -> dict[str, Field]:
    """Return the stored fields."""
    anode = {} if solution.anode is None else {"anode_filling": field("1", ("time",), solution.anode.filling)}
    active, done = active_fraction(cell, solution)
    along = ("time",)
    return {
        "time": field("s", along, solution.time),
        "voltage": field("V", along, solution.voltage),
        "filling": field("1", along, solution.filling),
        "capacity": field("C.kg-1", along, (solution.filling - solution.filling[0]) * theoretical_capacity),
        "active_fraction": field("1", along, active, 4),
        "transformed": field("1", along, done, 6),
        **anode,
    } | map_fields(solution, cell, thin(solution.filling, map_times))


def warmth_fields(temperature: FloatArray, heat: FloatArray) -> dict[str, Field]:
    """Return the stored fields of a heat balance."""
    along = ("time",)
    return {
        "temperature": field("K", along, temperature),
        "heat_release": field("W.m-2", along, heat, 6),
    }


def warm_validity(validity: Validity, temperature: FloatArray) -> Validity:
    """Return where a solution holds: at the temperatures of its cell."""
    between = float(temperature.min()), float(temperature.max())
    return validity.model_copy(update={"temperature": between})


def map_fields(solution: CellSolution, cell: CellModel, times: IntArray) -> dict[str, Field]:
    """Return the maps of `solve_discharge` at some of the times, thinned in radius and rounded for plots."""
    layer = cell.cathode.layer
    depth = layer.thickness * (np.arange(layer.volumes) + 0.5) / layer.volumes
    profiles, nodes = _profiles(solution.theta[times], solution.radius)
    radii = np.unique(np.linspace(0, nodes.size - 1, MAP_RADII).round().astype(int))
    levels = cell.particle.boundary_levels
    # of several particles in a volume the mean over their capacities, at equal r/R
    weights = cell.cathode.particle_shares / cell.cathode.particle_shares.sum(axis=1, keepdims=True)
    theta = np.einsum("tkjr,kj->tkr", profiles, weights)
    places = boundary_radius(profiles, nodes, levels)
    boundary = np.einsum("tkjg,kj->tkg", places, weights)
    reaction = np.einsum("tkj,kj->tk", solution.reaction[times], weights)
    fillings = solution.theta[times] @ cell.particle.grid.fractions
    mapped = ("map_time",)
    position, volume = ("map_time", "position"), ("map_time", "volume")
    anode = {} if solution.anode is None else _anode_fields(solution.anode, cell, times)
    branches = {}
    if solution.phase_fractions is not None:
        shells = cell.particle.grid.fractions
        held = np.einsum("tkjrb,r,kj->tkb", solution.phase_fractions[times], shells, weights)
        branches = {"phase_fraction": field("1", (*volume, "branch"), held, 4)}
    return branches | {
        "map_time": field("s", mapped, solution.time[times]),
        "map_filling": field("1", mapped, solution.filling[times]),
        "radius": field("m", ("radius",), nodes[radii]),
        "position": field("m", ("position",), solution.position),
        "depth": field("m", ("volume",), depth),
        "theta": field("1", (*volume, "radius"), theta[:, :, radii], 4),
        "boundary_level": field("1", ("gap",), levels),
        "front_level": field("1", ("front",), cell.particle.front_levels),
        "phase_boundary": field("m", (*volume, "gap"), boundary, 4),
        "reaction_rate": field("s-1", volume, reaction, 4),
        "particle_size": field("m", ("volume", "particle"), cell.cathode.particle_sizes, 5),
        "particle_filling": field("1", (*volume, "particle"), fillings, 4),
        "concentration": field("mol.m-3", position, solution.concentration[times], 5),
        "electrolyte_potential": field("V", position, solution.electrolyte_potential[times], 5),
        "solid_potential": field("V", volume, solution.solid_potential[times], 6),
        **anode,
    }


def _anode_fields(solution: AnodeSolution, cell: CellModel, times: IntArray) -> dict[str, Field]:
    """Return the stored fields of a porous anode, thinned as those of the cathode."""
    assert isinstance(cell.anode, PorousElectrode)
    shares = cell.anode.particle_shares
    profiles, nodes = _profiles(solution.theta[times], cell.anode.particle.grid.nodes)
    radii = np.unique(np.linspace(0, nodes.size - 1, MAP_RADII).round().astype(int))
    weights = shares / shares.sum(axis=1, keepdims=True)
    theta = np.einsum("tkjr,kj->tkr", profiles, weights)
    volume = ("map_time", "anode_volume")
    return {
        "anode_radius": field("m", ("anode_radius",), nodes[radii]),
        "anode_depth": field("m", ("anode_volume",), cell.positions[: cell.anode_volumes]),
        "anode_theta": field("1", (*volume, "anode_radius"), theta[:, :, radii], 4),
        "anode_solid_potential": field("V", volume, solution.solid_potential[times], 6),
    }


def _profiles(theta: FloatArray, nodes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return site fractions (..., radii) and radii; those of a homogeneous particle in its middle as well."""
    if nodes.size > 1:
        return theta, nodes
    return np.repeat(theta, 2, axis=-1), np.array([0.0, nodes[0]])


def field(unit: str, axes: tuple[str, ...], values: FloatArray, digits: int = 9) -> Field:
    """Return a field rounded to significant digits."""
    rounded = np.array([float(f"{value:.{digits}g}") for value in values.ravel()]).reshape(values.shape)
    return Field(unit=unit, axes=axes, values=rounded)


def thin(way: FloatArray, count: int) -> IntArray:
    """Return indices of about ``count`` times, equally spaced on a way, first and last included."""
    wanted = np.linspace(way[0], way[-1], count)
    return np.unique(np.abs(way[:, None] - wanted).argmin(axis=0))
