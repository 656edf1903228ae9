"""Small-signal impedance of a cell at rest, from the equations the solver integrates, linearised.

| symbol | name here |
|---|---|
| M = ∂F/∂y′, J = ∂F/∂y at rest | ``by_rate``, ``by_state`` |
| (iω M + J) δ = −∂F/∂I | ``_responses`` |
| Z = −δV/δI, I > 0 discharges | ``Impedance.values`` |

Newman and Thomas-Alyea, Electrochemical Systems (2004), section 8.2; Lasia, Electrochemical Impedance
Spectroscopy (2014), chapters 2 and 9.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import bmat, coo_matrix
from scipy.sparse.linalg import splu

from scalebridge.contracts import ElectrodeDesign, MaterialCard, Provenance, Solution
from scalebridge.electrode._kernels import RISE, SHIFT, CellArrays, ElectrodeArrays, outer_size, transport
from scalebridge.electrode.arrays import cell_arrays, ohmic_drop
from scalebridge.electrode.model import HOUR, CellModel, MetalFoil
from scalebridge.electrode.population import DIMENSION
from scalebridge.electrode.porous import PorousElectrode
from scalebridge.electrode.results import card_validity, citations, field
from scalebridge.electrode.system import ElectrodeUnknowns, Unknowns, cell_system, rest_state
from scalebridge.foundation import InputError
from scalebridge.particle import consistent_start, sparse_matrices

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

FREQUENCIES = (1e-5, 1e5, 5)
"""Lowest and highest chosen without being asked [Hz], and how many per decade."""
FREQUENCY_DIGITS = 12
"""Significant digits of stored numbers: a small real part beside a large imaginary one must survive."""
SLOPE_STEP = 1e-5
"""Of the site fraction, for the slope of the equilibrium voltage."""


@dataclass(frozen=True, eq=False)
class Impedance:
    """Answer of a cell at rest to a small alternating current, per electrode area."""

    frequency: FloatArray
    """(frequencies,) [Hz]"""
    values: ComplexArray
    """(frequencies,) −δV/δI with I > 0 discharging [Ω m²]."""
    filling: float
    """Site fraction of all particles of the positive electrode."""
    voltage: float
    """At rest [V]."""
    capacitance: float
    """−dQ/dV of the cell, charge over equilibrium voltage [F/m²]: Z → 1/(iωC) for ω → 0."""


def electrode_impedance(
    model: CellModel,
    filling: float,
    frequencies: ArrayLike | None = None,
    *,
    double_layer: float = 0.0,
    counter_double_layer: float = 0.0,
) -> Impedance:
    """Return the impedance of a cell at rest with all particles of an electrode at one filling.

    Without double layers the reactions pass all current at any frequency, so charge transfer counts as a
    series resistance up to the highest. The model's voltage cutoff does not matter here.

    Parameters
    ----------
    filling
        Site fraction of the positive electrode, 0 < θ < 1. A porous anode holds what is left to it on the way
        there from both electrodes' ``initial_theta``.
    frequencies
        (n,) [Hz]; None: `FREQUENCIES`.
    double_layer, counter_double_layer
        Capacitance of the double layer per surface of the particles, under their films, and per surface of
        the metal, or of a porous anode's particles [F/m²]. Cations alone charge it.

    Raises
    ------
    InputError
        If a filling is outside (0, 1) or such that particles at rest do not keep it, a frequency is not
        positive, or a capacitance is negative.
    ConvergenceError
        If no state of rest is found.
    """
    asked = _frequencies(frequencies)
    if min(double_layer, counter_double_layer) < 0:
        raise InputError(
            f"double layers of {double_layer:g} and {counter_double_layer:g} F/m² must not be negative; "
            "give 0 for none"
        )
    _check_phases(model)
    rest = _at_rest(model, filling)
    arrays = cell_arrays(rest)
    unknowns = Unknowns.of(arrays)
    by_state, by_rate = _linearised(rest, arrays, unknowns, (double_layer, counter_double_layer))
    thermal, current = rest.particle.thermal_voltage, rest.one_c_current
    responses = _responses(by_state, by_rate, (unknowns.size - 1, int(unknowns.cathode.solid[-1])), asked)
    return Impedance(
        frequency=asked,
        values=(ohmic_drop(rest) - thermal * responses) / current,
        filling=filling,
        voltage=rest.open_circuit_voltage,
        capacitance=-1.0 / sum(_voltage_slope(e) / e.capacity_per_area for e in _porous(rest)),
    )


def impedance_solution(
    card: MaterialCard,
    design: ElectrodeDesign,
    filling: float,
    frequencies: ArrayLike | None = None,
    *,
    member: int = 0,
    provenance: Provenance,
    shells: int | None = None,
    double_layer: float = 0.0,
    counter_double_layer: float = 0.0,
) -> Solution:
    """Return one member's impedance as stored fields, all along ``frequency``.

    Fields: ``frequency`` [1/s], ``impedance_real`` and ``impedance_imaginary`` [V m²/A]. Double layers: see
    `electrode_impedance`.

    Raises
    ------
    ValidityError
        If the temperature is outside the card's range.
    InputError
        See `electrode_impedance` and `CellModel`.
    ConvergenceError
        If no state of rest is found.
    """
    cell = CellModel.from_card(card, design, member=member, shells=shells)
    found = electrode_impedance(
        cell, filling, frequencies, double_layer=double_layer, counter_double_layer=counter_double_layer
    )
    along = ("frequency",)
    return Solution(
        provenance=provenance,
        validity=card_validity(card, design, {member: cell.particle}),
        citations=citations(cell, design),
        fields={
            "frequency": field("s-1", along, found.frequency),
            "impedance_real": field("V.m2.A-1", along, found.values.real, FREQUENCY_DIGITS),
            "impedance_imaginary": field("V.m2.A-1", along, found.values.imag, FREQUENCY_DIGITS),
        },
        status=f"impedance at rest, θ = {filling:g}, {found.voltage:.4f} V",
        termination="linear response",
        member=member,
    )


def _frequencies(frequencies: ArrayLike | None) -> FloatArray:
    if frequencies is None:
        low, high, per_decade = FREQUENCIES
        return np.geomspace(low, high, per_decade * round(np.log10(high / low)) + 1)
    asked = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    if asked.size == 0 or asked.ndim != 1 or not (np.all(np.isfinite(asked)) and asked.min() > 0):
        raise InputError(
            f"frequencies {np.array2string(asked, threshold=6)} Hz must be one or more positive numbers in "
            "one dimension; for the limit ω → 0 see Impedance.capacitance"
        )
    return asked


def _porous(model: CellModel) -> tuple[PorousElectrode, ...]:
    """Return the porous electrodes, the positive one first."""
    return (model.cathode, model.anode) if isinstance(model.anode, PorousElectrode) else (model.cathode,)


def _at_rest(model: CellModel, filling: float) -> CellModel:
    """Return the cell whose start is at rest at a filling of the cathode, without a voltage cutoff."""
    _check_filling(model.cathode, filling, "filling")
    anode = model.anode
    if isinstance(anode, PorousElectrode):
        taken = model.cathode.capacity_per_area / anode.capacity_per_area
        left = anode.initial_theta - taken * (filling - model.cathode.initial_theta)
        _check_filling(anode, left, f"filling {filling:g}: the anode's")
        anode = replace(anode, initial_theta=left, seed=None, noise_interval=None)
    cathode = replace(model.cathode, initial_theta=filling, seed=None, noise_interval=None)
    return replace(model, cathode=cathode, anode=anode, cutoff_voltage=-np.inf)


def _check_filling(electrode: PorousElectrode, filling: float, name: str) -> None:
    """Refuse a filling at which an electrode cannot rest."""
    if not SLOPE_STEP < filling < 1 - SLOPE_STEP:
        raise InputError(f"{name} {filling:g} must lie inside (0, 1); choose a site fraction between")
    slope = _voltage_slope(replace(electrode, initial_theta=filling))
    if slope >= 0:
        raise InputError(
            f"{name} {filling:g}: the equilibrium voltage rises with filling there ({slope:+.3g} V), so "
            "particles at rest fill at each other's expense and there is no state to disturb; choose a "
            "filling outside the spinodal"
        )


def _check_phases(model: CellModel) -> None:
    """Refuse phases whose state of rest is not that of the envelope, or not the only one."""
    for electrode in _porous(model):
        order = electrode.particle.order
        if order is not None and order.barrier > 0:
            raise InputError(
                f"phase barrier {order.barrier:g} J: voltage and capacitance at rest are known for phases "
                "without a barrier; leave phase_barrier out"
            )


def _voltage_slope(electrode: PorousElectrode) -> float:
    """Return dV/dθ of the equilibrium voltage at an electrode's start [V]."""
    around = electrode.initial_theta + np.array([-SLOPE_STEP, SLOPE_STEP])
    return float(np.diff(electrode.particle.equilibrium_voltage(around))[0]) / (2 * SLOPE_STEP)


