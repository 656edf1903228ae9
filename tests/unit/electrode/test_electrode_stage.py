"""The stage warns of particles whose interface is wider than the material's."""

from types import SimpleNamespace

import pytest

from scalebridge.contracts import Contract, MaterialCard
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
