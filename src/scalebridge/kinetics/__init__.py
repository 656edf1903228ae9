"""Interface reaction rates: Butler–Volmer with activities."""

from scalebridge.kinetics._kernels import reaction_rate
from scalebridge.kinetics.butler_volmer import current_density, exchange_current, overpotential

__all__ = ["current_density", "exchange_current", "overpotential", "reaction_rate"]
