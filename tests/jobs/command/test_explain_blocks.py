"""The blocks of a page as `refinery explain --html` shows them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobs.command.explain_blocks import MOST_BLOCKS, show_blocks
from jobs.command.explain_file import Explained, explain_file
from jobs.command.explain_page import render_page
from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.extract.config import ExtractConfig

PROSE = "The lake was calm in the morning of that day, and nobody went out on the ice. " * 4
NAMED = (
    "<html><body><nav><ul><li><a href=/>Home</a><li><a href=/b>&lt;img src=x onerror=alert(1)&gt;</a></ul></nav>"
    f"<main><article><h1>Ice</h1><p>{PROSE}</p><p>{PROSE[::-1]}</p><pre>a &lt; b</pre></article></main></body></html>"
)


def explained(folder: Path, page: str) -> Explained:
    path = folder / "page.html"
    path.write_text(page, "utf-8")
    with Cleaner(CleanConfig(), {}) as cleaner:
        return explain_file(cleaner, str(path))


def test_each_block_is_shown_with_its_probability_and_whether_it_was_kept(tmp_path: Path) -> None:
    shown = render_page([explained(tmp_path, NAMED)])

    lines = re.findall(r'<p class="(\w+)[^"]*"><b>(\d\.\d\d)</b> (.*?) <i>(.*?)</i>', shown, re.S)
    by_text = {text: (state, path) for state, _, text, path in lines}
    assert len(lines) == 6
    assert by_text[PROSE.strip()] == ("kept", "body › main › article › p")
    assert by_text["Home"] == ("cut", "body › nav › ul › li")
    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in by_text
    assert "src=" not in re.sub(r"&lt;.*?&gt;", "", shown)


def test_a_wall_is_shown_with_what_stands_on_it(tmp_path: Path) -> None:
    found = explained(tmp_path, "<body><h1>Sign in</h1><p>Sign in to continue.</p>")

    shown = render_page([found])

    assert "rejected: page:login" in shown
    assert "Blocks of the page: " in shown


@pytest.mark.parametrize("page", ["<body><img src=a>", "<body><script>x</script>"])
def test_a_page_without_blocks_says_so(tmp_path: Path, page: str) -> None:
    shown = show_blocks(explained(tmp_path, page), ExtractConfig())

    assert shown.endswith("<p>The page shows no text.</p>")


def test_what_another_engine_read_or_what_broke_a_bound_is_not_read_again(tmp_path: Path) -> None:
    found = explained(tmp_path, "<div>" * 3_000)

    assert found.row["drop_reason"] == "page:depth"
    assert show_blocks(found, ExtractConfig()) == ""
    assert show_blocks(explained(tmp_path, NAMED), ExtractConfig(engine="plain")) == ""


def test_a_page_of_very_many_blocks_is_cut_short(tmp_path: Path) -> None:
    shown = show_blocks(explained(tmp_path, "<p>x" * (MOST_BLOCKS + 7)), ExtractConfig())

    assert "7 more blocks" in shown
    assert shown.count("<p class=") == MOST_BLOCKS
