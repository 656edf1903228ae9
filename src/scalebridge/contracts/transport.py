"""Diffusivities. Never a bare "D": tracer and jump diffusivity are different types."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from scalebridge.contracts.base import Array, Contract, Record
from scalebridge.foundation import constants
from scalebridge.foundation.units import Axes, Unit

FloatArray = NDArray[np.float64]


class DiffusivitySample(Record):
    """One diffusivity measured directly by molecular dynamics."""

    member: int
    x: Annotated[float, Unit("1")]
    temperature: Annotated[float, Unit("K")]
    diffusivity: Annotated[float, Unit("m2.s-1"), Field(gt=0)]
    """Mean over directions."""
    error: Annotated[float, Unit("m2.s-1")]
    """Standard error."""
    hops: int
    upper_bound: bool
    """True if no hop was seen (the value is what one hop would have given) or if the displacement did not
    grow (two standard errors)."""
    largest_grade: Annotated[float | None, Unit("1")] = None
    """Largest extrapolation grade of the run's states; None if they were not graded."""


class ArrheniusDiffusivity(Contract):
    """D(x,T) = D0(x) exp(−E(x)/kT) as a tensor; linear in ln D0 and E between compositions."""

    x: Annotated[Array, Unit("1"), Axes("x")]
    theta: Annotated[Array, Unit("1"), Axes("x")]
    """Site fraction at each composition."""
    phases: tuple[str, ...]
    methods: tuple[str, ...]
    """At each composition: ``molecular dynamics``, or ``barrier`` (NEB and harmonic transition state theory),
    with a prefactor from the hops that dynamics saw, or bounded by them, where the text goes on to say so."""
    prefactor: Annotated[Array, Unit("m2.s-1"), Axes("member", "x")]
    """D0 along the fastest direction."""
    anisotropy: Annotated[Array, Unit("1"), Axes("member", "x", "row", "column")]
    """Tensor with largest eigenvalue 1 that multiplies D0."""
    activation_energy: Annotated[Array, Unit("J"), Axes("member", "x")]
    covariance: Annotated[Array, Unit("1"), Axes("x", "parameter", "other_parameter")]
    """Of (ln D0, E/(k · 300 K)), over members and fit."""
    samples: tuple[DiffusivitySample, ...] = ()

    def scalar(self, theta: FloatArray, temperature: float, *, member: int = 0) -> FloatArray:
        """Return D along the fastest direction [m²/s] at site fractions ``theta`` of any shape."""
        log_prefactor = np.interp(theta, self.theta, np.log(self.prefactor[member]))
        energy = np.interp(theta, self.theta, self.activation_energy[member])
        return np.asarray(np.exp(log_prefactor - energy / (constants.BOLTZMANN * temperature)))

    def along(
        self, direction: FloatArray, theta: FloatArray, temperature: float, *, member: int = 0
    ) -> FloatArray:
        """Return n·D·n [m²/s] along ``direction`` (Cartesian of the sampling cell, any length)."""
        n = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
        factors = np.einsum("i,xij,j->x", n, self.anisotropy[member], n)
        return np.asarray(
            self.scalar(theta, temperature, member=member) * np.interp(theta, self.theta, factors)
        )

    def isotropic(self, theta: FloatArray, temperature: float, *, member: int = 0) -> FloatArray:
        """Return tr(D)/3 [m²/s]."""
        factors = np.trace(self.anisotropy[member], axis1=-2, axis2=-1) / 3
        return np.asarray(
            self.scalar(theta, temperature, member=member) * np.interp(theta, self.theta, factors)
        )


class TracerDiffusivity(ArrheniusDiffusivity):
    """D* of single ions."""


class JumpDiffusivity(ArrheniusDiffusivity):
    """D_J of the ions' centre of mass, divided by the fraction of empty sites: D_J = (1−θ) × this.

    Mobility for the phase field: M = θ(1−θ) ρ_s × this / kT (site density ρ_s), finite at both ends.
    """
