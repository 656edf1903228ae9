"""Waves along a platelet's surface or a shrinking core: which of them, by the ratio of reaction to diffusion.

    python sweep.py OUT        writes OUT/maps.png, OUT/shares.png and OUT/shares.csv in some minutes

LiFePO4 as a regular solution, a platelet of twenty interface lengths ℓ whose ends are wetted (ℓ n·∇θ = 0.7),
filled from θ = 0.03 to one half at constant current, or held below its plateau.
"""

import csv
import sys
from math import ceil
from pathlib import Path

import numpy as np

from scalebridge.contracts import FreeEnergyBranch, HomogeneousFreeEnergy, Provenance, RateLaw
from scalebridge.foundation import constants
from scalebridge.particle import ParticleModel, Platelet, PlateletSolution, solve_platelet
from scalebridge.plotting import plot_platelet, plot_wave_share, to_png

TEMPERATURE, VOLTAGE, OMEGA = 298.0, 3.422, 4.0
SITE_DENSITY, GRADIENT_ENERGY = 1.3793e28, 5.0148e-10
LAW = RateLaw(rate_constant=0.16, source="MPET's LiFePO4")
KT = constants.BOLTZMANN * TEMPERATURE
INTERFACE = float(np.sqrt(GRADIENT_ENERGY / (SITE_DENSITY * KT)))
LENGTH = 20.0
"""Over ℓ, as all lengths below."""
WETTING = 0.7
START = 0.03
RATIOS = np.array([1e-2, 1e-1, 1.0, 2.0, 5.0, 10.0, 20.0])
CASES = {
    "1.3 ℓ at 0.02 k₀": (1.3, "current", 0.02),
    "2 ℓ at 0.01 k₀": (2.0, "current", 0.01),
    "2 ℓ at 0.02 k₀": (2.0, "current", 0.02),
    "2 ℓ at 0.04 k₀": (2.0, "current", 0.04),
    "4 ℓ at 0.02 k₀": (4.0, "current", 0.02),
    "2 ℓ at 0.8 kT": (2.0, "voltage", 0.8),
    "4 ℓ at 0.8 kT": (4.0, "voltage", 0.8),
    "1.3 ℓ at 2 kT": (1.3, "voltage", 2.0),
}
"""Half thickness; current over k0, or voltage below the plateau in kT (the spinodal lies at 1.07 kT)."""
MAPPED = (
    ("2 ℓ at 0.02 k₀", 0.01),
    ("2 ℓ at 0.02 k₀", 5.0),
    ("2 ℓ at 0.02 k₀", 20.0),
    ("4 ℓ at 0.8 kT", 0.01),
)
CUTOFF = 12.0
"""Of runs at constant current, in kT below the plateau."""
COLUMNS = 41
HALF = 0.5
FILLINGS = (0.15, 0.3, 0.5)


def free_energy() -> HomogeneousFreeEnergy:
    """g/kT = θ ln θ + (1−θ) ln(1−θ) + Ω θ(1−θ)."""
    branch = FreeEnergyBranch(
        name="regular solution",
        temperature=np.array([TEMPERATURE]),
        offset=np.zeros((1, 1)),
        slope=np.array([[-VOLTAGE * constants.ELEMENTARY_CHARGE]]),
        interaction=np.array([[[OMEGA * KT]]]),
        sampled_theta=np.array([0.0, 1.0]),
        sampled_energy=np.zeros((1, 1, 2)),
        sampled_error=np.zeros((1, 1, 2)),
        fit_residual=np.zeros((1, 1)),
    )
    return HomogeneousFreeEnergy(
        provenance=Provenance(code_version="validation", recipe_hash="validation"),
        sites_per_formula_unit=1,
        ion_charge=1,
        branches=(branch,),
    )


def run(case: tuple[float, str, float], ratio: float) -> PlateletSolution:
    """Fill one platelet; ``ratio`` is k0 L/(ρ e D) of its half thickness L."""
    thickness, held, value = case
    size = thickness * INTERFACE
    rate = LAW.rate_constant / (SITE_DENSITY * constants.ELEMENTARY_CHARGE * size)
    model = ParticleModel.from_free_energy(
        free_energy(),
        rate * size**2 / ratio,
        temperature=TEMPERATURE,
        shape="plate",
        size=size,
        shells=max(7, ceil(3 * thickness) + 1),
        site_density=SITE_DENSITY,
        gradient_energy=GRADIENT_ENERGY,
        rate_law=LAW,
    )
    platelet = Platelet(
        model=model, length=LENGTH * INTERFACE, columns=COLUMNS, end_gradient=WETTING / INTERFACE
    )
    if held == "current":
        times = np.linspace(0.0, (HALF - START) / (value * rate), 60)
        return solve_platelet(
            platelet,
            START,
            times=times,
            current_density=value * LAW.rate_constant,
            voltage_cutoff=model.mean_voltage - CUTOFF * model.thermal_voltage,
        )
    times = np.concatenate([[0.0], np.geomspace(0.01, 200 * (1 + ratio), 300)]) / rate
    return solve_platelet(
        platelet, START, times=times, voltage=model.mean_voltage - value * model.thermal_voltage
    )


def main(out: Path) -> None:
    """Sweep, draw and write."""
    out.mkdir(parents=True, exist_ok=True)
    maps, curves, rows = {}, {}, []
    for name, case in CASES.items():
        shares = []
        for ratio in RATIOS:
            solution = run(case, ratio)
            # a current may be too quick for the slowest diffusion: not a number
            reached = solution.filling[-1] > HALF - 1e-3
            measures = (*solution.phase_variance, solution.wave_share)
            at = [np.interp(HALF, solution.filling, each) if reached else np.nan for each in measures]
            shares.append(at[2])
            rows.append([name, ratio, *np.round(at, 3), solution.status])
            print(*rows[-1], sep="  ", flush=True)
            if (name, ratio) in MAPPED:
                maps[f"{name},\nratio {ratio:g}"] = solution
        if case[1] == "current":
            curves[name] = RATIOS, np.array(shares)
    head = ["half thickness and what is held", "reaction over diffusion"]
    head += ["variance along", "variance inward", "wave share", "status"]
    with (out / "shares.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    (out / "maps.png").write_bytes(to_png(plot_platelet(maps, FILLINGS)))
    (out / "shares.png").write_bytes(to_png(plot_wave_share(curves, "half full")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
