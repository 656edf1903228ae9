"""Interface and strain energies between two coexisting phases."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from scalebridge.contracts.base import Array, Contract, Record
from scalebridge.foundation.units import Axes, Unit


class InterfaceSample(Record):
    """γ of one arrangement of the ions, drawn from those of the coexisting phases."""

    member: int
    direction: int
    """Number of the interface normal."""
    interface_energy: Annotated[float, Unit("J.m-2")]


class InterfaceEnergies(Contract):
    """Convention: F = ∫ [f(θ) + ½ κ |∇θ|² + coherency] dV with the site fraction θ.

    ``direction`` runs over the interface normals. Slabs, stiffness, stretches and B(n) are those of two
    phases that coexist, at ``theta_low`` and ``theta_high``: Δθ = ``theta_high − theta_low``. Without a
    plateau they are the empty and the full host. Only the eigenstrain is given for all x.
    """

    normals: Annotated[Array, Unit("1"), Axes("direction", "xyz")]
    """Unit normals, Cartesian of the sampling cell."""
    slab_cells: Annotated[Array, Unit("1"), Axes("direction", "slab")]
    """Cells per phase in each slab."""
    slab_energy: Annotated[Array, Unit("J.m-2"), Axes("member", "direction", "slab")]
    """(E_slab − N(e_1 + e_2))/A, whose intercept is 2γ and slope the coherency energy per cell; like both,
    the mean over arrangements of the ions."""
    interface_energy: Annotated[Array, Unit("J.m-2"), Axes("member", "direction")]
    """γ, the mean of its ``samples``."""
    samples: tuple[InterfaceSample, ...] = ()
    """γ of every arrangement of the ions."""
    coherency_energy_density: Annotated[Array, Unit("J.m-3"), Axes("member", "direction")]
    """From the slope of the slab energies: of equal parts of both phases, ⅛ B(n) (Δθ)²."""
    gradient_energy: Annotated[Array, Unit("J.m-1"), Axes("member", "direction")]
    """κ = 2γd/(Δθ)² along each normal; 0 where the slab has no stable interface."""
    x: Annotated[Array, Unit("1"), Axes("x")]
    eigenstrain: Annotated[Array, Unit("1"), Axes("member", "x", "row", "column")]
    """ε⁰(x) against the empty host, symmetric."""
    stiffness: Annotated[Array, Unit("Pa"), Axes("member", "end", "voigt_row", "voigt_column")]
    """C at θ_low and θ_high, Voigt order xx yy zz yz xz xy, relaxed ions."""
    theta_low: Annotated[float, Unit("1")]
    theta_high: Annotated[float, Unit("1")]
    coherency_modulus: Annotated[Array, Unit("Pa"), Axes("member", "direction")]
    """B(n) of ½ B(n) (θ − θ̄)², Khachaturyan: mean stiffness, strain of the pair over Δθ."""
    stretches: Annotated[Array, Unit("1"), Axes("member", "principal")]
    """λ_i of the stretch U from θ_low to θ_high, ascending; compatible if λ_2 = 1 and det U = 1."""
    cofactor_residual: Annotated[Array, Unit("1"), Axes("member")]
    """|λ_2 − 1|."""

    @property
    def interface_energy_error(self) -> NDArray[np.float64]:
        """Standard error of γ (member, direction) [J/m²], from the spread of its independent ``samples``.

        0 between the empty and the full host, which have one arrangement; infinite where several exist and
        fewer than two were sampled.
        """
        unknown = 0.0 if (self.theta_low, self.theta_high) == (0.0, 1.0) else np.inf
        errors = np.full(self.interface_energy.shape, unknown)
        for place in np.ndindex(errors.shape):
            values = [s.interface_energy for s in self.samples if (s.member, s.direction) == place]
            if len(values) > 1:
                errors[place] = np.std(values, ddof=1) / np.sqrt(len(values))
        return errors
