"""Structures, isotherm and homogeneous free energy against composition and temperature."""

from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import xlogy

from scalebridge.contracts.base import Array, Contract, Record
from scalebridge.foundation import ValidityError, constants
from scalebridge.foundation.units import Axes, Unit

FloatArray = NDArray[np.float64]


class StructureTable(Contract):
    """Average lattice at every sampled composition, in the sampling cell."""

    SCHEMA_VERSION: ClassVar[int] = 2
    schema_version: int = 2

    temperature: Annotated[float, Unit("K")]
    x: Annotated[Array, Unit("1"), Axes("x")]
    phases: tuple[str, ...]
    """Name of the phase from which each composition was started."""
    space_groups: tuple[str, ...]
    """International symbol of member 0's average framework and ions at each composition."""
    symmetry_tolerance: Annotated[float, Unit("m")]
    cell: Annotated[Array, Unit("m"), Axes("member", "x", "vector", "xyz")]
    """Average cell vectors as rows."""
    volume: Annotated[Array, Unit("m3"), Axes("member", "x")]
    """Per formula unit."""
    volume_error: Annotated[Array, Unit("m3"), Axes("member", "x")]
    """Standard error from block averages."""
    largest_grade: Annotated[Array, Unit("1"), Axes("member", "x")]
    """Largest extrapolation grade of the states sampled by each member's walkers; 0 where none was graded."""


class Plateau(Record):
    """A common tangent: two coexisting compositions at one potential."""

    member: int
    temperature: Annotated[float, Unit("K")]
    x_low: Annotated[float, Unit("1")]
    x_high: Annotated[float, Unit("1")]
    voltage: Annotated[float, Unit("V")]


class Spinodal(Record):
    """An interval of x in which the homogeneous phase is unstable."""

    member: int
    temperature: Annotated[float, Unit("K")]
    x_low: Annotated[float, Unit("1")]
    x_high: Annotated[float, Unit("1")]


class Isotherm(Contract):
    """Equilibrium chemical potential and voltage: the convex hull of the homogeneous free energy."""

    temperature: Annotated[Array, Unit("K"), Axes("temperature")]
    x: Annotated[Array, Unit("1"), Axes("x")]
    chemical_potential: Annotated[Array, Unit("J"), Axes("member", "temperature", "x")]
    """Of the neutral ion, thermal wavelength set to 1 Å as in the metal."""
    metal_chemical_potential: Annotated[Array, Unit("J"), Axes("member", "temperature")]
    voltage: Annotated[Array, Unit("V"), Axes("member", "temperature", "x")]
    """Against the ion's metal."""
    plateaus: tuple[Plateau, ...]
    spinodals: tuple[Spinodal, ...]


class FreeEnergyBranch(Record):
    """Homogeneous free energy of one phase, G(θ,T) per ion site, from sampling and as a fit.

    g(θ) = e0 + e1 θ + kT[θ ln θ + (1−θ) ln(1−θ)] + θ(1−θ) Σ_k L_k (1−2θ)^k (Redlich–Kister).
    """

    name: str
    temperature: Annotated[Array, Unit("K"), Axes("temperature")]
    offset: Annotated[Array, Unit("J"), Axes("member", "temperature")]
    """e0."""
    slope: Annotated[Array, Unit("J"), Axes("member", "temperature")]
    """e1, relative to the ion's metal."""
    interaction: Annotated[Array, Unit("J"), Axes("member", "temperature", "order")]
    """L_k."""
    sampled_theta: Annotated[Array, Unit("1"), Axes("sample")]
    sampled_energy: Annotated[Array, Unit("J"), Axes("member", "temperature", "sample")]
    """Sampled g(θ) in the convention of the fit, finite-size entropy of mixing replaced by the bulk's."""
    sampled_error: Annotated[Array, Unit("J"), Axes("member", "temperature", "sample")]
    """Standard error of the above."""
    fit_residual: Annotated[Array, Unit("J"), Axes("member", "temperature")]
    """Root mean square of sampled − fitted."""


