"""One particle as numbers in SI: what the solver sees, and the one place where a card becomes that."""

from dataclasses import dataclass, replace
from typing import Self, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from scalebridge.contracts import ElectrodeDesign, HomogeneousFreeEnergy, MaterialCard, RateLaw
from scalebridge.foundation import InputError, InterfaceError, constants
from scalebridge.particle.card_inputs import along, card_diffusivity, excess_table, scaled_length
from scalebridge.particle.grid import Kind, Shape, ShellGrid, line_grid, shell_grid, single_cell
from scalebridge.particle.order import PhaseOrder, phase_order
from scalebridge.particle.phases import interface_sharpness, miscibility_gaps, unstable_interval
from scalebridge.particle.resolution import chosen_shells, shells_for
from scalebridge.particle.tables import evaluate_many, integrate, tabulate_monotone
from scalebridge.thermodynamics import CommonTangent

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class ParticleModel:
    """A particle that exchanges ions with the electrolyte.

    μ/kT = ln(θ/(1−θ)) + excess(θ) − (κ/ρkT) ∇²θ + (B/ρkT)(θ − θ̄), counted from the standard potential μ°;
    n·∇θ = ``surface_gradient`` at the surface. Kinds:

    ``cahn-hilliard``
        Ions move between shells with the mobility M = ρ θ(1−θ) D/kT and enter at the surface.
    ``allen-cahn``
        A platelet averaged through its thickness, cells along its ``length``: every cell reacts by itself
        through both faces, surface over volume 1/``size``, and no ion moves from cell to cell. Wetting acts
        at both ends (Singh, Ceder and Bazant, Electrochim. Acta 53, 7599 (2008); Bai, Cogswell and Bazant,
        Nano Lett. 11, 4890 (2011)).
    ``homogeneous``
        One cell: no gradients, no diffusion, and no coherency, which needs two phases.

    Raises
    ------
    InputError
        If a number breaks its bound, the kind does not go with the shape, or the shells cannot resolve the
        interface (h ≥ ℓ) of a free energy with a miscibility gap.
    """

    shape: Shape
    size: float
    """Radius, or half thickness of a plate [m]."""
    shells: int
    """Or cells along the length of a platelet; 1 of a homogeneous particle."""
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
    kind: Kind = "cahn-hilliard"
    length: float | None = None
    """Of an Allen–Cahn platelet, along which phases lie side by side [m]; None of other kinds."""
    order: PhaseOrder | None = None
    """Phases that relax at a rate of their own; None: they are in equilibrium, and ``excess``, which is what
    miscibility gaps are found from in any case, holds at every rate."""

    def __post_init__(self) -> None:
        self._check_kind()
        _ = self.grid  # refuses a size or number of shells out of bounds
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
        return self.interface_length * interface_sharpness(self.excess, self.coherency)

    @property
    def grid(self) -> ShellGrid:
        """The particle's shells, or cells."""
        if self.length is not None:
            return line_grid(self.size, self.length, self.shells)
        if self.kind == "homogeneous":
            return single_cell(self.shape, self.size)
        return shell_grid(self.shape, self.size, self.shells)

    @property
    def extent(self) -> float:
        """Over which the shells are spread: length of an Allen–Cahn platelet, else ``size`` [m]."""
        return self.size if self.length is None else self.length

    def scaled_to(self, size: float) -> Self:
        """Return a similar particle of another size: a platelet's length keeps its ratio to it.

        Raises
        ------
        InputError
            See the class.
        """
        length = None if self.length is None else self.length * size / self.size
        return replace(self, size=size, length=length)

    @property
    def charge_density(self) -> float:
        """ρ z e: charge of a full particle per volume [C/m³]."""
        return self.site_density * self.ion_charge * constants.ELEMENTARY_CHARGE

    @property
    def _energy_density(self) -> float:
        return self.site_density * self.thermal_energy

    @property
    def coherency(self) -> float:
        """B/(ρkT); none in a particle without differences."""
        return 0.0 if self.kind == "homogeneous" else self.coherency_modulus / self._energy_density

    @property
    def _inner_gaps(self) -> tuple[CommonTangent, ...]:
        """Miscibility gaps in which phases lie side by side in one particle."""
        return () if self.kind == "homogeneous" else miscibility_gaps(self.excess, self.coherency)

    @property
    def boundary_levels(self) -> FloatArray:
        """(gaps,) site fractions at which boundaries between phases lie, rising; empty for a solid solution.

        The middle of each miscibility gap of the free energy that the particle follows, coherency included.
        None inside a homogeneous particle.
        """
        return np.array([gap.middle for gap in self._inner_gaps])

    @property
    def front_levels(self) -> FloatArray:
        """(fronts,) site fractions at which fronts between particles lie, rising; none where they separate.

        The middle of each miscibility gap that coherency closes, or that lies open to homogeneous particles:
        no particle separates, but neighbours that exchange ions through the electrolyte fill one after
        another, as the energy without coherency asks.
        """
        closed = (
            gap
            for gap in miscibility_gaps(self.excess)
            if not any(gap.theta_low < at.middle < gap.theta_high for at in self._inner_gaps)
        )
        return np.array([gap.middle for gap in closed])

    def unstable_interval(self) -> tuple[float, float] | None:
        """Return the site fractions between which homogeneous states decompose, or None without a gap.

        Homogeneous particles do so among each other.
        """
        return unstable_interval(self.excess, self.coherency)

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

    def free_energy(self, theta: FloatArray, phase_fractions: FloatArray | None = None) -> FloatArray:
        """Return the particle's free energy per site over kT; ``theta`` (..., shells) → (...).

        The discrete functional whose derivatives are the solver's chemical potentials; g(0) and the straight
        line to g(1) are left out.

        Parameters
        ----------
        phase_fractions
            (..., shells, branches) of phases with a rate of their own, see `PhaseOrder`; None: phases in
            equilibrium.
        """
        grid = self.grid
        mixing = xlogy(theta, theta) + xlogy(1 - theta, 1 - theta)
        scale = self._energy_density
        mean = theta @ grid.fractions
        spread = (theta - mean[..., None]) ** 2
        if self.order is None or phase_fractions is None:
            excess = integrate(self.excess, theta)
        else:
            excess = self.order.energy(theta, phase_fractions)
        local = (mixing + excess + 0.5 * self.coherency * spread) @ grid.fractions
        length2 = self.gradient_energy / scale
        gradient = (np.diff(theta) / grid.spacing) ** 2 @ grid.face_areas * grid.spacing
        wetting = self.surface_gradient * (theta[..., [0, -1]] @ np.array(grid.wetted))
        return np.asarray(local + length2 * (0.5 * gradient - wetting))

    def _check_kind(self) -> None:
        if self.kind not in get_args(Kind):
            raise InputError(
                f"particle kind '{self.kind}' is unknown; choose one of {', '.join(get_args(Kind))}"
            )
        platelet = self.kind == "allen-cahn"
        if platelet and (self.shape != "plate" or self.length is None):
            raise InputError(
                f"allen-cahn particle of shape '{self.shape}' and length {self.length}: it is a platelet "
                "averaged through its thickness; give shape 'plate' and the length along which its phases lie"
            )
        if not platelet and self.length is not None:
            raise InputError(
                f"length {self.length:g} m of a {self.kind} particle: only allen-cahn platelets have one; "
                "leave it out"
            )
        if self.kind == "homogeneous" and self.shells != 1:
            raise InputError(
                f"{self.shells} shells of a homogeneous particle, which is one cell; leave the shells out"
            )

    def _check_resolution(self) -> None:
        gap = None if self.kind == "homogeneous" else self.unstable_interval()
        if gap is None:
            return
        width = self.resolved_length
        where = f"the free energy is unstable between θ = {gap[0]:.3g} and {gap[1]:.3g}"
        if width == 0:
            raise InterfaceError(
                f"gradient energy 0 J/m: {where}, so an interface needs κ > 0; give κ, or a coherency "
                "modulus that closes the gap"
            )
        spacing = self.extent / (self.shells - 1)
        if spacing >= width:
            raise InputError(
                f"shell width {spacing:.3g} m: {where} and must be below the interface length {width:.3g} m; "
                f"use at least {shells_for(self.extent, width, limit=10**9)} shells, four to that length, or "
                f"particles below {0.5 * width * (self.shells - 1):.3g} m"
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
        kind: Kind = "cahn-hilliard",
        length: float | None = None,
        phase_relaxation_time: float | None = None,
        phase_barrier: float | None = None,
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
            ``material_gradient_energy`` (see `state_resolution`); otherwise such a model is refused.
        phase_relaxation_time, phase_barrier
            τ [s] and W kT per site [J] of `PhaseOrder`; None: branches in equilibrium.

        Raises
        ------
        ValidityError
            If the temperature is outside the range of the free energy.
        InputError
            See the class.
        """
        standard, excess = excess_table(free_energy, temperature, member)
        material: float | None = None
        if kind == "homogeneous":
            shells = 1 if shells is None else shells
        elif shells is None:
            energy_density = site_density * constants.BOLTZMANN * temperature
            shells, wide = chosen_shells(
                (excess, coherency_modulus / energy_density),
                extent=size if length is None else length,
                length2=max(gradient_energy, 0.0) / energy_density,
                widen=widen,
            )
            if wide is not None:
                material, gradient_energy = max(gradient_energy, 0.0), wide * energy_density
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
            kind=kind,
            length=length,
            order=phase_order(
                free_energy,
                temperature,
                member,
                standard=standard,
                relaxation_time=phase_relaxation_time,
                barrier=phase_barrier,
            ),
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
        `SHELL_LIMIT` shells is widened, unless ``shells`` is given. The length of an Allen–Cahn platelet of
        another size is in proportion.

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
        size = float(particles.size) if size is None else size
        theta = np.linspace(0.0, 1.0, 257)
        normals, gradients = card.interfaces.normals, card.interfaces.gradient_energy[member]
        relaxation, barrier = particles.phase_relaxation_time, particles.phase_barrier
        return cls.from_free_energy(
            card.free_energy,
            card_diffusivity(card.jump_diffusivity, direction, theta, temperature, member),
            member=member,
            temperature=temperature,
            shape=particles.shape,
            size=size,
            shells=shells,
            site_density=float(card.site_density[member]),
            gradient_energy=along(normals, gradients, direction, where=gradients > 0),
            coherency_modulus=along(normals, card.interfaces.coherency_modulus[member], direction)
            if particles.coherent
            else 0.0,
            rate_law=design.rate_law.at(temperature),
            widen=True,
            kind=particles.kind,
            length=scaled_length(particles, size),
            phase_relaxation_time=None if relaxation is None else float(relaxation),
            phase_barrier=None if barrier is None else float(barrier),
        )
