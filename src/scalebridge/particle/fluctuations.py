"""Thermal fluctuations of a particle at rest.

| symbol | name here |
|---|---|
| N ½ δᵀ G δ, free energy over kT of a departure δ of N sites' fractions | ``stiffness`` G, ``sites`` N |
| f·δ = 0 at fixed filling | ``fractions`` f |
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import brentq
from scipy.special import expit, logit

from scalebridge.foundation import InputError
from scalebridge.particle.model import ParticleModel
from scalebridge.particle.tables import evaluate_many

FloatArray = NDArray[np.float64]


def thermal_profile(
    model: ParticleModel, theta: float, sites: float, stream: np.random.Generator
) -> FloatArray:
    """Return site fractions (shells,) drawn from the equilibrium around an even state, of mean ``theta``.

    Gaussian, with the covariance (N G)⁻¹ of the particle's own free energy at fixed filling (Landau and
    Lifshitz, Statistical Physics I, § 112 and § 116); drawn in log-odds, so that no fraction leaves (0, 1).

    Parameters
    ----------
    sites
        N of the particle, empty ones included.

    Raises
    ------
    InputError
        If θ is outside (0, 1) or inside the spinodal, or N is not positive.
    """
    if not 0 < theta < 1 or sites <= 0:
        raise InputError(
            f"fluctuations at θ = {theta:g} of {sites:g} sites need 0 < θ < 1 and sites > 0; change the start"
        )
    grid = model.grid
    curvature = 1 / (theta * (1 - theta)) + evaluate_many(model.excess, np.array([theta]))[1][0]
    curvature += model.coherency
    if curvature <= 0:
        raise InputError(
            f"θ = {theta:g} lies inside the spinodal, where no particle rests and fluctuations have no "
            "bound; start outside"
        )
    faces = np.diff(np.eye(model.shells), axis=0)
    tension = model.interface_length**2 * grid.face_areas / grid.spacing
    stiffness = np.diag(grid.fractions * curvature) + faces.T * tension @ faces
    factor = cho_factor(stiffness, lower=True)
    drawn = stream.standard_normal(model.shells) / np.sqrt(sites)
    departure = solve_triangular(factor[0], drawn, lower=True, trans="T")
    answer = cho_solve(factor, grid.fractions)
    departure -= answer * (grid.fractions @ departure) / (grid.fractions @ answer)
    odds = logit(theta) + departure / (theta * (1 - theta))
    reach = float(np.ptp(odds)) + 1.0
    shift = brentq(lambda move: grid.fractions @ expit(odds + move) - theta, -reach, reach, xtol=1e-14)
    return np.asarray(expit(odds + shift))


def platelet_sites(model: ParticleModel) -> float:
    """Return the sites of an Allen–Cahn platelet with square faces.

    Raises
    ------
    InputError
        Of other kinds, whose volume or start needs no such number.
    """
    if model.length is None:
        raise InputError(f"{model.kind} particles start even; leave the seed out, or choose allen-cahn ones")
    return model.site_density * 2 * model.size * model.length**2
