from __future__ import annotations

import pytest

from refinery.normalize.codes import replace_codes
from refinery.normalize.gate import scan
from refinery.normalize.talk import Block, is_code, is_code_as_a_whole, split_runs


def test_blocks_make_up_the_whole_text() -> None:
    text = "one\ntwo\n\n\n```\na\n\nb\n```\nthree\n\n    four\r\n"

    runs = split_runs(text)

    assert "".join(run.text for run in runs) == text
    assert [text[run.start :].startswith(run.text) for run in runs] == [True] * len(runs)


@pytest.mark.parametrize(
    "line",
    [
        "x = items[0]", "f(x)", "return a;", "#include <stdio.h>", "a::b", "a != b", "<br/>", "`ls`",
        "see $HOME", r"\alpha", "∑ over i", "12:00 ERROR it failed, you know", "run it --fast", "my_name",
    ],
)  # fmt: skip
def test_a_sign_of_code_in_one_line_makes_its_block_code(line: str) -> None:
    first, _, second = split_runs(f"thanks to you\n{line}\n\nthanks to you\n")

    assert is_code(first, None)
    assert not is_code(second, None)
    assert Block(second.text).is_talk


@pytest.mark.parametrize("line", ["Thanks a lot", "see you", "好吧", "谢谢", "我到了", "太好了！"])
def test_words_that_speak_to_somebody_make_talk(line: str) -> None:
    (run,) = split_runs(line)

    assert not is_code(run, None)
    assert Block(run.text).is_talk


@pytest.mark.parametrize(
    "line", ["The council met in May.", "我国的河流", "附件一（共三份）", "file(s) of May"]
)
def test_other_prose_is_neither(line: str) -> None:
    (run,) = split_runs(line)

    assert not is_code(run, None)
    assert not Block(run.text).is_talk


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("谢谢你[doge]\n", True),
        ("x = a[doge];\n", False),
        ("x = 1;\n谢谢你[doge]\n", False),
        ("x = 1;\n\n谢谢你[doge]\n", True),
        ("x = 1;\ny = 2;\nz = 3;\n\n谢谢你[doge]\n", False),  # a source file as a whole
        ("```\nx = 1;\ny = 2;\nz = 3;\n```\n\n谢谢你[doge]\n", True),
        ("```\n谢谢你[doge]\n```\n", False),
        ("    谢谢你[doge]\n", False),
        ("谢谢你[doga]\n", False),
        ("谢谢\n", False),
        ("", False),
    ],
)
def test_only_what_stands_in_no_code_changes(text: str, *, changed: bool) -> None:
    plain = text.replace("[doge]", "[狗头]") if changed else text

    assert replace_codes(text, scan(text)) == (plain, int(changed))


def test_a_text_of_few_code_lines_is_no_source_file() -> None:
    assert not is_code_as_a_whole(split_runs("a;\nb;\nwords\n"), None)
    assert is_code_as_a_whole(split_runs("a;\nb;\nc;\nwords\n"), None)
    assert not is_code_as_a_whole(split_runs("a;\nb;\nc;\n" + "words\n" * 12), None)