def _linearised(
    model: CellModel, arrays: CellArrays, unknowns: Unknowns, layers: tuple[float, float]
) -> tuple[Any, Any]:
    """Return ∂F/∂y and ∂F/∂y′ [s] at rest, double layers included, sparse."""
    system = cell_system(arrays, unknowns)
    state = consistent_start(system, rest_state(model, arrays, unknowns, 0.0))[0]
    fixed, by_rate = sparse_matrices(system.jacobian(state))
    anode = model.anode
    if layers[1] and isinstance(anode, MetalFoil):
        by_rate = by_rate + _metal_layer(model, arrays, state, layers[1])
    matrices = fixed, by_rate
    if layers[1] and isinstance(anode, PorousElectrode):
        matrices = _particle_layers(anode, arrays.anode, unknowns.anode, matrices, layers[1])
    if layers[0]:
        matrices = _particle_layers(model.cathode, arrays.cathode, unknowns.cathode, matrices, layers[0])
    return matrices


def _metal_layer(model: CellModel, arrays: CellArrays, state: FloatArray, capacitance: float) -> Any:
    """Return what the metal's double layer adds to ∂F/∂y′: it takes C d(−φ_e(0))/dt from the current."""
    first = state.size - outer_size(arrays)
    c = float(state[first + 1])
    scale = capacitance * model.particle.thermal_voltage / model.one_c_current
    rise, shift = (float(transport(arrays, table, c)[0]) for table in (RISE, SHIFT))
    values = scale * np.array([shift * rise / (arrays.metal_face * c), 1.0])
    return coo_matrix(
        (values, (np.array([first, first]), np.array([first, first + 2]))), shape=(state.size, state.size)
    ).tocsc()


