"""Sweeps over sizes: what changes with them, and that nothing else does."""

import pytest

from scalebridge.contracts import (
    Contract,
    ElectrodeDesign,
    ListedSizes,
    LognormalSizes,
    MaterialCard,
    Sourced,
)
from scalebridge.electrode import rate_capability, resized, size_sweep
from scalebridge.foundation import InputError


def sourced(value: float) -> Sourced:
    return Sourced(value=value, source="test")


@pytest.fixture
def card(synthetic_contracts: dict[str, Contract]) -> MaterialCard:
    found = synthetic_contracts["card/material_card.json"]
    assert isinstance(found, MaterialCard)
    return found


@pytest.fixture
def design(synthetic_contracts: dict[str, Contract]) -> ElectrodeDesign:
    found = synthetic_contracts["electrode/electrode_design.json"]
    assert isinstance(found, ElectrodeDesign)
    return found


def with_particles(design: ElectrodeDesign, **changes: object) -> ElectrodeDesign:
    return design.model_copy(update={"particles": design.particles.model_copy(update=changes)})


def test_every_length_of_the_particles_scales(design: ElectrodeDesign) -> None:
    double = 2 * float(design.particles.size)
    spread = LognormalSizes(form="lognormal", standard_deviation=sourced(2e-8), particles_per_volume=3)
    wide = resized(with_particles(design, distribution=spread), double).particles
    assert float(wide.size) == double
    assert isinstance(wide.distribution, LognormalSizes)
    assert float(wide.distribution.standard_deviation) == pytest.approx(4e-8)
    listed = ListedSizes(form="list", sizes=(5e-8, 1e-7), volume_shares=(1.0, 3.0), source="test")
    scaled = resized(with_particles(design, distribution=listed), double).particles.distribution
    assert isinstance(scaled, ListedSizes)
    # 1/4 · 50 nm + 3/4 · 100 nm = 87.5 nm by volume
    assert scaled.sizes == pytest.approx((double * 5e-8 / 87.5e-9, double * 1e-7 / 87.5e-9))
    assert scaled.volume_shares == listed.volume_shares
    platelet = with_particles(design, kind="allen-cahn", shape="plate", length=sourced(3e-7))
    assert float(resized(platelet, double).particles.length or 0.0) == pytest.approx(6e-7)


def test_each_size_is_its_own_capability(card: MaterialCard, design: ElectrodeDesign) -> None:
    """The sweep's results are those of separate runs, in the order asked for, and one map runs them all."""
    units: list[int] = []

    def counted(function, tasks):  # type: ignore[no-untyped-def]
        tasks = list(tasks)
        units.append(len(tasks))
        return map(function, tasks)

    options = {"provenance": design.provenance, "members": (0, 2), "shells": 15}
    sizes = (2e-7, 1e-7)
    swept = size_sweep(card, design, sizes, (10.0, 20.0), map=counted, **options)
    assert units == [8]
    for size, (summary, solutions) in zip(sizes, swept, strict=True):
        alone, its_solutions = rate_capability(card, resized(design, size), (10.0, 20.0), **options)
        assert summary.model_dump_json() == alone.model_dump_json()
        assert [s.model_dump_json() for s in solutions] == [s.model_dump_json() for s in its_solutions]


def test_sizes_must_be_positive(card: MaterialCard, design: ElectrodeDesign) -> None:
    for sizes in ((), (1e-7, 0.0)):
        with pytest.raises(InputError, match="must be one or more positive numbers"):
            size_sweep(card, design, sizes, (1.0,), provenance=design.provenance)


def test_an_electrolyte_that_runs_out_is_no_failure_of_the_solver(
    card: MaterialCard, design: ElectrodeDesign
) -> None:
    """At 20C the depths of this electrode are without salt before the voltage reaches its cutoff."""
    wide = resized(design, 2e-7)
    summary, (solution,) = rate_capability(
        card, wide, (20.0,), provenance=design.provenance, members=(3,), shells=30
    )
    assert solution.termination == "electrolyte depletion"
    assert "ran out of salt" in solution.status
    assert solution.fields["concentration"].values[-1].min() < 1.0
    assert summary.finished.all()
    assert summary.validity.remarks[-1] == f"member 3, {solution.status}"


def test_an_empty_list_of_sizes_is_refused() -> None:
    with pytest.raises(ValueError, match="give one or more sizes, or no distribution"):
        ListedSizes(form="list", sizes=(), source="test")
