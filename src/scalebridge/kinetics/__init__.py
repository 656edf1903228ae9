"""Interface reaction rates: Butler–Volmer with activities, Marcus–Hush–Chidsey, coupled transfer."""

from scalebridge.kinetics._kernels import electron_transfer_rate, reaction_rate, transfer_constant
from scalebridge.kinetics.butler_volmer import (
    current_density,
    exchange_current,
    overpotential,
    reorganisation_over_kt,
)

__all__ = [
    "current_density",
    "electron_transfer_rate",
    "exchange_current",
    "overpotential",
    "reaction_rate",
    "reorganisation_over_kt",
    "transfer_constant",
]
