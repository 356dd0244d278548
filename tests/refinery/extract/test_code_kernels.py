"""The kernel that tells which pieces of markup may be a button to copy."""

import pytest

from refinery.extract.code import may_copy, may_have_lines
from refinery.extract.scan.names import number_of
from refinery.extract.scan.read import read_tags
from refinery.extract.signs import SCANNED_WORDS


def test_buttons_are_looked_at_where_they_hold_a_word_for_copying() -> None:
    words = ["Copy", "COPIED!", "复制", "複製", "コピー", "복사", "Share", "分享", ""]
    tags = read_tags("".join(f"<button>{word}</button>" for word in words), SCANNED_WORDS).tags
    assert tags is not None

    assert may_copy(tags, tags.named(number_of("button"))) == [1 + 2 * i for i in range(6)]


def test_long_elements_are_no_buttons() -> None:
    tags = read_tags("<button>" + "copy " * 80 + "</button>", SCANNED_WORDS).tags
    assert tags is not None

    assert may_copy(tags, tags.named(number_of("button"))) == []


@pytest.mark.parametrize(
    ("inside", "may_be"),
    [
        ("a", False),
        ("a\nb", False),
        ("a\nb\nc", True),
        ("a<br>b", True),
        ("<i>a</i><b>b</b>", False),
        ("", False),
    ],
)
def test_code_with_lines_is_looked_at(inside: str, *, may_be: bool) -> None:
    tags = read_tags(f"<code>{inside}</code>", SCANNED_WORDS).tags
    assert tags is not None

    assert bool(may_have_lines(tags, tags.named(number_of("code")))) == may_be


def test_code_in_code_is_read_a_few_times_at_most() -> None:
    tags = read_tags("<code>" * 30 + "a" * 400, SCANNED_WORDS).tags
    assert tags is not None
    codes = tags.named(number_of("code"))

    found = may_have_lines(tags, codes)

    assert 0 < len(found) < 30
    assert found == codes[-len(found) :].tolist()
