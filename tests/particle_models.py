"""Regular-solution particles and cells that the tests of particle and electrode share."""

from dataclasses import fields
from typing import Any

import numpy as np

from scalebridge.contracts import FreeEnergyBranch, HomogeneousFreeEnergy, Provenance, RateLaw
from scalebridge.electrode import CellModel, Layer, MetalFoil, PorousElectrode, dilute
from scalebridge.foundation import constants
from scalebridge.particle import ParticleModel

TEMPERATURE = 298.0
KT = constants.BOLTZMANN * TEMPERATURE
SITE_DENSITY = 1.3793e28
GRADIENT_ENERGY = 5.0148e-10
LFP_OMEGA = 1.8560e-20 / KT
LFP_VOLTAGE = 3.422
LAW = RateLaw(rate_constant=0.16, source="MPET's LiFePO4")
FAST = RateLaw(rate_constant=1e4, transition_state="none", source="so fast that it costs no voltage")


def regular_solution(
    omega: float | tuple[float, ...], voltage: float = LFP_VOLTAGE, charge: int = 1
) -> HomogeneousFreeEnergy:
    """g/kT = θ ln θ + (1−θ) ln(1−θ) + θ(1−θ) Σ Ω_k (1−2θ)^k at 298 K."""
    return branched((omega, 0.0, 0.0), voltage=voltage, charge=charge)


def branched(
    *branches: tuple[float | tuple[float, ...], float, float], voltage: float = LFP_VOLTAGE, charge: int = 1
) -> HomogeneousFreeEnergy:
    """Regular solutions (Ω, e, s) with e + s θ more over kT than the first of the above with s = 0."""
    return HomogeneousFreeEnergy(
        provenance=Provenance(code_version="test", recipe_hash="test"),
        sites_per_formula_unit=1,
        ion_charge=charge,
        branches=tuple(
            FreeEnergyBranch(
                name=f"regular solution {number}",
                temperature=np.array([TEMPERATURE]),
                offset=np.array([[offset * KT]]),
                slope=np.array([[slope * KT - voltage * constants.ELEMENTARY_CHARGE * charge]]),
                interaction=np.atleast_1d(np.asarray(omega, dtype=float))[None, None, :] * KT,
                sampled_theta=np.array([0.0, 1.0]),
                sampled_energy=np.zeros((1, 1, 2)),
                sampled_error=np.zeros((1, 1, 2)),
                fit_residual=np.zeros((1, 1)),
            )
            for number, (omega, offset, slope) in enumerate(branches)
        ),
    )


def particle(
    omega: float | tuple[float, ...] | HomogeneousFreeEnergy = LFP_OMEGA, **changes: Any
) -> ParticleModel:
    """LiFePO4 as in MPET's examples, with ``changes`` to `ParticleModel.from_free_energy`'s arguments."""
    settings: dict[str, Any] = {
        "temperature": TEMPERATURE,
        "shape": "sphere",
        "size": 100e-9,
        "shells": 50,
        "site_density": SITE_DENSITY,
        "gradient_energy": GRADIENT_ENERGY,
        "rate_law": LAW,
    }
    diffusivity = changes.pop("diffusivity", 1e-16)
    energy = omega if isinstance(omega, HomogeneousFreeEnergy) else regular_solution(omega)
    return ParticleModel.from_free_energy(energy, diffusivity, **(settings | changes))


def cell(model: ParticleModel | None = None, **changes: Any) -> CellModel:
    """The half cell of MPET's example with ``changes``; the foil costs no voltage."""
    electrode = {
        "particle": particle() if model is None else model,
        "layer": Layer(thickness=70e-6, porosity=0.4, bruggeman_exponent=1.5, volumes=20),
        "volume_fraction": 0.69,
        "electronic_conductivity": 1.0,
        "initial_theta": 0.01,
    }
    settings = {
        "separator": Layer(thickness=25e-6, porosity=0.7, bruggeman_exponent=1.5, volumes=10),
        "anode": MetalFoil(FAST),
        "salt_concentration": 1000.0,
        "electrolyte": dilute("MPET's LiPF6", 2.2e-10, 2.94e-10),
        "cutoff_voltage": 3.0,
        "final_theta": 0.99,
    }
    return changed(electrode, settings, changes)


def changed(electrode: dict[str, Any], settings: dict[str, Any], changes: dict[str, Any]) -> CellModel:
    """Build a cell; ``changes`` name fields of its cathode or its own."""
    of_cathode = {field.name for field in fields(PorousElectrode)}
    own = {name: value for name, value in changes.items() if name in of_cathode}
    rest = {name: value for name, value in changes.items() if name not in of_cathode}
    cathode = PorousElectrode(**(electrode | own))
    return CellModel(**({"cathode": cathode} | settings | rest))


def with_changes(model: CellModel, **changes: Any) -> CellModel:
    """Return a cell with other fields of its cathode, or of its own."""
    electrode = {field.name: getattr(model.cathode, field.name) for field in fields(PorousElectrode)}
    settings = {field.name: getattr(model, field.name) for field in fields(CellModel)}
    del settings["cathode"]
    return changed(electrode, settings, changes)
