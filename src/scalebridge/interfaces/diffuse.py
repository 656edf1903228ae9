"""The diffuse interface that follows from κ, beside the sharp one that κ was taken from."""

from collections.abc import Sequence

import numpy as np

from scalebridge.contracts import (
    HomogeneousFreeEnergy,
    InterfaceEnergies,
    Isotherm,
    Plateau,
    StructureTable,
)
from scalebridge.interfaces.gradient import interface_energy_from_gradient, interface_width


def state_diffuse_interfaces(
    energies: InterfaceEnergies,
    free_energy: HomogeneousFreeEnergy,
    isotherm: Isotherm,
    structures: StructureTable,
) -> list[str]:
    """Say γ = ∫ √(2κΔf) dθ and the width between the phases of each member's widest plateau, by normal.

    Members without a plateau or with κ = 0 have no diffuse interface and are left out.
    """
    texts = []
    for index, normal in enumerate(energies.normals):
        found = [
            (
                *_diffuse(kappa, plateau, free_energy, structures),
                float(energies.interface_energy[member, index]),
            )
            for member, kappa in enumerate(energies.gradient_energy[:, index])
            if kappa > 0 and (plateau := _widest(isotherm, member, float(structures.temperature))) is not None
        ]
        if found:
            diffuse, widths, sharp = zip(*found, strict=True)
            name = " ".join(f"{component:.2g}" for component in np.round(normal, 2) + 0.0)
            texts.append(
                f"normal [{name}]: with κ and the homogeneous free energy the diffuse interface of the "
                f"members' plateaus has γ = {_range(diffuse, 1e3)} mJ/m² and is {_range(widths, 1e9)} nm "
                f"wide; the sharp one of the slabs has {_range(sharp, 1e3)} mJ/m²"
            )
    return texts


def _widest(isotherm: Isotherm, member: int, temperature: float) -> Plateau | None:
    """Return the member's widest plateau at the temperature nearest to ``temperature`` [K]."""
    own = [plateau for plateau in isotherm.plateaus if plateau.member == member]
    nearest = min((abs(plateau.temperature - temperature) for plateau in own), default=0.0)
    here = [plateau for plateau in own if abs(plateau.temperature - temperature) == nearest]
    return max(here, key=lambda plateau: plateau.x_high - plateau.x_low, default=None)


def _diffuse(
    kappa: float, plateau: Plateau, free_energy: HomogeneousFreeEnergy, structures: StructureTable
) -> tuple[float, float]:
    """Return γ [J/m²] and width [m] of the interface between a plateau's ends."""
    sites = free_energy.sites_per_formula_unit
    density = sites / float(np.mean(structures.volume[plateau.member]))
    ends = (plateau.x_low / sites, plateau.x_high / sites)
    place = (free_energy, float(kappa), density, plateau.temperature)
    return (
        interface_energy_from_gradient(*place, binodal=ends, member=plateau.member),
        interface_width(*place, binodal=ends, member=plateau.member),
    )


def _range(values: Sequence[float], unit: float) -> str:
    low, high = f"{unit * min(values):.3g}", f"{unit * max(values):.3g}"
    return low if low == high else f"{low} … {high}"
