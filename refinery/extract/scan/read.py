"""Read a page: its tags and text as arrays, and where its title, meta tags and scripts stand.

docs/extraction_scan.md tells the way from bytes to tags.
"""

from __future__ import annotations

import html as html_entities
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.extract.scan.builder import (
    CLASSES,
    CLOSES,
    CLOSING,
    COL_SPAN,
    END,
    FULL,
    IN_FRAMES,
    INNER_SPAN,
    KIND,
    META_SPAN,
    NUMBER,
    OUT,
    PHASE,
    ROW_SPAN,
    SCRIPT_SPAN,
    SPANNED,
    SPANS,
    START,
    TAG_NAME,
    TAGS,
    TITLE,
    TITLE_END,
    WORDS,
    Builder,
    build_table,
    new_builder,
)
from refinery.extract.scan.page import read_page
from refinery.extract.tags import Tags

# The markup of a page takes less room than its source. A few pages imply most of their tags; where each
# block opens a heap of forgotten formatting anew, that is not done.
ROOMS = ((1, False), (8, False), (32, True))
_HEAD_BYTES = 4_096
_DOCTYPE = re.compile(
    rb"\s*(?:<!--.*?-->\s*|<\?[^>]*>\s*)*<!doctype\s+html\b([^>]*)>", re.I | re.DOTALL
)
# Beginnings of public identifiers of pages that lay tables out as old browsers did (the standard's
# "quirks mode", section 13.2.6.4.1); the shortest beginnings that tell them from others.
_QUIRKS = re.compile(
    rb"\+//silmaril//|-//(?:as|advasoft ltd|ietf|metrius|microsoft|netscape comm\. corp\.|o'reilly and "
    rb"associates|sq|softquad software|softquad|spyglass|sun microsystems corp\.|webtechs|w3o)//|"
    rb"-//w3c//dtd (?:html 3 1995-03-24|html 3\.2|html 4\.0 |html experimental|w3 html)|-/w3c/dtd html 4\.0 |"
    rb"html$",
    re.I,
)
_QUIRKS_WITHOUT_SYSTEM = re.compile(rb"-//w3c//dtd html 4\.01 (?:frameset|transitional)//", re.I)
_QUOTED = re.compile(rb"\"([^\"]*)\"|'([^']*)'")


@dataclass(frozen=True, slots=True)
class PageScan:
    """What one pass over a page found.

    Attributes:
        page: The whole page in UTF-8.
        tags: The tags of its body; None where frames take the body's part.
        title: Text of its first <title>; empty for none.
        metas: The meta tags of its head.
        scripts: First and end offsets in `page` of its scripts.
        inner_tags: Those of the opening tags of its frames and templates.
    """

    page: bytes
    tags: Tags | None
    title: str
    metas: list[str]
    scripts: list[tuple[int, int]]
    inner_tags: list[tuple[int, int]]


def read_tags(html: str, name_words: tuple[str, ...]) -> PageScan:
    """Scan a page; `name_words` are looked for in the classes, ids and roles of its elements."""
    page = html.encode("utf-8", "replace")
    table = build_table(name_words)
    is_quirks = _is_quirks(page[:_HEAD_BYTES])
    for room, is_plain in ROOMS:
        builder = new_builder(page, table, room=room, is_quirks=is_quirks, is_plain=is_plain)
        read_page(builder)
        if not builder.state[FULL]:
            break
    state = builder.state
    title = page[state[TITLE] : state[TITLE_END]] if state[TITLE] >= 0 else b""
    spans = builder.stack[SPANNED : SPANNED + state[SPANS], :3].tolist()
    return PageScan(
        page,
        None if state[PHASE] == IN_FRAMES else _tags_of(builder),
        html_entities.unescape(title.decode("utf-8", "replace")),
        [page[first:end].decode() for kind, first, end in spans if kind == META_SPAN],
        [(first, end) for kind, first, end in spans if kind == SCRIPT_SPAN],
        [(first, end) for kind, first, end in spans if kind == INNER_SPAN],
    )


def _is_quirks(head: bytes) -> bool:
    doctype = _DOCTYPE.match(head)
    if doctype is None:
        return True
    quoted = [first or second for first, second in _QUOTED.findall(doctype[1])]
    is_public = doctype[1].lstrip().lower().startswith(b"public")
    if not is_public or not quoted:
        return False
    without = len(quoted) < 2 and _QUIRKS_WITHOUT_SYSTEM.match(quoted[0])
    return bool(_QUIRKS.match(quoted[0]) or without)


def _tags_of(builder: Builder) -> Tags:
    num, size = int(builder.state[TAGS]), int(builder.state[OUT])
    tags = builder.tags[:num]

    def column(index: int) -> NDArray[np.int64]:
        return np.ascontiguousarray(tags[:, index])

    return Tags(
        markup=builder.out[:size],
        firsts=column(START),
        lasts=column(END),
        name_ids=column(TAG_NAME),
        is_opening=tags[:, KIND] != CLOSES,
        closings=column(CLOSING),
        classes=column(CLASSES),
        name_bits=column(WORDS),
        numbers=column(NUMBER),
        col_spans=column(COL_SPAN),
        row_spans=column(ROW_SPAN),
    )
