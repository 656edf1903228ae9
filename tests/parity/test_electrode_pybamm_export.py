"""An exported parameter set, solved by PyBaMM itself: skipped where that is not installed."""

import sys

import numpy as np
import pytest

from particle_models import LAW, cell, particle
from scalebridge.electrode import CellModel, Layer, named_electrolyte, solve_cell, to_pybamm
from scalebridge.foundation import InputError, MissingDependencyError


def solid_solution() -> CellModel:
    law = LAW.model_copy(update={"transition_state": "follows host", "rate_constant": 1.0})
    return cell(
        particle(1.0, shells=60, size=1e-6, diffusivity=2e-15, gradient_energy=0.0, rate_law=law),
        separator=Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=10),
        layer=Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.8, volumes=20),
        electrolyte=named_electrolyte("LiPF6 in EC:EMC 3:7 (Nyman 2008)"),
        electronic_conductivity=0.7,
        initial_theta=0.05,
        final_theta=0.95,
        cutoff_voltage=2.9,
    )


@pytest.mark.slow
@pytest.mark.parametrize("c_rate", [0.2, 1.0])
def test_pybamm_solves_the_same_cell(c_rate: float) -> None:
    """Equal volumes and shells: below 0.2 mV rms, below 2 mV anywhere, over 80 % of the capacity."""
    pybamm = pytest.importorskip("pybamm")
    model = solid_solution()
    values = pybamm.ParameterValues("Xu2019")
    values.update(to_pybamm(model), check_already_exists=False)
    simulation = pybamm.Simulation(
        pybamm.lithium_ion.DFN({"working electrode": "positive"}),
        parameter_values=values,
        solver=pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-8),
        var_pts={"x_n": 20, "x_s": 10, "x_p": 20, "r_n": 20, "r_p": 60},
        C_rate=c_rate,
    )
    theirs = simulation.solve(np.linspace(0, 0.8 * 3600 / c_rate, 200))
    ours = solve_cell(model, c_rate, relative_tolerance=1e-6)
    time = theirs["Time [s]"].entries[5:]
    difference = np.interp(time, ours.time, ours.voltage) - theirs["Voltage [V]"].entries[5:]
    print(f"{c_rate:g}C: {1e3 * np.sqrt(np.mean(difference**2)):.3f} mV rms")
    assert np.sqrt(np.mean(difference**2)) < 2e-4
    assert np.max(np.abs(difference)) < 2e-3


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="phases separate"):
        to_pybamm(cell())
    monkeypatch.setitem(sys.modules, "pybamm", None)
    with pytest.raises(MissingDependencyError, match=r"scalebridge\[pybamm"):
        to_pybamm(solid_solution())
