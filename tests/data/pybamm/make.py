"""Write the references of this folder with PyBaMM (README.md); needs an environment with pybamm."""

import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pybamm
from scipy.interpolate import PchipInterpolator

KT = 1.380649e-23 * 298.0
E = 1.602176634e-19
THERMAL = KT / E
OMEGA, VOLTAGE = 1.0, 3.422
SITES = 1.3793e28 * E / 96485.33212331001
LAYERS = {"separator": (25e-6, 0.7, 10), "cathode": (70e-6, 0.4, 20)}
ACTIVE = 0.6 * 0.69
ANODE = (74e-6, 0.33, 0.37)
RADIUS, SHELLS = 1e-6, 60
TOLERANCE = 5e-6
"""Within which straight lines between the written rows follow those of all steps [V]."""
DIFFUSIVITY, RATE = 2e-15, 0.5


def open_circuit(sto):
    return VOLTAGE - THERMAL * (pybamm.log(sto / (1 - sto)) + OMEGA * (1 - 2 * sto))


def exchange(c_e, c_s, c_max, T):
    sto = c_s / c_max
    activity = sto / (1 - sto) * pybamm.exp(OMEGA * (1 - 2 * sto))
    return RATE * (1 - sto) * pybamm.sqrt(c_e / 1000 * activity)


def chemical_diffusivity(sto, T):
    return DIFFUSIVITY * (1 - 2 * OMEGA * sto * (1 - sto))


def electrolyte_diffusivity(c_e, T):
    return 8.794e-11 * (c_e / 1000) ** 2 - 3.972e-10 * (c_e / 1000) + 4.862e-10


def conductivity(c_e, T):
    return 0.1297 * (c_e / 1000) ** 3 - 2.51 * (c_e / 1000) ** 1.5 + 3.329 * (c_e / 1000)


def foil(c_e, c_Li, T):
    return 1e4 * (c_e / 1000) ** 0.5


def parameters():
    values = pybamm.ParameterValues("Xu2019")
    one_c = ACTIVE * LAYERS["cathode"][0] * SITES * 96485.33212331001 / 3600
    values.update({
        "Separator thickness [m]": LAYERS["separator"][0],
        "Positive electrode thickness [m]": LAYERS["cathode"][0],
        "Separator porosity": LAYERS["separator"][1],
        "Positive electrode porosity": LAYERS["cathode"][1],
        "Separator Bruggeman coefficient (electrolyte)": 1.5,
        "Positive electrode Bruggeman coefficient (electrolyte)": 1.5,
        "Positive electrode Bruggeman coefficient (electrode)": 0,
        "Positive electrode conductivity [S.m-1]": 1.0,
        "Positive electrode active material volume fraction": ACTIVE,
        "Positive particle radius [m]": RADIUS,
        "Maximum concentration in positive electrode [mol.m-3]": SITES,
        "Initial concentration in positive electrode [mol.m-3]": 0.01 * SITES,
        "Initial concentration in electrolyte [mol.m-3]": 1000.0,
        "Positive electrode OCP [V]": open_circuit,
        "Positive electrode OCP entropic change [V.K-1]": 0.0,
        "Positive particle diffusivity [m2.s-1]": chemical_diffusivity,
        "Positive electrode exchange-current density [A.m-2]": exchange,
        "Exchange-current density for lithium metal electrode [A.m-2]": foil,
        "Electrolyte diffusivity [m2.s-1]": electrolyte_diffusivity,
        "Electrolyte conductivity [S.m-1]": conductivity,
        "Cation transference number": 0.2594,
        "Thermodynamic factor": 1.0,
        "Ambient temperature [K]": 298.0, "Reference temperature [K]": 298.0,
        "Initial temperature [K]": 298.0,
        "Lower voltage cut-off [V]": 2.9, "Upper voltage cut-off [V]": 4.5,
        "Nominal cell capacity [A.h]": one_c, "Electrode width [m]": 1.0, "Electrode height [m]": 1.0,
        "Number of electrodes connected in parallel to make a cell": 1,
        "Number of cells connected in series to make a battery": 1,
        "Negative electrode thickness [m]": 1e-6, "Lithium metal partial molar volume [m3.mol-1]": 1.3e-5,
        "Negative electrode conductivity [S.m-1]": 1e8,
    }, check_already_exists=False)  # fmt: skip
    return values


