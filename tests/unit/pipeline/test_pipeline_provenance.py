"""Every contract names what it was made from, by the hash of its content."""

import shutil
from pathlib import Path

import pytest
from pipeline_toys import TOY_LADDER, Number, save_number, toy_recipe
from synthetic_run import make_design

from scalebridge.contracts import Contract, ElectrodeDesign, MaterialCard, RateCapability, Solution
from scalebridge.pipeline import LADDER, Stage, StageContext, StageError, run_stages
from scalebridge.pipeline.sections import ElectrodeSection
from scalebridge.pipeline.units import UnitStore


def stage_context(name: str, run: Path, tmp_path: Path) -> StageContext:
    """Return the context of one stage of the ladder on a finished run; its outputs go to ``tmp_path``."""
    (stage,) = [stage for stage in LADDER if stage.name == name]
    design = make_design().save(tmp_path / "design.json")
    electrode = ElectrodeSection(design=str(design), c_rates=(20.0,), shells=12)
    units = UnitStore(tmp_path / "units", "key")
    units.open()
    return StageContext(
        stage=stage,
        recipe=toy_recipe(tmp_path).model_copy(update={"electrode": electrode}),
        recipe_hash="",
        folder=tmp_path,
        run_folder=run,
        unit_store=units,
    )


def test_the_card_names_all_it_gathers(
    synthetic_run_folder: Path, synthetic_contracts: dict[str, Contract], tmp_path: Path
) -> None:
    context = stage_context("card", synthetic_run_folder, tmp_path)
    context.stage.compute(context)
    card = MaterialCard.load(tmp_path / "material_card.json")
    parts = [part for name in MaterialCard.model_fields if isinstance(part := getattr(card, name), Contract)]
    assert len(parts) == 8
    assert sorted(card.provenance.parents.values()) == sorted(part.content_hash for part in parts)
    by_path = {name: contract.content_hash for name, contract in synthetic_contracts.items()}
    for name, digest in card.provenance.parents.items():
        assert digest == by_path["host/host.json" if name == "host" else f"{name}.json"]
    remarks = [remark for part in parts for remark in part.validity.remarks]
    assert remarks
    assert card.validity.remarks == tuple(dict.fromkeys(remarks))


def test_discharges_name_card_and_design_and_the_design_nothing(
    synthetic_run_folder: Path,
    synthetic_contracts: dict[str, Contract],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "scalebridge.pipeline.stages.electrode.load_design",
        lambda _, provenance: make_design().model_copy(update={"provenance": provenance}),
    )
    context = stage_context("electrode", synthetic_run_folder, tmp_path)
    context.stage.compute(context)
    design = ElectrodeDesign.load(tmp_path / "electrode_design.json")
    assert design.provenance.parents == {}
    expected = {
        "card/material_card": synthetic_contracts["card/material_card.json"].content_hash,
        "electrode_design": design.content_hash,
    }
    assert RateCapability.load(tmp_path / "rate_capability.json").provenance.parents == expected
    solutions = sorted(tmp_path.glob("solution_*.json"))
    assert len(solutions) == 5
    assert all(Solution.load(path).provenance.parents == expected for path in solutions)


def test_loading_after_all_parents_were_named_is_refused(tmp_path: Path) -> None:
    def early(context: StageContext) -> None:
        provenance = context.provenance()
        context.save(Number(provenance=provenance, value=context.load("base", Number).value))

    def in_parts(context: StageContext) -> None:
        before = context.provenance({})
        assert before.parents == {}
        save_number(context, context.load("base", Number).value)

    recipe = toy_recipe(tmp_path)
    base = TOY_LADDER[0]
    stage = Stage("late", early, parents=("base",))
    with pytest.raises(StageError, match=r"'late' loads base/number after .*; load first"):
        run_stages(recipe, tmp_path / "run", (base, stage))
    shutil.rmtree(tmp_path / "run" / "late")
    run_stages(recipe, tmp_path / "run", (base, Stage("late", in_parts, parents=("base",))))
    late = Number.load(tmp_path / "run" / "late" / "number.json")
    assert list(late.provenance.parents) == ["base/number"]
