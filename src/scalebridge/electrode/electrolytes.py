"""Salt solutions by concentrated-solution theory, and named ones with their sources.

| symbol | name here |
|---|---|
| D, salt diffusivity | ``diffusivity`` |
| κ | ``conductivity`` |
| t₊, of the cation against the solvent | ``transference`` |
| χ = 1 + d ln f±/d ln c | ``thermodynamic_factor`` |

Newman and Thomas-Alyea, Electrochemical Systems (2004), chapter 12.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from scalebridge.foundation import InputError, ValidityError, constants

FloatArray = NDArray[np.float64]
Property = Callable[[FloatArray, float], FloatArray]
"""Of the concentration [mol/m³] and the temperature [K]."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SaltSolution:
    """A binary 1:1 electrolyte; beyond ``concentrations`` its properties stay at their last value."""

    name: str
    source: str
    diffusivity: Property
    """[m²/s]"""
    mobility_sum: Property
    """κRT/(F²c), of a dilute salt D₊ + D₋ [m²/s]."""
    transference: Property
    thermodynamic_factor: Property
    concentrations: tuple[float, float]
    """Between which the properties were measured [mol/m³]."""
    temperatures: tuple[float, float]
    """[K]"""
    citation: str | None = None

    def conductivity(self, concentration: FloatArray, temperature: float) -> FloatArray:
        """Return κ [S/m] at concentrations [mol/m³] of any shape."""
        c = np.asarray(concentration, dtype=np.float64)
        scale = constants.FARADAY**2 / (constants.GAS_CONSTANT * temperature)
        return np.asarray(self.mobility_sum(c, temperature) * scale * c)

    def check_temperature(self, temperature: float) -> None:
        """Refuse temperatures at which the solution was not measured.

        Raises
        ------
        ValidityError
            If so.
        """
        low, high = self.temperatures
        if not low <= temperature <= high:
            raise ValidityError(
                f"{temperature:g} K is outside {low:g} … {high:g} K, where {self.name} was measured; change "
                "the design's temperature or its electrolyte"
            )

    def properties(self, concentration: FloatArray, temperature: float) -> FloatArray:
        """Return D, D₊ + D₋ (generalised), t₊ and χ, shape (4, n), of concentrations (n,) [mol/m³]."""
        c = np.clip(concentration, *self.concentrations)
        functions = (self.diffusivity, self.mobility_sum, self.transference, self.thermodynamic_factor)
        return np.stack([np.broadcast_to(f(c, temperature), c.shape) for f in functions])


def dilute(name: str, cation_diffusivity: float, anion_diffusivity: float) -> SaltSolution:
    """Return a dilute salt (Nernst–Planck) from the diffusivities of its ions [m²/s].

    Raises
    ------
    InputError
        If one is not positive.
    """
    for ion, value in (("cation", cation_diffusivity), ("anion", anion_diffusivity)):
        if value <= 0:
            raise InputError(f"{ion} diffusivity {value:g} must be positive; change the design")
    total = cation_diffusivity + anion_diffusivity
    return SaltSolution(
        name=name,
        source="dilute: the diffusivities of its ions",
        diffusivity=_constant(2 * cation_diffusivity * anion_diffusivity / total),
        mobility_sum=_constant(total),
        transference=_constant(cation_diffusivity / total),
        thermodynamic_factor=_constant(1.0),
        concentrations=(0.0, np.inf),
        temperatures=(0.0, np.inf),
    )


def named_electrolytes() -> dict[str, SaltSolution]:
    """Return the electrolytes that a design may name."""
    return {
        "LiPF6 in EC:EMC 3:7 (Nyman 2008)": _nyman(),
        "LiPF6 in EC:EMC 3:7 (Landesfeind 2019)": _landesfeind("EC:EMC 3:7", *_EC_EMC),
        "LiPF6 in EC:DMC 1:1 (Landesfeind 2019)": _landesfeind("EC:DMC 1:1", *_EC_DMC),
        "NaPF6 in EC:PC 1:1 (Chayambuka 2022)": _chayambuka(),
    }


