"""One particle as numbers in SI: what the solver sees, and the one place where a card becomes that."""

from dataclasses import dataclass
from math import ceil
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, xlogy

from scalebridge.contracts import (
    ElectrodeDesign,
    HomogeneousFreeEnergy,
    JumpDiffusivity,
    MaterialCard,
    RateLaw,
)
from scalebridge.foundation import InputError, constants
from scalebridge.particle.grid import Shape, ShellGrid, shell_grid
from scalebridge.particle.phases import interface_sharpness, miscibility_gaps, unstable_interval
from scalebridge.particle.tables import evaluate_many, integrate, tabulate, tabulate_monotone

FloatArray = NDArray[np.float64]

SOLID_SOLUTION_SHELLS = 40
"""Shells of a particle without a miscibility gap, where no interface sets a length."""
SHELL_LIMIT = 120
"""Most shells chosen without being asked."""
SHELLS_PER_INTERFACE = 3.0
"""Shells chosen across the interface: with fewer, the grid pins it and single shells fill on their own."""
WIDENED_SHELLS = 60
"""Shells of a particle whose interface is thinner than `SHELL_LIMIT` shells can resolve and is widened."""
SHELLS_PER_WIDENED_INTERFACE = 5.0
"""Shells across a widened interface: nothing speaks for a pinned one, whose every jump costs some sixty steps
(of LiFePO4 a third of the steps of three shells in fifty)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ParticleModel:
    """A Cahn–Hilliard reaction particle.

    μ/kT = ln(θ/(1−θ)) + excess(θ) − (κ/ρkT) ∇²θ + (B/ρkT)(θ − θ̄), counted from the standard potential μ°;
    mobility M = ρ θ(1−θ) D/kT; n·∇θ = ``surface_gradient`` at the surface.

    Raises
    ------
    InputError
        If a number breaks its bound, or the shells cannot resolve the interface (h ≥ ℓ) of a free energy
        with a miscibility gap.
    """

    shape: Shape
    size: float
    """Radius, or half thickness of a plate [m]."""
    shells: int
    temperature: float
    """[K]"""
    ion_charge: int
    """z, electrons per ion."""
    site_density: float
    """ρ [1/m³]."""
    standard_potential: float
    """μ° = g(1) − g(0) against the ion's metal [J]; −μ°/(z e) is the mean equilibrium voltage."""
    excess: FloatArray
    """(intervals, 4) table of [μ_h(θ) − μ°]/kT − ln(θ/(1−θ))."""
    log_diffusivity: FloatArray
    """(intervals, 4) table of ln D_J/(1−θ) with D in m²/s."""
    gradient_energy: float
    """κ of F = ∫ ½κ|∇θ|² dV [J/m]."""
    coherency_modulus: float = 0.0
    """B of the mean-field coherency energy ½B(θ − θ̄)² per volume [Pa]."""
    surface_gradient: float = 0.0
    """n·∇θ at the surface (wetting) [1/m]."""
    rate_law: RateLaw
    material_gradient_energy: float | None = None
    """κ of the material where ``gradient_energy`` is larger, for an interface that the shells resolve."""

    def __post_init__(self) -> None:
        shell_grid(self.shape, self.size, self.shells)
        if min(self.temperature, self.site_density, self.ion_charge) <= 0:
            raise InputError(
                f"temperature {self.temperature:g} K, site density {self.site_density:g} 1/m³ and ion charge "
                f"{self.ion_charge} must be positive; check the card"
            )
        if min(self.gradient_energy, self.coherency_modulus) < 0:
            raise InputError(
                f"gradient energy {self.gradient_energy:g} J/m and coherency modulus "
                f"{self.coherency_modulus:g} Pa must not be negative; check the interface energies"
            )
        self._check_resolution()

    @property
    def thermal_energy(self) -> float:
        """KT [J]."""
        return constants.BOLTZMANN * self.temperature

    @property
    def thermal_voltage(self) -> float:
        """KT/(z e) [V]."""
        return self.thermal_energy / (self.ion_charge * constants.ELEMENTARY_CHARGE)

    @property
    def mean_voltage(self) -> float:
        """−μ°/(z e): equilibrium voltage averaged over 0 ≤ θ ≤ 1 [V]."""
        return -self.standard_potential / (self.ion_charge * constants.ELEMENTARY_CHARGE)

    @property
    def interface_length(self) -> float:
        """ℓ = √(κ/(ρ kT)) [m]."""
        return float(np.sqrt(self.gradient_energy / self._energy_density))

    @property
    def resolved_length(self) -> float:
        """The smaller of ℓ and the interface's width [m]; deep gaps make interfaces thinner than ℓ."""
        return self.interface_length * interface_sharpness(self.excess, self._coherency)

    @property
    def grid(self) -> ShellGrid:
        """The particle's shells."""
        return shell_grid(self.shape, self.size, self.shells)

    @property
    def charge_density(self) -> float:
        """ρ z e: charge of a full particle per volume [C/m³]."""
        return self.site_density * self.ion_charge * constants.ELEMENTARY_CHARGE

    @property
    def _energy_density(self) -> float:
        return self.site_density * self.thermal_energy

    @property
    def _coherency(self) -> float:
        """B/(ρkT)."""
        return self.coherency_modulus / self._energy_density

    @property
    def boundary_levels(self) -> FloatArray:
        """(gaps,) site fractions at which boundaries between phases lie, rising; empty for a solid solution.

        The middle of each miscibility gap of the free energy that the particle follows, coherency included.
        """
        return np.array([gap.middle for gap in miscibility_gaps(self.excess, self._coherency)])

    @property
    def front_levels(self) -> FloatArray:
        """(fronts,) site fractions at which fronts between particles lie, rising; none where they separate.

        The middle of each miscibility gap that coherency closes: no particle separates, but neighbours that
        exchange ions through the electrolyte fill one after another, as the energy without coherency asks.
        """
        inside = miscibility_gaps(self.excess, self._coherency)
        closed = (
            gap
            for gap in miscibility_gaps(self.excess)
            if not any(gap.theta_low < at.middle < gap.theta_high for at in inside)
        )
        return np.array([gap.middle for gap in closed])

    def unstable_interval(self) -> tuple[float, float] | None:
        """Return the site fractions between which homogeneous states decompose, or None without a gap."""
        return unstable_interval(self.excess, self._coherency)

    def equilibrium_voltage(self, theta: FloatArray) -> FloatArray:
        """Return −μ_h(θ)/(z e) of the homogeneous particle [V]; 0 < θ < 1, one-dimensional."""
        potential = np.log(theta) - np.log1p(-theta) + evaluate_many(self.excess, theta)[0]
        return np.asarray(self.mean_voltage - self.thermal_voltage * potential)

    def average_voltage(self, low: float, high: float) -> float:
        """Return the mean of the equilibrium voltage from θ = ``low`` to ``high`` [V].

        The energy of both ends decides, so a miscibility gap between them changes nothing.
        """
        ends = np.array([low, high])
        energy = xlogy(ends, ends) + xlogy(1 - ends, 1 - ends) + integrate(self.excess, ends)
        return float(self.mean_voltage - self.thermal_voltage * (energy[1] - energy[0]) / (high - low))

    def diffusivity(self, theta: FloatArray) -> FloatArray:
        """Return D_J/(1−θ) [m²/s] at a one-dimensional array of site fractions."""
        return np.asarray(np.exp(evaluate_many(self.log_diffusivity, theta)[0]))

    def free_energy(self, theta: FloatArray) -> FloatArray:
        """Return the particle's free energy per site over kT; ``theta`` (..., shells) → (...).

        The discrete functional whose derivatives are the solver's chemical potentials; g(0) and the straight
        line to g(1) are left out.
        """
        grid = self.grid
        mixing = xlogy(theta, theta) + xlogy(1 - theta, 1 - theta)
        scale = self._energy_density
        mean = theta @ grid.fractions
        spread = (theta - mean[..., None]) ** 2
        local = (mixing + integrate(self.excess, theta) + 0.5 * self.coherency_modulus / scale * spread) @ (
            grid.fractions
        )
        length2 = self.gradient_energy / scale
        gradient = (np.diff(theta) / grid.spacing) ** 2 @ grid.face_areas * grid.spacing
        wetting = self.surface_gradient * grid.surface_area * theta[..., -1]
        return np.asarray(local + length2 * (0.5 * gradient - wetting))

    def _check_resolution(self) -> None:
        gap = self.unstable_interval()
        if gap is None:
            return
        width = self.resolved_length
        where = f"the free energy is unstable between θ = {gap[0]:.3g} and {gap[1]:.3g}"
        if width == 0:
            raise InputError(
                f"gradient energy 0 J/m: {where}, so an interface needs κ > 0; give κ, or a coherency "
                "modulus that closes the gap"
            )
        spacing = self.size / (self.shells - 1)
        if spacing >= width:
            raise InputError(
                f"shell width {spacing:.3g} m: {where} and must be below the interface length {width:.3g} m; "
                f"use at least {shells_for(self.size, width, limit=10**9)} shells or a particle smaller than "
                f"{0.5 * width * (self.shells - 1):.3g} m"
            )

    @classmethod
    def from_free_energy(
        cls,
        free_energy: HomogeneousFreeEnergy,
        diffusivity: float | FloatArray,
        *,
        member: int = 0,
        temperature: float,
        shape: Shape,
        size: float,
        shells: int | None = None,
        site_density: float,
        gradient_energy: float,
        rate_law: RateLaw,
        coherency_modulus: float = 0.0,
        surface_gradient: float = 0.0,
        widen: bool = False,
    ) -> Self:
        """Build a model from a homogeneous free energy; parameters as the fields.

        Parameters
        ----------
        diffusivity
            D_J/(1−θ) [m²/s]: a number, or values at equally spaced θ from 0 to 1.
        shells
            None: from the interface length where there is a miscibility gap, see `shells_for`.
        widen
            Where ``shells`` is None and `SHELL_LIMIT` shells are too few for the interface, raise κ until it
            spans `SHELLS_PER_WIDENED_INTERFACE` of `WIDENED_SHELLS`, and keep the material's κ in
            ``material_gradient_energy`` (see `state_widening`); otherwise such a model is refused.

        Raises
        ------
        ValidityError
            If the temperature is outside the range of the free energy.
        InputError
            See the class.
        """
        standard, excess = _excess_table(free_energy, temperature, member)
        energy_density = site_density * constants.BOLTZMANN * temperature
        material: float | None = None
        if shells is None:
            coherency = coherency_modulus / energy_density
            gap = unstable_interval(excess, coherency)
            sharpness = interface_sharpness(excess, coherency)
            width = sharpness * float(np.sqrt(max(gradient_energy, 0.0) / energy_density))
            if gap and widen and width < SHELLS_PER_INTERFACE * size / (SHELL_LIMIT - 1):
                material = max(gradient_energy, 0.0)
                width = SHELLS_PER_WIDENED_INTERFACE * size / (WIDENED_SHELLS - 1)
                gradient_energy = (width / sharpness) ** 2 * energy_density
                shells = WIDENED_SHELLS
            else:
                shells = shells_for(size, width) if gap else SOLID_SOLUTION_SHELLS
        values = np.atleast_1d(np.asarray(diffusivity, dtype=np.float64))
        knots = np.linspace(0.0, 1.0, values.size)
        log_values = np.log(values)
        return cls(
            shape=shape,
            size=size,
            shells=shells,
            temperature=temperature,
            ion_charge=free_energy.ion_charge,
            site_density=site_density,
            standard_potential=standard,
            excess=excess,
            log_diffusivity=tabulate_monotone(lambda theta: np.interp(theta, knots, log_values)),
            gradient_energy=gradient_energy,
            coherency_modulus=coherency_modulus,
            surface_gradient=surface_gradient,
            rate_law=rate_law,
            material_gradient_energy=material,
        )

    @classmethod
    def from_card(
        cls,
        card: MaterialCard,
        design: ElectrodeDesign,
        *,
        member: int = 0,
        shells: int | None = None,
        size: float | None = None,
    ) -> Self:
        """Build the model of one member's particle in an electrode design, of its ``size`` unless given one.

        Plates take diffusivity, gradient energy and coherency modulus along ``design.particles.direction``
        (the nearest computed normal); without a direction, and for spheres and cylinders, the means over
        directions, of the gradient energy over those with a stable interface. An interface too thin for
        `SHELL_LIMIT` shells is widened, unless ``shells`` is given.

        Raises
        ------
        ValidityError
            If the temperature is outside the card's range.
        InputError
            See the class.
        """
        temperature = float(design.temperature)
        particles = design.particles
        use_direction = particles.shape == "plate" and particles.direction is not None
        direction = np.array(particles.direction) if use_direction else None
        theta = np.linspace(0.0, 1.0, 257)
        normals, gradients = card.interfaces.normals, card.interfaces.gradient_energy[member]
        return cls.from_free_energy(
            card.free_energy,
            _diffusivity(card.jump_diffusivity, direction, theta, temperature, member),
            member=member,
            temperature=temperature,
            shape=particles.shape,
            size=float(particles.size) if size is None else size,
            shells=shells,
            site_density=float(card.site_density[member]),
            gradient_energy=_along(normals, gradients, direction, where=gradients > 0),
            coherency_modulus=_along(normals, card.interfaces.coherency_modulus[member], direction)
            if particles.coherent
            else 0.0,
            rate_law=design.rate_law.at(temperature),
            widen=True,
        )


