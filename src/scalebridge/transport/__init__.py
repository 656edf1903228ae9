"""Mean-squared displacement, barriers with transition state theory, walkers on site networks."""

from scalebridge.transport.chain import JumpChain, solve_diffusivity
from scalebridge.transport.correlation import VacancyTracer, solve_vacancy_tracer
from scalebridge.transport.network import (
    HopEnergies,
    HopNetwork,
    find_hops,
    solve_walker_diffusivity,
    walker_chain,
)

__all__ = [
    "HopEnergies",
    "HopNetwork",
    "JumpChain",
    "VacancyTracer",
    "find_hops",
    "solve_diffusivity",
    "solve_vacancy_tracer",
    "solve_walker_diffusivity",
    "walker_chain",
]
