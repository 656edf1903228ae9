"""What readers must know of interfaces that are wider than the material's, or coarse on their grid."""

from collections.abc import Mapping

from scalebridge.particle.model import ParticleModel
from scalebridge.particle.resolution import ENERGY_ERROR, SHELL_LIMIT, SHELLS_PER_INTERFACE, shells_for


def state_resolution(models: Mapping[int, ParticleModel]) -> list[str]:
    """Say, by committee member, which models have a larger κ than their material, or a coarse grid."""
    own = {
        member: model.material_gradient_energy
        for member, model in models.items()
        if model.material_gradient_energy is not None
    }
    thin = [member for member, kappa in own.items() if kappa > 0]
    unstable = [member for member, kappa in own.items() if kappa == 0]
    sentences = []
    if thin:
        given = _range([own[member] for member in thin])
        ratios = [models[member].gradient_energy / own[member] for member in thin]
        sentences.append(
            f"{_members(thin)}: the card's κ of {given} J/m makes an interface too thin for {SHELL_LIMIT} "
            f"shells in a particle; it is {_used(models, thin)}, {_range(ratios)} times the card's, and its "
            f"energy {_range([ratio**0.5 for ratio in ratios])} times the material's"
        )
    if unstable:
        sentences.append(
            f"{_members(unstable)}: the card has no stable interface (κ = 0), the free energy a gap; "
            f"the interface is numerical, {_used(models, unstable)}"
        )
    coarse = [member for member, model in models.items() if _coarseness(model) > 1.0 / SHELLS_PER_INTERFACE]
    if coarse:
        ratios = [_coarseness(models[member]) for member in coarse]
        errors = [100 * ENERGY_ERROR * ratio**2 for ratio in ratios]
        wanted = max(
            shells_for(models[member].extent, models[member].resolved_length, limit=10**9)
            for member in coarse
        )
        sentences.append(
            f"{_members(coarse)}: shells are {_range(ratios)} interface lengths wide, so the interface's "
            f"energy is about {_range(errors)} % off and the grid pins it; {wanted} shells leave 0.6 %"
        )
    return sentences


def _coarseness(model: ParticleModel) -> float:
    """Return h/ℓ, 0 where no interface has to be resolved."""
    if model.kind == "homogeneous" or model.unstable_interval() is None:
        return 0.0
    return model.grid.spacing / model.resolved_length


def _members(numbers: list[int]) -> str:
    return f"member{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _used(models: Mapping[int, ParticleModel], members: list[int]) -> str:
    kappas = [models[member].gradient_energy for member in members]
    lengths = [models[member].resolved_length for member in members]
    return f"{_range(lengths)} m wide, of κ = {_range(kappas)} J/m"


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} … {high}"
