from __future__ import annotations

import pytest

from refinery.normalize.talk import may_change, split_blocks


def test_blocks_make_up_the_whole_text() -> None:
    text = "one\ntwo\n\n\n```\na\n\nb\n```\nthree\n\n    four\r\n"

    assert "".join(block.text for block in split_blocks(text, None)) == text


@pytest.mark.parametrize(
    "line",
    [
        "x = items[0]", "f(x)", "return a;", "#include <stdio.h>", "a::b", "a != b", "<br/>", "`ls`",
        "see $HOME", r"\alpha", "∑ over i", "12:00 ERROR it failed, you know", "run it --fast", "my_name",
    ],
)  # fmt: skip
def test_a_sign_of_code_in_one_line_makes_its_block_code(line: str) -> None:
    first, _, second = split_blocks(f"thanks to you\n{line}\n\nthanks to you\n", None)

    assert (first.is_code, first.is_talk) == (True, False)
    assert (second.is_code, second.is_talk) == (False, True)


@pytest.mark.parametrize("line", ["Thanks a lot", "see you", "好吧", "谢谢", "我到了", "太好了！"])
def test_words_that_speak_to_somebody_make_talk(line: str) -> None:
    assert [block.is_talk for block in split_blocks(line, None)] == [True]


@pytest.mark.parametrize(
    "line", ["The council met in May.", "我国的河流", "附件一（共三份）", "file(s) of May"]
)
def test_other_prose_is_neither(line: str) -> None:
    assert [(block.is_code, block.is_talk) for block in split_blocks(line, None)] == [
        (False, False)
    ]


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("thanks [ok]\n", True),
        ("x = a[ok];\n", False),
        ("x = 1;\nthanks [ok]\n", False),
        ("x = 1;\n\nthanks [ok]\n", True),
        ("```\nthanks [ok]\n```\n", False),
        ("    thanks [ok]\n", False),
        ("thanks\n", False),
        ("", False),
    ],
)
def test_only_what_stands_in_no_code_may_change(text: str, *, is_found: bool) -> None:
    assert may_change(text, None, lambda part: "[ok]" in part) == is_found
