"""Physical constants (CODATA, from ``scipy.constants``: the project's only source) and unit factors.

SI unless the name says otherwise. Atomistic rooms work in eV, Å and K; contracts are SI. The factors
below convert: ``value_in_SI = value_in_eV_and_Å * factor``.
"""

from typing import Final

from scipy import constants as codata

ELEMENTARY_CHARGE: Final[float] = codata.e
"""e [C]."""
BOLTZMANN: Final[float] = codata.k
"""k_B [J/K]."""
AVOGADRO: Final[float] = codata.N_A
"""N_A [1/mol]."""
FARADAY: Final[float] = codata.N_A * codata.e
"""F [C/mol]."""
GAS_CONSTANT: Final[float] = codata.R
"""R [J/(mol K)]."""
PLANCK: Final[float] = codata.h
"""h [J s]."""
ATOMIC_MASS: Final[float] = codata.atomic_mass
"""u [kg]."""

EV: Final[float] = codata.e
"""1 eV [J]."""
ANGSTROM: Final[float] = codata.angstrom
"""1 Å [m]."""
BOLTZMANN_EV: Final[float] = codata.k / codata.e
"""k_B [eV/K]."""
EV_PER_ANGSTROM3: Final[float] = codata.e / codata.angstrom**3
"""1 eV/Å³ [Pa]."""
EV_PER_ANGSTROM2: Final[float] = codata.e / codata.angstrom**2
"""1 eV/Å² [J/m²]."""
MAH_PER_G: Final[float] = 3.6e3
"""1 mAh/g [C/kg]."""
FEMTOSECOND: Final[float] = 1e-15 * (codata.e / codata.atomic_mass) ** 0.5 / codata.angstrom
"""1 fs in the time unit of (eV, Å, u), Å·sqrt(u/eV) = 10.18 fs."""
