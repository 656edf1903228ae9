"""The normalised density from which trial ions are drawn: Gaussians on the sites, optionally a uniform part.

A trial ion comes from one component c: the Gaussian of a site, or the uniform density of the cell. With the
ion sits the label (component, periodic image), called its tether; a deletion draws the label afresh from the
components' share of the density at the ion. For components g_c with base weights b_c,

    g_c(r) = exp(−βu_c(r))/z_c,   z_site = (2π)^{3/2} σ³,  u_site = kT |r − centre|²/(2σ²),  z_uniform =
    V, u = 0, p_c(x) = probability to draw from c given the ions present (occupied sites are not drawn),
    P(c|r) = b_c g_c(r)/Σ_k b_k g_k(r)   (sum over all sites and periodic images).

Acceptance rules need only ln[p_c(x)/(z_c P(c|r))]. If no site is excluded, p_c = b_c and the
Boltzmann-weighted expression e^{−βu_c} p_c/(z_c P) is the plain mixture density q(r).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.foundation import InputError
from scalebridge.sampling._density import component_logs, log_sum, nearest_sites, pick

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Tether:
    """What a ghost ion hangs on: a site's image, or nothing (``component == n_sites``: uniform)."""

    component: int
    image: FloatArray
    """Lattice translation in units of the cell vectors, (3,)."""


@dataclass(frozen=True)
class SiteDensity:
    """Proposal density of trial ions.

    Attributes
    ----------
    width
        Standard deviation σ of the sites' Gaussians along each direction [Å].
    uniform_fraction
        Weight of the uniform density, 0 … 1.
    vacant_only
        Draw only sites that are not the nearest site of an ion (all sites if there are none).
    """

    width: float = 0.4
    uniform_fraction: float = 0.0
    vacant_only: bool = False

    def __post_init__(self) -> None:
        if self.width <= 0:
            raise InputError(f"site width {self.width:g} Å is not positive; use for example 0.4")
        if not 0 <= self.uniform_fraction <= 1:
            raise InputError(f"uniform fraction {self.uniform_fraction:g} is outside 0 … 1")

    def weights(self, ions: FloatArray, centres: FloatArray, cell: FloatArray) -> FloatArray:
        """Return p_c for every site and, last, the uniform component, (n_sites + 1,).

        Parameters
        ----------
        ions
            Positions of the ions present, (N, 3) [Å].
        centres
            Site centres, (n_sites, 3) [Å].
        cell
            Vectors as rows [Å].
        """
        free = np.ones(len(centres))
        if self.vacant_only and len(ions) and len(centres):
            nearest, _ = nearest_sites(ions, centres, cell)
            free[nearest] = 0.0
            if not free.any():
                free[:] = 1.0
        return self._split(free)

    def _split(self, free: FloatArray) -> FloatArray:
        if not len(free):
            return np.ones(1)
        return np.append((1 - self.uniform_fraction) * free / free.sum(), self.uniform_fraction)

    def draw(
        self, weights: FloatArray, centres: FloatArray, cell: FloatArray, rng: np.random.Generator
    ) -> tuple[Tether, FloatArray]:
        """Draw a component by ``weights`` and a position [Å] from it."""
        component = pick(weights, rng.random())
        tether = Tether(component, np.zeros(3))
        if component == len(centres):
            return tether, rng.random(3) @ cell
        return tether, centres[component] + self.width * rng.standard_normal(3)

    def assign(
        self, position: FloatArray, centres: FloatArray, cell: FloatArray, rng: np.random.Generator
    ) -> Tether:
        """Draw the tether of an ion at ``position`` from P(c|r)."""
        logs, images = self._logs(position, centres, cell)
        component, image = divmod(pick(np.exp(logs - logs.max()).ravel(), rng.random()), logs.shape[1])
        if component == len(centres):
            return Tether(len(centres), np.zeros(3))
        return Tether(component, images[component, image])

    def log_ratio(
        self, tether: Tether, weight: float, position: FloatArray, centres: FloatArray, cell: FloatArray
    ) -> float:
        """Return ln[p_c/(z_c P(c|r))] with ``weight`` = p_c; +inf if P vanishes, −inf if ``weight`` does.

        The volumes z_c count in Å³.
        """
        if weight <= 0:
            return -np.inf
        logs, _ = self._logs(position, centres, cell)
        if tether.component == len(centres):
            own = logs[-1, 0]
            log_volume = float(np.log(abs(np.linalg.det(cell))))
        else:
            offset = position - centres[tether.component] - tether.image @ cell
            log_volume = self._log_site_volume
            base = (1 - self.uniform_fraction) / len(centres)
            if base == 0:
                return np.inf
            own = np.log(base) - 0.5 * offset @ offset / self.width**2 - log_volume
        if not np.isfinite(own):
            return np.inf
        return float(np.log(weight) - log_volume - (own - log_sum(logs)))

    def log_density(self, position: FloatArray, centres: FloatArray, cell: FloatArray) -> float:
        """Return ln q(r) [Å⁻³] of the plain mixture, periodic images included."""
        return log_sum(self._logs(position, centres, cell)[0])

    def _logs(
        self, position: FloatArray, centres: FloatArray, cell: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        return component_logs(position, centres, cell, self.width, self.uniform_fraction)

    @property
    def _log_site_volume(self) -> float:
        """Return ln z of a site's Gaussian, z in Å³."""
        return 3 * math.log(math.sqrt(2 * math.pi) * self.width)
