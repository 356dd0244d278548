"""How pages are read and compared with what their commands print."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pages import Command, PageRun, commands_of, read_blocks, same_words


def test_blocks_have_a_language_options_and_a_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```yaml file=a.yaml\nkey: 1\n```\n\n```console\n$ ls\n```\n")

    first, second = read_blocks(page)

    assert (first.language, first.options, first.text, first.line) == (
        "yaml",
        {"file": "a.yaml"},
        "key: 1\n",
        3,
    )
    assert (second.language, second.options, second.line) == ("console", {}, 7)


def test_commands_go_on_over_lines_and_have_their_output() -> None:
    text = "$ one \\\n    --more\nsays\nthis\n$ two\n"

    assert list(commands_of(text)) == [
        Command("one \\\n    --more", "says\nthis\n"),
        Command("two", ""),
    ]


@pytest.mark.parametrize(
    ("shown", "printed", "is_same"),
    [
        ("clean  8.4 s  rows 1,228", "clean 12.0 s rows 9", True),
        ("root fac354103419cf40", "root 0123456789abcdef", True),
        ("│ news │ 7.1 │", "┃ news ┃   8.25 ┃\n", True),
        ("first\n...\nlast", "first\nwhatever\nlast\n", True),
        ("clean 8.4 s", "dedup 8.4 s", False),
        ("all", "all of it", False),
    ],
)
def test_numbers_and_frames_may_differ_and_words_may_not(
    shown: str, printed: str, *, is_same: bool
) -> None:
    assert same_words(shown, printed) is is_same


@pytest.mark.parametrize("page", ["add_a_rule.md", "add_an_objective.md"])
def test_the_diffs_of_a_tutorial_apply_to_the_code_of_today(page: str, tmp_path: Path) -> None:
    names = PageRun(f"tutorials/{page}", tmp_path).apply_diffs()

    assert len(names) >= 4
