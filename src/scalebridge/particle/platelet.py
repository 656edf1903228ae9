"""A platelet resolved along its length and its depth.

A row of columns side by side along the length; each is a Cahn–Hilliard plate in depth, whose ions move along
the depth only and enter through its own surface. The gradient energy along the length couples neighbours, the
electrolyte all of them (Singh, Ceder and Bazant, Electrochim. Acta 53, 7599 (2008)).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.particle.model import ParticleModel

FloatArray = NDArray[np.float64]

LEAST_VARIANCE = 0.05
"""Over that of full and empty sites: what wetting and currents leave in an even platelet lies below."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Platelet:
    """A plate whose phases may lie side by side along its length as well as its depth.

    Raises
    ------
    InputError
        If the model is not a Cahn–Hilliard plate, has phases with a rate of their own, has coherency (whose
        mean field is that of a whole particle, not of a column) or the columns cannot resolve the interface.
    """

    model: ParticleModel
    """The depth: ``size`` is half the thickness, ``shells`` lie from the middle to the surface."""
    length: float
    """[m]"""
    columns: int
    """Along the length, half ones at both ends."""
    gradient_energy: float | None = None
    """κ along the length [J/m]; None: that of the model."""
    end_gradient: float = 0.0
    """n·∇θ at both ends of the length (wetting) [1/m]."""

    def __post_init__(self) -> None:
        model = self.model
        if model.kind != "cahn-hilliard" or model.shape != "plate":
            raise InputError(
                f"{model.kind} {model.shape} as the depth of a platelet: it must be a cahn-hilliard plate; "
                "change the kind and the shape"
            )
        if model.order is not None:
            raise InputError(
                "phases with a rate of their own are not modelled in a platelet resolved in length and "
                "depth; leave their relaxation time out"
            )
        if model.coherency_modulus > 0:
            raise InputError(
                f"coherency modulus {model.coherency_modulus:g} Pa of a platelet resolved in length and "
                "depth: its coherency energy is not modelled; give 0, or an allen-cahn platelet"
            )
        try:
            _ = self.depth_averaged
        except InputError as error:
            raise InputError(f"columns along the length of a platelet, as shells: {error}") from error

    @cached_property
    def depth_averaged(self) -> ParticleModel:
        """The Allen–Cahn platelet that this one becomes where diffusion is quick."""
        kappa = self.model.gradient_energy if self.gradient_energy is None else self.gradient_energy
        return replace(
            self.model,
            kind="allen-cahn",
            length=self.length,
            shells=self.columns,
            gradient_energy=kappa,
            surface_gradient=self.end_gradient,
        )

    @property
    def position(self) -> FloatArray:
        """(columns,) along the length [m]."""
        return self.depth_averaged.grid.nodes

    @property
    def shares(self) -> FloatArray:
        """(columns,) volume of a column over the platelet's."""
        return self.depth_averaged.grid.fractions

    def filling(self, theta: FloatArray) -> FloatArray:
        """Return the mean site fraction; ``theta`` (..., columns, shells) → (...)."""
        return np.asarray(theta @ self.model.grid.fractions @ self.shares)

    def phase_variance(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return how far phases lie apart along length and depth; ``theta`` (..., columns, shells) → (...).

        Variance of the columns' means, and mean variance within columns, both by volume and over θ̄(1−θ̄), that
        of full and empty sites. Their sum is 0 of an even platelet and 1 at most.
        """
        depth = self.model.grid.fractions
        mean = theta @ depth
        middle = mean @ self.shares
        most = middle * (1 - middle)
        between = (mean - middle[..., None]) ** 2 @ self.shares
        within = (theta - mean[..., None]) ** 2 @ depth @ self.shares
        return np.asarray(between / most), np.asarray(within / most)

    def wave_share(self, theta: FloatArray) -> FloatArray:
        """Return the share of the variance of θ that lies along the length, (..., columns, shells) → (...).

        1 where every column is even and phases lie side by side (a wave along the surface), 0 where all
        columns are equal and phases lie one behind the other (core and shell); not a number where less than
        `LEAST_VARIANCE` shows no phases.
        """
        along, inward = self.phase_variance(theta)
        whole = along + inward
        apart = whole > LEAST_VARIANCE
        return np.where(apart, along / np.where(apart, whole, 1.0), np.nan)

    def free_energy(self, theta: FloatArray) -> FloatArray:
        """Return the free energy per site over kT; ``theta`` (..., columns, shells) → (...).

        As `ParticleModel.free_energy`: the functional whose derivatives are the solver's chemical potentials.
        """
        line = self.depth_averaged
        grid, length2 = line.grid, line.interface_length**2
        inside = self.model.free_energy(theta) @ self.shares
        steps = (np.diff(theta, axis=-2) / grid.spacing) ** 2 @ self.model.grid.fractions
        ends = theta[..., [0, -1], :] @ self.model.grid.fractions @ np.array(grid.wetted)
        along = 0.5 * steps @ grid.face_areas * grid.spacing - self.end_gradient * ends
        return np.asarray(inside + length2 * along)
