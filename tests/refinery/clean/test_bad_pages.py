"""Bad input ends in a reason or a counter, each its own, and the next page goes on."""

from __future__ import annotations

import json
import random

from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.clean.pages import CleanDocument, Payload, Rejected
from refinery.filters.config import PiiConfig, RulesConfig

GOOD = (
    b"<html><body><article><p>" + b"It is a page with some words. " * 20 + b"</p></article></body>"
)
CHINESE = "中文网页的内容应当正确地解码，标点也一样。" * 20


def outcomes(*payloads: tuple[bytes, str, str | None]) -> list[CleanDocument | Rejected]:
    rules = RulesConfig(lines=("c4", "refinedweb"), pii=PiiConfig(), max_removed_words=0.05)
    with Cleaner(CleanConfig(rules=rules), {}) as cleaner:
        return list(cleaner.clean([Payload(data, mime, label) for data, mime, label in payloads]))


def test_each_kind_of_bad_page_has_its_reason() -> None:
    noise = random.Random(0).randbytes(4000).replace(b"\0", b"a")
    bad = {
        "page:empty": (b"", "text/html", None),
        "page:binary": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + noise, "text/html", None),
        "page:not_html": (json.dumps([{"text": "words"}] * 50).encode(), "text/html", None),
        "page:undecodable": (noise, "text/plain", "utf-8"),
        "page:bytes": (b"<p>" + b"word " * 40_000_000, "text/html", None),
        "page:run_bytes": (b"x" * 3_000_000, "text/plain", None),
        "page:depth": (b"<div>" * 200_000, "text/html", None),
    }

    found = outcomes(*bad.values(), (GOOD, "text/html", None))

    assert [one.reason if isinstance(one, Rejected) else one for one in found[:-1]] == list(bad)
    assert isinstance(found[-1], CleanDocument)
    assert found[-1].page.text.startswith("It is a page with some words.")


def test_a_page_in_another_charset_than_declared_is_read_and_counted() -> None:
    payload = f"<html><body><p>{CHINESE}</p></body></html>".encode("gb18030")

    wrong, right = outcomes((payload, "text/html", "utf-8"), (payload, "text/html", "gb18030"))

    assert isinstance(wrong, CleanDocument)
    assert isinstance(right, CleanDocument)
    assert wrong.page.text == right.page.text == CHINESE
    assert wrong.page.counters.get("misdeclared_charset") == 1
    assert "misdeclared_charset" not in right.page.counters


def test_edits_of_lines_and_masks_stand_in_one_list_with_lines_first() -> None:
    text = b"Write to bob@example.com about it.\nMenu\nThat is all there is to say."

    (found,) = outcomes((text, "text/plain", None))

    assert isinstance(found, CleanDocument)
    assert [(one.edit.start, one.edit.end, one.reason) for one in found.edits] == [
        (35, 40, "c4:no_terminal_mark"),
        (35, 40, "refinedweb:one_word"),
        (9, 24, "pii:email"),
    ]
    assert found.page.counters == {
        "pii:email": 1, "c4:no_terminal_mark": 1, "refinedweb:one_word": 1,
    }  # fmt: skip
    assert "lines:removed_words" in found.reasons
