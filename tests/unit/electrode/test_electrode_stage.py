"""What the stage warns of: widened interfaces, and discharges that are not what they seem."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from particle_models import particle
from scalebridge.contracts import Contract, MaterialCard
from scalebridge.foundation import InterfaceError
from scalebridge.pipeline.sections import ElectrodeSection
from scalebridge.pipeline.stages import electrode as stage


@pytest.mark.parametrize("coherent", [True, False])
def test_a_widened_interface_is_a_warning(
    synthetic_contracts: dict[str, Contract], monkeypatch: pytest.MonkeyPatch, coherent: bool
) -> None:
    """Coherency closes the gap of these members: no interface, no warning."""
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    interfaces = card.interfaces.model_copy(update={"gradient_energy": 0 * card.interfaces.gradient_energy})
    card = card.model_copy(update={"interfaces": interfaces})
    particles = design.particles.model_copy(update={"coherent": coherent})
    design = design.model_copy(update={"particles": particles})
    monkeypatch.setattr(stage, "load_design", lambda path, provenance: design)
    monkeypatch.setattr(stage, "rate_capability", lambda *args, **options: ("summary", ()))
    warned: list[str] = []
    recipe = SimpleNamespace(electrode=ElectrodeSection(), host=SimpleNamespace(name="lfp"))
    context = SimpleNamespace(
        recipe=recipe,
        load=lambda name, contract: card,
        provenance=lambda parents: None,
        save=lambda *args: None,
        warn=warned.append,
    )
    stage.compute(context)
    assert len(warned) == (0 if coherent else 1)
    if not coherent:
        assert warned[0].startswith("members 0, 1, 2, 3, 4: the card has no stable interface (κ = 0)")


def test_members_without_an_interface_are_left_out(
    synthetic_contracts: dict[str, Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    """κ = 0 beside a gap: members 1 and 3 are named and left out; member 0, the best estimate, is refused."""
    card = synthetic_contracts["card/material_card.json"]
    design = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(card, MaterialCard)
    design = design.model_copy(update={"particles": design.particles.model_copy(update={"coherent": False})})
    monkeypatch.setattr(stage, "load_design", lambda path, provenance: design)
    asked: list[tuple[int, ...]] = []

    def capability(*arguments: Any, members: tuple[int, ...], **options: Any) -> tuple[str, tuple[()]]:
        asked.append(members)
        return "summary", ()

    monkeypatch.setattr(stage, "rate_capability", capability)

    def warnings(*without: int) -> list[str]:
        gradient = np.full_like(card.interfaces.gradient_energy, 1e-8)
        gradient[list(without)] = 0.0
        interfaces = card.interfaces.model_copy(update={"gradient_energy": gradient})
        warned: list[str] = []
        context = SimpleNamespace(
            recipe=SimpleNamespace(electrode=ElectrodeSection(shells=60), host=SimpleNamespace(name="lfp")),
            load=lambda name, contract: card.model_copy(update={"interfaces": interfaces}),
            provenance=lambda parents: None,
            save=lambda *args: None,
            warn=warned.append,
        )
        stage.compute(cast(Any, context))
        return warned

    assert warnings() == []
    (text,) = warnings(1, 3)
    assert text.startswith("members 1, 3 are left out: their free energy has a miscibility gap")
    assert asked == [(0, 1, 2, 3, 4), (0, 2, 4)]
    with pytest.raises(InterfaceError, match=r"gradient energy 0 J/m: .* give κ"):
        warnings(0, 2)


def context() -> Any:
    said: list[str] = []
    recipe = SimpleNamespace(electrode=ElectrodeSection(c_rates=(0.1, 5.0)))
    return cast(Any, SimpleNamespace(warn=said.append, said=said, recipe=recipe))


def solution(filling: list[float], voltage: list[float], *, member: int = 0, c_rate: float = 0.1) -> Any:
    fields = {
        name: SimpleNamespace(values=np.array(values))
        for name, values in (("filling", filling), ("voltage", voltage))
    }
    return SimpleNamespace(fields=fields, member=member, c_rate=c_rate, finished=True)


def test_a_start_inside_the_spinodal_is_named_with_its_members() -> None:
    here, separating, mixing = context(), particle(4.0), particle(1.0)
    stage._warn_of_unstable_start(here, {0: separating, 1: mixing}, 0.1)
    assert here.said == []
    stage._warn_of_unstable_start(here, {0: mixing, 3: separating}, 0.2)
    (text,) = here.said
    assert "initial_theta 0.2 is unstable in members 3 (0.146 … 0.854)" in text


def test_a_discharge_that_ends_at_once_is_named() -> None:
    here = context()
    stage._warn_of_early_ends(here, [solution([0.01, 0.5], [3.0, 2.0]), solution([0.01, 0.02], [3.0, 2.0])])
    assert here.said == []
    stage._warn_of_early_ends(here, [solution([0.01, 0.0101], [3.0, 2.9], member=4, c_rate=5.0)])
    (text,) = here.said
    assert text.startswith("less than 1% was filled until the cutoff in members 4 at 5C")


def test_the_mean_voltage_at_the_lowest_rate_is_held_against_equilibrium() -> None:
    """A symmetric free energy: the mean over a symmetric window is −μ°/e, whatever the gap."""
    model = particle(4.0)
    mean = model.mean_voltage
    assert model.average_voltage(0.01, 0.99) == pytest.approx(mean, abs=1e-6)
    theta = np.linspace(0.02, 0.4, 20001)
    numerical = np.trapezoid(model.equilibrium_voltage(theta), theta) / 0.38
    assert model.average_voltage(0.02, 0.4) == pytest.approx(numerical, abs=1e-7)

    here = context()
    close = solution([0.01, 0.99], [mean - 0.015] * 2)
    stage._warn_of_hysteresis(here, [close, solution([0.01, 0.99], [mean - 0.3] * 2, c_rate=5.0)], {0: model})
    assert here.said == []
    far = solution([0.01, 0.99], [mean - 0.125] * 2, member=1)
    stage._warn_of_hysteresis(here, [close, far], {0: model, 1: model})
    (text,) = here.said
    assert "at 0.1C the mean voltage of separating particles lies 15 … 125 mV below equilibrium" in text
    mixing = context()
    stage._warn_of_hysteresis(mixing, [far], {1: particle(1.0)})
    assert mixing.said == []
