"""Bursts of the walkers as the recipe names them."""

from scalebridge.pipeline.sections import Bursts
from scalebridge.sampling import BurstSettings, LangevinSettings


def burst_settings(kind: Bursts) -> BurstSettings:
    """Return the settings of the walkers' bursts; all but ``hybrid`` say that they are approximate."""
    if kind == "hybrid":
        return BurstSettings()
    cell = {"langevin": "constant", "npt-isotropic": "isotropic", "npt": "full"}[kind]
    return BurstSettings(langevin=LangevinSettings(cell=cell))  # type: ignore[arg-type]
