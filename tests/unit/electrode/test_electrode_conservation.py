"""What no electrode may do, over random free energies, sizes, films and electrolytes."""

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from particle_models import LAW, cell, particle
from scalebridge.electrode import CellModel, CellSolution, Layer, Population, Protocol, dilute, solve_protocol
from scalebridge.foundation import constants

LAYERS = {
    "separator": Layer(thickness=20e-6, porosity=0.6, bruggeman_exponent=1.4, volumes=3),
    "layer": Layer(thickness=50e-6, porosity=0.35, bruggeman_exponent=1.6, volumes=3),
}


@st.composite
def electrodes(draw: st.DrawFn) -> CellModel:
    """Separating, mixing and skewed hosts; two sizes; any ratio of the ions' diffusivities."""
    omega = (draw(st.floats(-4, 4.4)), draw(st.floats(-0.8, 0.8)))
    model = particle(
        omega,
        size=30e-9,
        shells=24,
        diffusivity=10 ** draw(st.floats(-16, -13)),
        rate_law=LAW.model_copy(update={"transition_state": "follows host"}),
    )
    ratio = draw(st.floats(0.4, 2.5))
    return cell(
        model,
        population=Population.listed(np.array([20e-9, 35e-9]), np.array([1.0, 2.0]), volumes=3),
        film_resistance=draw(st.sampled_from([0.0, 1e-3])),
        electrolyte=dilute("salt", 3e-10, 3e-10 * ratio),
        initial_theta=draw(st.sampled_from([0.02, 0.3])),
        cutoff_voltage=1.0,
        **LAYERS,
    )


def pores(model: CellModel) -> np.ndarray:
    """Return the electrolyte's volume per area in each finite volume [m]."""
    layers = (model.separator, model.cathode.layer)
    return np.concatenate([np.full(s.volumes, s.porosity * s.thickness / s.volumes) for s in layers])


def free_energy(model: CellModel, solution: CellSolution) -> np.ndarray:
    """Return the free energy of particles and salt per site over kT, shape (times,)."""
    sites = model.cathode.capacity_per_area / constants.ELEMENTARY_CHARGE
    c = solution.concentration / 1000.0
    salt = 2 * (1000.0 * constants.AVOGADRO * c * (np.log(c) - 1)) @ pores(model) / sites
    total = salt
    for k, j in np.ndindex(model.cathode.particle_sizes.shape):
        own = replace(model.particle, size=float(model.cathode.particle_sizes[k, j]))
        total = total + model.cathode.particle_shares[k, j] * own.free_energy(solution.theta[:, k, j])
    return np.asarray(total)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(model=electrodes(), c_rate=st.sampled_from([0.3, 2.0]))
def test_charge_and_salt_are_conserved_and_rest_dissipates(model: CellModel, c_rate: float) -> None:
    """Charge passed is ions stored; salt stays; at rest no ion is lost and the free energy never rises."""
    minutes = 0.25 / c_rate * 60
    protocol = Protocol.parse(f"Discharge at {c_rate} C for {minutes} minutes; Rest for 2 hours")
    solution = solve_protocol(model, protocol)
    assert solution.finished
    pulse, rest = (step.solution for step in solution.steps)
    stored = pulse.filling - pulse.filling[0]
    assert np.allclose(stored, c_rate * (pulse.time - pulse.time[0]) / 3600, rtol=0, atol=1e-10)
    assert np.allclose(rest.filling, rest.filling[0], rtol=0, atol=1e-10)
    salt = solution.whole.concentration @ pores(model)
    assert np.allclose(salt, salt[0], rtol=1e-10)
    assert np.all((solution.whole.theta > 0) & (solution.whole.theta < 1))
    energy = free_energy(model, rest)
    assert energy[-1] < energy[0]
    assert np.diff(energy).max() < 1e-6
