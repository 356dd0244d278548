from __future__ import annotations

import pytest

from refinery.filters.config import LineRules
from refinery.filters.lines import line_edits, removed_word_fractions
from refinery.text.batch import TextBatch
from refinery.text.edits import apply_edits
from refinery.text.marked_edit import MarkedEdit


def edits_of(text: str, rules: LineRules) -> list[MarkedEdit]:
    # A text before and behind: no line may reach over the border.
    return line_edits(TextBatch.of(["x", text, "y"]), (rules,)).edits[1]


def kept(text: str, rules: LineRules) -> str:
    return apply_edits(text, [one.edit for one in edits_of(text, rules)])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A line without a mark", "c4:no_terminal_mark"),
        ("It goes on and on...", "c4:no_terminal_mark"),
        ("Please enable JavaScript to view this page.", "c4:javascript"),
        ("Read our privacy policy for the details.", "c4:policy"),
        ("Too short.", "c4:few_words"),
    ],
)
def test_c4_drops_the_line_and_says_why(line: str, reason: str) -> None:
    text = f"The first line stays here.\n{line}\nThe last line stays too."

    edits = edits_of(text, "c4")

    assert [one.reason for one in edits] == [reason]
    assert kept(text, "c4") == "The first line stays here.\nThe last line stays too."


def test_c4_counts_words_between_blanks_and_chinese_characters() -> None:
    fine = "a - b\n今天好\n今，天 好\n\n  three of them  "
    short = "two words\n今天\n- \n今，b"

    assert edits_of(fine, "c4_without_marks") == []
    found = line_edits(TextBatch.of([short]), ("c4_without_marks",))
    assert found.counts == [{"c4:few_words": 4}]


def test_neighbours_leave_in_one_edit_and_blank_lines_stay() -> None:
    # However many lines a hostile page has, its edits are few.
    text = "a\n" * 100_000 + "\nb\nthree words here\nc"

    found = line_edits(TextBatch.of([text]), ("c4_without_marks",))

    assert [one.edit for one in found.edits[0]] == [
        (0, 200_000, ""), (200_001, 200_003, ""), (200_020, 200_021, ""),
    ]  # fmt: skip
    assert found.counts == [{"c4:few_words": 100_002}]


def test_a_phrase_in_one_line_leaves_the_others() -> None:
    text = "我们使用Cookie来改进服务。\nTHIS USES COOKIES, it says.\nNothing is here of that."

    assert kept(text, "c4_without_marks") == "Nothing is here of that."


def test_c4_keeps_chinese_lines_with_chinese_marks() -> None:
    text = "今天天气很好。\n我们去公园吗？\n首页 登录 注册"

    assert kept(text, "c4") == "今天天气很好。\n我们去公园吗？\n"


def test_c4_strips_citations_where_they_stand() -> None:
    text = "  It is known[12] to be so[citation needed]."

    assert kept(text, "c4") == "  It is known to be so."


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("BUY NOW ALL OF IT", "refinedweb:upper_case"),
        ("20240101", "refinedweb:digits"),
        ("3 likes", "refinedweb:counter"),
        ("1.2万 次阅读", "refinedweb:counter"),
        ("Home", "refinedweb:one_word"),
    ],
)
def test_refinedweb_drops(line: str, reason: str) -> None:
    assert [one.reason for one in edits_of(f"Some good text here.\n{line}", "refinedweb")] == [
        reason
    ]


def test_refinedweb_trims_short_lines() -> None:
    assert kept("0 items in cart and more words", "refinedweb") == " and more words"
    assert kept("An interesting story Read more...", "refinedweb") == "An interesting story "


def test_share_of_removed_words() -> None:
    text = "one two three four\nHome\nfive six seven"

    batch = TextBatch.of(["stays as it is", text, ""])

    edits = line_edits(batch, ("refinedweb", "refinedweb")).edits

    # Cut twice by two sets of rules, the word is gone once.
    assert len(edits[1]) == 2
    assert removed_word_fractions(batch, edits).tolist() == [0, 1 / 8, 0]
