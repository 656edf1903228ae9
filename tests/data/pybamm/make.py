"""Write the references of this folder with PyBaMM (README.md); needs an environment with pybamm."""

import sys
import time
from pathlib import Path

import numpy as np
import pybamm

KT = 1.380649e-23 * 298.0
E = 1.602176634e-19
THERMAL = KT / E
OMEGA, VOLTAGE = 1.0, 3.422
SITES = 1.3793e28 * E / 96485.33212331001
LAYERS = {"separator": (25e-6, 0.7, 10), "cathode": (70e-6, 0.4, 20)}
ACTIVE = 0.6 * 0.69
RADIUS, SHELLS = 1e-6, 60
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


def main() -> None:
    model = pybamm.lithium_ion.DFN({"working electrode": "positive"})
    points = {"x_s": LAYERS["separator"][2], "x_p": LAYERS["cathode"][2], "r_p": SHELLS, "x_n": 20, "r_n": 20}
    for c_rate in (0.1, 1.0, 2.0):
        solver = pybamm.IDAKLUSolver(rtol=1e-6, atol=1e-8)
        simulation = pybamm.Simulation(
            model, parameter_values=parameters(), solver=solver, var_pts=points, C_rate=c_rate
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
            Path(__file__).parent / f"solid_solution_{c_rate:g}C.csv", rows, delimiter=",",
            header="filling,voltage [V]", comments="", fmt="%.8g",
        )  # fmt: skip


if __name__ == "__main__":
    main()
