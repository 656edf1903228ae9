"""The page holds everything, stands alone, and names what a partial run lacks."""

import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from synthetic_run import fail, make_solution

from scalebridge.contracts import SOLVER_FAILURE, Contract, MaterialCard, RateCapability
from scalebridge.foundation import InputError
from scalebridge.pipeline import LADDER, Manifest
from scalebridge.report import write_report

RATE_CAPABILITY = "electrode/rate_capability.json"
SECTIONS = (
    "run",
    "potential",
    "thermodynamics",
    "transport",
    "interfaces",
    "electrode",
    "citations",
    "provenance",
)


class Page(HTMLParser):
    """Collects references, ids, text and unclosed tags."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "action"):
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(synthetic_run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("full") / "run"
    shutil.copytree(synthetic_run_folder, folder)
    path = write_report(folder)
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_is_well_formed_and_refers_to_nothing_outside(page: Page) -> None:
    assert page.open == []
    assert page.references
    assert all(value.startswith(("data:image/svg+xml;base64,", "#")) for value in page.references)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    anchors = {value[1:] for value in page.references if value.startswith("#")}
    assert anchors <= set(page.ids)
    assert "@import" not in page.text
    assert "url(" not in page.text


def test_every_section_and_figure_is_there(page: Page) -> None:
    assert set(SECTIONS) <= set(page.ids)
    assert page.tags.count("figure") == 14
    assert "stage has not finished" not in page.text


@pytest.mark.parametrize(
    "text",
    [
        "C/10",
        "161.6 ± ",
        "3.42–3.45 V",
        "×/÷",
        "made up for tests",
        "LennardJones",
        "@article{novikov2021,",
        "only 3 temperatures where 5 were asked for",
        "40 held out, 1 set aside",
        "It ended: a full round passed",
        "8 (1)",
        "90",
        "an ion fell into the framework: Li and O are 0.9 Å apart",
        "their structures are in learning/dead_ends.extxyz",
        "5 min",
        "1.8 (3.8)",
        "toy <host>",
        "5 of 5",
        "In member 0, at C/10",
        "at 1C, member 0: phase boundary at θ = 0.5, the middle of the miscibility gap.",
    ],
)
def test_the_page_says(page: Page, text: str) -> None:
    assert text in page.text


@pytest.mark.parametrize("kept", [(), ("host",), ("host", "labels", "learning", "potential")])
def test_a_partial_run_names_what_is_missing(
    kept: tuple[str, ...], synthetic_run_folder: Path, tmp_path: Path
) -> None:
    shutil.copy(synthetic_run_folder / "recipe.toml", tmp_path)
    for stage in kept:
        shutil.copytree(synthetic_run_folder / stage, tmp_path / stage)
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    start = page.text.index("not run or not finished: ")
    named = page.text[start : page.text.index("; what needs them")].removeprefix("not run or not finished: ")
    assert set(named.split(", ")) == {stage.name for stage in LADDER} - set(kept)
    assert "No rate capability yet" in page.text


def test_failed_discharges_and_solid_solutions_are_said(
    synthetic_run_folder: Path, synthetic_contracts: dict[str, Contract], tmp_path: Path
) -> None:
    """No map of the failed discharge at 1C: that of the next rate, without a boundary to follow."""
    folder = tmp_path / "run"
    shutil.copytree(synthetic_run_folder, folder)
    card, rates = (synthetic_contracts[name] for name in ("card/material_card.json", RATE_CAPABILITY))
    assert isinstance(card, MaterialCard)
    assert isinstance(rates, RateCapability)
    fail(rates, (0, 1.0)).save(folder / RATE_CAPABILITY)
    for rate in (0.5, 1.0, 2.0):
        solution = make_solution(card, rate, 0, boundary_levels=() if rate != 1.0 else (0.84,))
        if rate == 1.0:
            solution = solution.model_copy(update={"termination": SOLVER_FAILURE})
        solution.save(folder / "electrode" / f"solution_m0_c{rate:g}.json")
    text = write_report(folder).read_text(encoding="utf-8")
    assert "left out, the solver failed: 1 of 5 members at 1C." in text
    assert "at C/2, member 0: no phase boundary: the particles are a solid solution" in text
    assert "Position of the phase boundary" not in text


def test_single_missing_file_and_damaged_file_are_named(synthetic_run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(synthetic_run_folder, folder)
    (folder / "transport" / "jump_diffusivity.json").unlink()
    (folder / "interfaces" / "interface_energies.json").write_text("{}")
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert "transport/jump_diffusivity.json is missing" in page.text
    assert "interfaces/interface_energies.json could not be read" in page.text
    assert "files of stage 'interfaces' were changed" in page.text
    assert "tracer D*" in page.text


def test_unsound_and_failed_stages_come_first(synthetic_run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(synthetic_run_folder, folder)
    manifest = Manifest.load(folder / "electrode")
    assert manifest is not None
    manifest.model_copy(update={"unsound": ("two of five solves failed",)}).save(folder / "electrode")
    text = write_report(folder).read_text(encoding="utf-8")
    first = text.index("<li")
    assert text[first:].startswith('<li class="grave">not sound: two of five solves failed')
    assert "done, not sound" in text


def test_an_unknown_citation_key_is_reported(
    synthetic_run_folder: Path, synthetic_contracts: dict[str, Contract], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(synthetic_run_folder, folder)
    host = synthetic_contracts["host/host.json"].model_copy(update={"citations": ("nobody1900",)})
    host.save(folder / "host" / "host.json")
    assert "unknown citation key 'nobody1900'" in Page(write_report(folder).read_text(encoding="utf-8")).text


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run folder \(it holds neither recipe\.toml nor a stage\)"):
        write_report(tmp_path)
