"""The documentation's links lead somewhere, its sources are known, its Python runs."""

import re
import runpy
from pathlib import Path

import pytest

from scalebridge.foundation.citations import entries
from scalebridge.pipeline import LADDER

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def test_there_are_pages() -> None:
    assert len(PAGES) > 30


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    local = [target for target in targets if not target.startswith("http")]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_page_is_reached_from_the_start() -> None:
    seen: set[Path] = set()
    queue = [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)#]+)\)", page.read_text())
        queue += [(page.parent / target).resolve() for target in targets if not target.startswith("http")]
    assert set((ROOT / "docs").rglob("*.md")) <= seen


def test_sources_named_in_the_theory_are_in_the_bibliography() -> None:
    text = "\n".join(page.read_text() for page in (ROOT / "docs" / "theory").glob("*.md"))
    groups = re.findall(r"\[([a-z]+\d{4}[a-z]*(?:, [a-z]+\d{4}[a-z]*)*)\]", text)
    keys = {key for group in groups for key in group.split(", ")}
    assert len(keys) > 15
    assert keys <= set(entries())


def test_the_table_of_stages_is_the_ladder() -> None:
    rows = re.findall(
        r"^\| (\w+) \|", (ROOT / "docs" / "index.md").read_text().split("## The ladder")[1], re.M
    )
    assert rows[1:] == [stage.name for stage in LADDER]


@pytest.mark.parametrize("page", ["tutorials/first-run.md", "how-to/read-a-card.md"])
def test_python_of_the_documentation_runs(
    page: str, synthetic_run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").mkdir()
    for name in ("mnhcf-quick", "lfp-quick"):
        (tmp_path / "runs" / name).symlink_to(synthetic_run_folder)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.S)
    assert blocks
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "script.py"
    script.write_text("\n".join(blocks))
    runpy.run_path(str(script))
