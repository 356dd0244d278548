"""Every link of a page leads somewhere, and the index leads to every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages import FENCE, ROOT
from tools.settings_page import anchor

DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Files of the repository that a page names in code marks; runs and examples of paths are others.
FILE = re.compile(r"`((?:benchmarks|examples|jobs|refinery|schemas|tests|tools|train)/[\w./-]*)`")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def names_of(pages: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in pages]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def links(page: Path) -> Iterator[str]:
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page))):
        if not target.startswith(("http://", "https://", "mailto:")):
            yield target


def anchors(page: Path) -> set[str]:
    headings = HEADING.findall(prose(page))
    return {anchor(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=names_of(PAGES))
def test_relative_links_and_anchors_exist(page: Path) -> None:
    broken = []
    for link in links(page):
        file, _, wanted = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (wanted and wanted not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=names_of(PAGES))
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = {name.rstrip("/") for name in FILE.findall(prose(page))}

    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_the_index_leads_to_every_page() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in links(DOCS / "index.md")}
    pages = set(DOCS.glob("*.md")) | set((DOCS / "tutorials").glob("*.md"))

    assert sorted(names_of(list(pages - linked - {DOCS / "index.md"}))) == []


def test_the_list_of_decisions_is_complete() -> None:
    folder = DOCS / "decisions"
    pages = {path.name for path in folder.glob("0*.md")}

    assert set(links(folder / "README.md")) == pages


def test_anchors_are_those_of_the_web_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# How do I ...\n## recipe.dedup.bands_for\n```\n# no heading\n```\n")

    assert anchors(page) == {"how-do-i-", "recipededupbands_for"}