def table(section, name):
    path = Path(__file__).parents[3] / "src/scalebridge/materials/graphite/material.toml"
    values = tomllib.loads(path.read_text())[section]
    return np.array(values["theta [1]"]), np.array(values[name])


def smooth(theta, values, name):
    """Monotone cubic between the points, read from so fine a table that lines between its points do."""
    fine = np.linspace(theta[0], theta[-1], 20001)
    found = PchipInterpolator(theta, values)(fine)
    return lambda sto: pybamm.Interpolant(fine, found, sto, name=name, interpolator="linear")


def full_cell():
    """The same cathode against graphite."""
    voltage = smooth(*table("equilibrium_voltage", "voltage [V]"), "graphite voltage")
    theta, diffusivity = table("chemical_diffusivity", "diffusivity [m2.s-1]")
    log_diffusivity = smooth(theta, np.log(diffusivity), "graphite diffusivity")
    warmth = 30300.0 / 8.31446261815324 * (1 / 296.15 - 1 / 298.0)
    values = parameters()
    values.update({
        "Negative electrode thickness [m]": ANODE[0], "Negative electrode porosity": ANODE[1],
        "Negative electrode Bruggeman coefficient (electrolyte)": 1.5,
        "Negative electrode Bruggeman coefficient (electrode)": 0,
        "Negative electrode conductivity [S.m-1]": 14.0,
        "Negative electrode active material volume fraction": ANODE[2],
        "Negative particle radius [m]": 4e-6,
        "Maximum concentration in negative electrode [mol.m-3]": 31920.0,
        "Initial concentration in negative electrode [mol.m-3]": 0.9 * 31920.0,
        "Negative electrode OCP [V]": voltage,
        "Negative electrode OCP entropic change [V.K-1]": 0.0,
        "Negative particle diffusivity [m2.s-1]": lambda sto, T: pybamm.exp(log_diffusivity(sto) + warmth),
        "Negative electrode exchange-current density [A.m-2]": lambda c_e, c_s, c_max, T: (
            10.8 * pybamm.sqrt(c_e / 1000 * (c_s / c_max) * (1 - c_s / c_max))
        ),
    }, check_already_exists=False)  # fmt: skip
    return values


def main() -> None:
    half = pybamm.lithium_ion.DFN({"working electrode": "positive"})
    run(half, parameters(), "solid_solution", (0.1, 1.0, 2.0))
    run(pybamm.lithium_ion.DFN(), full_cell(), "full_cell", (0.1, 1.0, 2.0))


def thinned(rows):
    """Keep the rows between which straight lines stay within the tolerance (Douglas and Peucker 1973)."""
    kept, open_pieces = {0, len(rows) - 1}, [(0, len(rows) - 1)]
    while open_pieces:
        low, high = open_pieces.pop()
        inside = rows[low + 1 : high]
        line = np.interp(inside[:, 0], rows[[low, high], 0], rows[[low, high], 1])
        error = np.abs(inside[:, 1] - line)
        if len(inside) and error.max() > TOLERANCE:
            middle = low + 1 + int(error.argmax())
            kept.add(middle)
            open_pieces += [(low, middle), (middle, high)]
    return rows[sorted(kept)]


def run(model, values, name, c_rates) -> None:
    points = {
        "x_s": LAYERS["separator"][2],
        "x_p": LAYERS["cathode"][2],
        "r_p": SHELLS,
        "x_n": 20,
        "r_n": SHELLS,
    }
    for c_rate in c_rates:
        solver = pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-8)
        simulation = pybamm.Simulation(
            model, parameter_values=values, solver=solver, var_pts=points, C_rate=c_rate
        )
        span = np.linspace(0, 3600 / c_rate, 400)
        simulation.solve(span)
        start = time.perf_counter()
        solution = simulation.solve(span)
        spent = time.perf_counter() - start
        print(f"{c_rate:g}C: warm solve {spent:.2f} s, {solution.termination}", file=sys.stderr)
        filling = 0.01 + c_rate * solution["Time [s]"].entries / 3600
        rows = np.column_stack([filling, solution["Voltage [V]"].entries])
        np.savetxt(
            Path(__file__).parent / f"{name}_{c_rate:g}C.csv", thinned(rows), delimiter=",",
            header="filling,voltage [V]", comments="", fmt="%.8g",
        )  # fmt: skip


if __name__ == "__main__":
    main()
