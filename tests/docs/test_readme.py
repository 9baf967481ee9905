"""What the pages say is there: commands, targets, links, settings."""

import re
import subprocess
from pathlib import Path

import pytest
import typer.main

from app.cli import app
from app.settings import ROOT, Settings

PAGES = sorted(
    page for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if "node_modules" not in page.parts
)
COMMANDS = typer.main.get_command(app)


def of(pattern: str) -> list[tuple[str, str]]:
    return [
        (page.name, found)
        for page in PAGES
        for found in re.findall(pattern, page.read_text("utf-8"), re.MULTILINE)
    ]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(there), f"{page.name} links to {target}"


def test_every_make_target_that_a_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = of(r"(?:`|^\s*|&& |=\S+ )make ([a-z]+)")
    assert len(named) > 10
    assert [(page, name) for page, name in named if name not in targets] == []


def test_every_command_that_a_page_names_is_there() -> None:
    named = of(r"(?:`|^|\| |&& |bin/)shuitu ((?:[a-z]+ ?)+(?:--[a-z-]+)?)")
    assert len(named) > 10
    missing = []
    for page, words in named:
        at = COMMANDS
        for word in words.split():
            inner = getattr(at, "commands", {}).get(word)
            if inner is None and hasattr(at, "commands"):
                missing.append((page, words))
                break
            if word.startswith("--"):
                if not any(word in option.opts for option in at.params):
                    missing.append((page, words))
            elif inner is not None:
                at = inner
    assert missing == []


def test_every_setting_that_a_page_names_is_there() -> None:
    known = {f"SHUITU_{name.upper()}" for name in Settings.model_fields} | {"SHUITU_PASSWORD"}
    assert [(page, name) for page, name in of(r"\b(SHUITU_[A-Z_]+[A-Z])\b") if name not in known] == []


def test_every_benchmark_that_the_page_names_is_there() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    named = set(re.findall(r"benchmarks[. ]([a-z_]+)\b", page))
    there = {file.parent.name for file in ROOT.glob("benchmarks/*/__main__.py")}
    assert named - {"md"} <= there
    assert there <= named, "a benchmark without a line in docs/benchmarks.md"


def test_every_decision_is_in_the_list() -> None:
    listed = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    assert [file.name for file in ROOT.glob("docs/adr/0*.md") if file.name not in listed] == []


def test_every_document_can_be_reached_from_the_index() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        todo += [
            (page.parent / link.partition("#")[0]).resolve()
            for link in re.findall(r"\]\(([^)\s:]+)\)", page.read_text("utf-8"))
        ]
    assert {str(page.relative_to(ROOT)) for page in PAGES} <= {str(page.relative_to(ROOT)) for page in seen}


def test_no_page_names_a_place_of_this_machine() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.md", "Makefile", "Dockerfile", "scripts", ".ci"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tracked.returncode:
        pytest.skip("not a git checkout")
    bad = re.compile(r"(?<![\w.])/(?:work|root|home)/\w")
    assert [name for name in tracked.stdout.split() if bad.search((ROOT / name).read_text("utf-8"))] == []