def named_electrolyte(name: str) -> SaltSolution:
    """Return one of `named_electrolytes`.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    known = named_electrolytes()
    if name not in known:
        raise InputError(
            f"electrolyte '{name}' gives no ion diffusivities and is none of those known by name; give "
            f"cation_diffusivity and anion_diffusivity, or name one of: {'; '.join(known)}"
        )
    return known[name]


def _constant(value: float) -> Property:
    return lambda c, temperature: np.full(np.shape(c), value)


def _mobility_sum(conductivity: Property) -> Property:
    """Return κRT/(F²c) of κ [S/m]."""

    def function(c: FloatArray, temperature: float) -> FloatArray:
        scale = constants.GAS_CONSTANT * temperature / constants.FARADAY**2
        return np.asarray(conductivity(c, temperature) * scale / c)

    return function


def _nyman() -> SaltSolution:
    """Return the fits of Nyman, Behm and Lindbergh, Electrochim. Acta 53, 6356 (2008), at 25 °C.

    D and κ of its equations 13 and 14; t₊ = 0.2594 and χ = 1 as Chen et al., J. Electrochem. Soc. 167, 080534
    (2020) use them.
    """
    return SaltSolution(
        name="LiPF6 in EC:EMC 3:7 (Nyman 2008)",
        source="Nyman, Behm and Lindbergh, Electrochim. Acta 53, 6356 (2008); t+ of Chen et al. (2020)",
        diffusivity=lambda c, _: 8.794e-17 * c**2 - 3.972e-13 * c + 4.862e-10,
        mobility_sum=_mobility_sum(
            lambda c, _: 0.1297 * (c / 1e3) ** 3 - 2.51 * (c / 1e3) ** 1.5 + 3.329 * (c / 1e3)
        ),
        transference=_constant(0.2594),
        thermodynamic_factor=_constant(1.0),
        concentrations=(1.0, 2200.0),
        temperatures=(293.0, 303.0),
        citation="nyman2008",
    )


# coefficients of Landesfeind and Gasteiger (2019), tables of equations 16 to 19: κ, D, χ, t₊
_EC_EMC = (
    (5.21e-1, 2.28e2, -1.06, 3.53e-1, -3.59e-3, 1.48e-3),
    (1.01e3, 1.01, -1.56e3, -4.87e2),
    (2.57e1, -4.51e1, -1.77e-1, 1.94, 2.95e-1, 3.08e-4, 2.59e-1, -9.46e-3, -4.54e-4),
    (-1.28e1, -6.12, 8.21e-2, 9.04e-1, 3.18e-2, -1.27e-4, 1.75e-2, -3.12e-3, -3.96e-5),
)
_EC_DMC = (
    (7.98e-1, 2.28e2, -1.22, 5.09e-1, -4e-3, 3.79e-3),
    (1.47e3, 1.33, -1.69e3, -5.63e2),
    (-5.58, 7.17, 3.80e-2, 1.91, -6.65e-2, -5.08e-5, 1.1e-1, -6.10e-3, 1.51e-4),
    (-7.91, 2.45e-1, 5.28e-2, 6.98e-1, -1.08e-2, -8.21e-5, 7.43e-4, -2.22e-3, 3.07e-5),
)


def _landesfeind(
    solvent: str,
    kappa: tuple[float, ...],
    diffusion: tuple[float, ...],
    factor: tuple[float, ...],
    transference: tuple[float, ...],
) -> SaltSolution:
    """Return a fit of Landesfeind and Gasteiger, J. Electrochem. Soc. 166, A3079 (2019)."""

    def conductivity(c: FloatArray, temperature: float) -> FloatArray:
        m, boltzmann = c / 1000.0, np.exp(1000.0 / temperature)
        p1, p2, p3, p4, p5, p6 = kappa
        numerator = p1 * (1 + (temperature - p2)) * m
        numerator = numerator * (1 + p3 * np.sqrt(m) + p4 * (1 + p5 * boltzmann) * m)
        return np.asarray(0.1 * numerator / (1 + m**4 * p6 * boltzmann))

    def diffusivity(c: FloatArray, temperature: float) -> FloatArray:
        m = c / 1000.0
        p1, p2, p3, p4 = diffusion
        return np.asarray(1e-10 * p1 * np.exp(p2 * m + p3 / temperature + p4 * m / temperature))

    name = f"LiPF6 in {solvent} (Landesfeind 2019)"
    return SaltSolution(
        name=name,
        source="Landesfeind and Gasteiger, J. Electrochem. Soc. 166, A3079 (2019)",
        diffusivity=diffusivity,
        mobility_sum=_mobility_sum(conductivity),
        transference=_polynomial(transference),
        thermodynamic_factor=_polynomial(factor),
        concentrations=(100.0, 3000.0),
        temperatures=(263.0, 323.2),
        citation="landesfeind2019",
    )


def _polynomial(p: tuple[float, ...]) -> Property:
    """Return p₁ + p₂c + p₃T + p₄c² + p₅cT + p₆T² + p₇c³ + p₈c²T + p₉cT², c in mol/l."""

    def function(c: FloatArray, t: float) -> FloatArray:
        m = c / 1000.0
        low = p[0] + p[1] * m + p[2] * t + p[3] * m**2 + p[4] * m * t + p[5] * t**2
        return np.asarray(low + p[6] * m**3 + p[7] * m**2 * t + p[8] * m * t**2)

    return function


_SODIUM_DIFFUSIVITY = np.array([
    [1.131153, 4.14], [124.121064, 3.87], [249.37328, 3.62], [387.618465, 3.33], [538.734332, 3.11],
    [741.699786, 2.81], [1013.696117, 2.49], [1272.69948, 2.25], [1514.27698, 2.14], [1811.953531, 1.99],
    [2113.940691, 1.86], [2320.97218, 1.79], [2471.904616, 1.76],
])  # fmt: skip
_SODIUM_CONDUCTIVITY = np.array([[150, 0.404], [500, 0.72], [1000, 0.883], [1500, 0.861], [2000, 0.76]])


def _chayambuka() -> SaltSolution:
    """Return NaPF6 in EC:PC of Chayambuka et al., Electrochim. Acta 404, 139764 (2022), at 25 °C.

    Read off its figures as PyBaMM's parameter set of that name holds them (mol/m³; 1e-11 m²/s and S/m).
    """
    c_sigma, sigma = _SODIUM_CONDUCTIVITY.T
    c_d, d = _SODIUM_DIFFUSIVITY.T
    diffusivity, conductivity = PchipInterpolator(c_d, 1e-11 * d), PchipInterpolator(c_sigma, sigma / c_sigma)
    return SaltSolution(
        name="NaPF6 in EC:PC 1:1 (Chayambuka 2022)",
        source="Chayambuka et al., Electrochim. Acta 404, 139764 (2022), as in PyBaMM; t+ = 0.45, ideal",
        diffusivity=lambda c, _: np.asarray(diffusivity(np.clip(c, c_d[0], c_d[-1]))),
        mobility_sum=_mobility_sum(lambda c, _: np.asarray(conductivity(c) * c)),
        transference=_constant(0.45),
        thermodynamic_factor=_constant(1.0),
        concentrations=(150.0, 2000.0),
        temperatures=(293.0, 303.0),
        citation="chayambuka2022",
    )
