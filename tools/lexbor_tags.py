"""The tags of a page by another parser, lexbor: what the compiled scan is compared with.

lexbor builds the tree of the HTML standard and writes it anew; what it writes is read by patterns
here, slowly and plainly. tests/refinery/extract/test_scan.py and benchmarks/refinery/page_scan.py
compare both.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from selectolax.lexbor import LexborHTMLParser

from refinery.extract.blocks import Blocks, blocks_of
from refinery.extract.formulas import write_scripts_as_formulas
from refinery.extract.inner_pages import write_inner_pages
from refinery.extract.scan.names import BUILDER_NAMES
from refinery.extract.signs import SCANNED_WORDS
from refinery.extract.tag_kinds import NAME_ATTRIBUTES
from refinery.extract.tag_texts import Drawing
from refinery.extract.tags import Tags

_RAW = ["script, style, template, iframe, noembed, noframes"]
_RAW_TEXT = re.compile(r"(<(xmp|plaintext)\b[^>]*>)(.*?)(</\2>)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<(/?)([^\s>]+)([^>]*)>")
_VALUE = re.compile(r" ([^\s=]+)=\"([^\"]*)\"")
_VOID = frozenset(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source "  # noqa: SIM905
    "track wbr".split()
)
_NUMBERS = {name: number for number, name in enumerate(BUILDER_NAMES, 1)}


def blocks_by_lexbor(html: str) -> Blocks:
    """The blocks of a page as the scan gives them, but for title and hints, from lexbor's tree."""
    html, has_scripts = write_scripts_as_formulas(write_inner_pages(html))
    body = LexborHTMLParser(html).body
    if body is None:
        return Blocks()
    body.strip_tags(_RAW)
    return blocks_of(tags_by_lexbor(body.html or ""), Drawing(has_scripts=has_scripts))


def tags_by_lexbor(markup: str) -> Tags:
    """The tags of a body as lexbor writes it, without comments."""
    text = _RAW_TEXT.sub(_escaped, _COMMENT.sub("", markup))
    found = list(_TAG.finditer(text))
    starts, ends = [tag.start() for tag in found], [tag.end() - 1 for tag in found]
    values: list[dict[str, str]] = [dict(_VALUE.findall(tag[3])) for tag in found]
    classes: dict[str, int] = {"": 0}
    numbers = [_whole(v["start"] if "start" in v else v.get("value", "")) for v in values]
    encoded = text.encode("utf-8", "replace")
    return Tags(
        markup=np.frombuffer(encoded, np.uint8),
        firsts=_in_bytes(text, starts),
        lasts=_in_bytes(text, ends),
        name_ids=np.array([_NUMBERS.get(tag[2], 0) for tag in found]),
        is_opening=np.array([not tag[1] for tag in found]),
        closings=np.array(_closings(found)),
        classes=np.array([classes.setdefault(v.get("class", ""), len(classes)) for v in values]),
        name_bits=np.array([_word_bits(v) for v in values]),
        numbers=np.array(numbers),
        col_spans=np.array([_whole(v.get("colspan", "")) for v in values]),
        row_spans=np.array([_whole(v.get("rowspan", "")) for v in values]),
    )


def _in_bytes(text: str, offsets: list[int]) -> NDArray[np.int64]:
    """Offsets of bytes in UTF-8, from offsets of characters."""
    pieces = [text[i:j] for i, j in zip([0, *offsets], offsets, strict=False)]
    return np.cumsum([len(piece.encode("utf-8", "replace")) for piece in pieces])


def _escaped(element: re.Match[str]) -> str:
    text = element[3].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return element[1] + text + element[4]


def _closings(found: list[re.Match[str]]) -> list[int]:
    closings = list(range(len(found)))
    stack: list[int] = []
    for index, tag in enumerate(found):
        if tag[1]:
            closings[stack.pop()] = index
        elif tag[2] not in _VOID and not tag[2].startswith("?"):
            stack.append(index)
    return closings


def _word_bits(values: dict[str, str]) -> int:
    names = "\0".join(values.get(name, "") for name in ("class", *NAME_ATTRIBUTES)).lower()
    return sum(1 << number for number, word in enumerate(SCANNED_WORDS) if word in names)


def _whole(value: str) -> int:
    return int(value) if re.fullmatch(r"[0-9]{1,4}", value) else -1