def _particle_layers(
    electrode: PorousElectrode,
    arrays: ElectrodeArrays,
    unknowns: ElectrodeUnknowns,
    matrices: tuple[Any, Any],
    capacitance: float,
) -> tuple[Any, Any]:
    """Return the matrices with one more unknown per particle: its double layer's current d, as filling rate.

    d + C̃ d/dt [φ − φ_e + f (r + d)] = 0 with the film's f, and the reaction r sees the same drive.
    """
    by_state, by_rate = matrices
    rate = unknowns.rate.ravel()
    own = unknowns.own_potential.ravel()
    count, size = rate.size, by_state.shape[0]
    # of the volume's φ_e, once for every particle
    phi = own - arrays.own + arrays.around + 1
    film, order = arrays.active.film, np.arange(count)
    # every equation of a particle that sees the drive sees the film's voltage
    seeing = np.vstack([unknowns.odds.reshape(count, -1).T, rate])
    by_drive = np.asarray(by_state.tocsr()[seeing.ravel(), np.tile(own, len(seeing))]).ravel()
    # d joins r in every balance of charge, but not in that of the particle's ions
    balances = (phi, phi - 2, own) if arrays.chained else (phi, phi - 2)
    share = arrays.share
    signs = (1.0, -1.0, 1.0)[: len(balances)]
    rows = np.concatenate([*balances, seeing.ravel()])
    values = np.concatenate([*(sign * share for sign in signs), by_drive * np.tile(film, len(seeing))])
    columns = np.tile(order, len(balances) + len(seeing))
    charge = coo_matrix((values, (rows, columns)), shape=(size, count))
    particle = electrode.particle
    per_size = particle.charge_density / HOUR / DIMENSION[particle.shape]
    stored = capacitance * particle.thermal_voltage / (per_size * electrode.particle_sizes.ravel())
    drive = coo_matrix(
        (
            np.concatenate([stored, -stored, stored * film]),
            (np.tile(order, 3), np.concatenate([own, phi, rate])),
        ),
        shape=(count, size),
    )
    identity = coo_matrix((np.ones(count), (order, order)))
    behind = coo_matrix((stored * film, (order, order)))
    return (
        bmat([[by_state, charge], [None, identity]], format="csc"),
        bmat([[by_rate, None], [drive, behind]], format="csc"),
    )


def _responses(by_state: Any, by_rate: Any, places: tuple[int, int], frequencies: FloatArray) -> ComplexArray:
    """Return what one unknown does per unit of the current held by the row of another."""
    held, wanted = places
    right = np.zeros(by_state.shape[0], dtype=complex)
    right[held] = 1.0
    found = [
        splu((by_state + 2j * np.pi * frequency * by_rate).tocsc()).solve(right)[wanted]
        for frequency in frequencies
    ]
    return np.array(found)