class HomogeneousFreeEnergy(Contract):
    """g(x,T) of homogeneous phases: non-convex inside a miscibility gap. μ is its exact derivative.

    The ion's metal is the zero of the chemical potential, so V = −μ/(charge e).
    """

    sites_per_formula_unit: Annotated[int, Field(gt=0)]
    ion_charge: Annotated[int, Field(gt=0)] = 1
    branches: Annotated[tuple[FreeEnergyBranch, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        if len({branch.offset.shape[0] for branch in self.branches}) != 1:
            raise ValueError("all branches must have the same committee members")
        return self

    @property
    def members(self) -> int:
        """Number of members, the best estimate included."""
        return int(self.branches[0].offset.shape[0])

    def energy(
        self, theta: FloatArray, temperature: float, *, member: int = 0, branch: int = 0
    ) -> FloatArray:
        """Return g(θ,T) per ion site [J]; θ in [0, 1], any shape."""
        offset, slope, interaction = self._coefficients(temperature, member, branch)
        mixing = xlogy(theta, theta) + xlogy(1 - theta, 1 - theta)
        excess = theta * (1 - theta) * np.polynomial.polynomial.polyval(1 - 2 * theta, interaction)
        return np.asarray(offset + slope * theta + constants.BOLTZMANN * temperature * mixing + excess)

    def excess_chemical_potential(
        self, theta: FloatArray, temperature: float, *, member: int = 0, branch: int = 0
    ) -> FloatArray:
        """Return ∂g/∂θ without kT ln(θ/(1−θ)), finite on [0, 1] [J]."""
        _, slope, interaction = self._coefficients(temperature, member, branch)
        y = 1 - 2 * theta
        series = np.polynomial.polynomial.polyval(y, interaction)
        series_slope = np.polynomial.polynomial.polyval(y, np.polynomial.polynomial.polyder(interaction))
        return np.asarray(slope + y * series - 2 * theta * (1 - theta) * series_slope)

    def chemical_potential(
        self, theta: FloatArray, temperature: float, *, member: int = 0, branch: int = 0
    ) -> FloatArray:
        """Return μ(θ,T) = ∂g/∂θ per ion against the ion's metal [J]; 0 < θ < 1."""
        mixing = np.log(theta) - np.log1p(-theta)
        excess = self.excess_chemical_potential(theta, temperature, member=member, branch=branch)
        return np.asarray(constants.BOLTZMANN * temperature * mixing + excess)

    def curvature(
        self, theta: FloatArray, temperature: float, *, member: int = 0, branch: int = 0
    ) -> FloatArray:
        """Return ∂²g/∂θ² per ion site [J]; 0 < θ < 1."""
        _, _, interaction = self._coefficients(temperature, member, branch)
        polynomial = np.polynomial.Polynomial(interaction)
        first, second = polynomial.deriv(1), polynomial.deriv(2)
        y = 1 - 2 * theta
        excess = -2 * polynomial(y) - 4 * y * first(y) + 4 * theta * (1 - theta) * second(y)
        return np.asarray(constants.BOLTZMANN * temperature / (theta * (1 - theta)) + excess)

    def _coefficients(self, temperature: float, member: int, branch: int) -> tuple[float, float, FloatArray]:
        """Interpolate the coefficients linearly in T (constant enthalpy and entropy between two samples)."""
        data = self.branches[branch]
        grid = data.temperature
        if not grid.min() - 1e-6 <= temperature <= grid.max() + 1e-6:
            raise ValidityError(
                f"temperature {temperature:g} K is outside {grid.min():g} … {grid.max():g} K, the range of "
                "the sampled free energy; add the temperature to the recipe's thermodynamics.temperatures"
            )
        interaction = [np.interp(temperature, grid, column) for column in data.interaction[member].T]
        return (
            float(np.interp(temperature, grid, data.offset[member])),
            float(np.interp(temperature, grid, data.slope[member])),
            np.array(interaction),
        )