def shells_for(size: float, interface_length: float, *, limit: int = SHELL_LIMIT) -> int:
    """Return shells for `SHELLS_PER_INTERFACE` h ≤ ℓ, from ``SOLID_SOLUTION_SHELLS`` to ``limit``."""
    wanted = SHELLS_PER_INTERFACE * size / interface_length + 1 if interface_length > 0 else np.inf
    return max(SOLID_SOLUTION_SHELLS, ceil(min(limit, wanted)))


def _excess_table(
    free_energy: HomogeneousFreeEnergy, temperature: float, member: int
) -> tuple[float, FloatArray]:
    """Return μ° and the table of the excess potential.

    Several branches are joined site by site: exp(−g/kT) = Σ_b exp(−g_b/kT), a smooth lower envelope.
    """
    thermal = constants.BOLTZMANN * temperature
    branches = range(len(free_energy.branches))

    def energies(theta: FloatArray) -> FloatArray:
        return np.stack(
            [free_energy.energy(theta, temperature, member=member, branch=b) / thermal for b in branches]
        )

    def envelope(theta: FloatArray) -> FloatArray:
        return np.asarray(-logsumexp(-energies(theta), axis=0))

    ends = envelope(np.array([0.0, 1.0]))
    standard = float(ends[1] - ends[0])

    def excess(theta: FloatArray) -> FloatArray:
        weights = np.exp(envelope(theta) - energies(theta))
        potentials = np.stack(
            [
                free_energy.excess_chemical_potential(theta, temperature, member=member, branch=b)
                for b in branches
            ]
        )
        return np.asarray(np.sum(weights * potentials, axis=0) / thermal - standard)

    return standard * thermal, tabulate(excess)


def _diffusivity(
    jump: JumpDiffusivity, direction: FloatArray | None, theta: FloatArray, temperature: float, member: int
) -> FloatArray:
    if direction is None:
        return jump.isotropic(theta, temperature, member=member)
    return jump.along(direction, theta, temperature, member=member)


def _along(
    normals: FloatArray,
    values: FloatArray,
    direction: FloatArray | None,
    *,
    where: NDArray[np.bool_] | None = None,
) -> float:
    """Return the value at the normal nearest to ``direction``, else the mean of those ``where`` (or 0)."""
    if direction is not None:
        return float(values[np.argmax(np.abs(normals @ direction))])
    chosen = values if where is None else values[where]
    return float(np.mean(chosen)) if chosen.size else 0.0
