"""Rules of one's own: each function gets a batch of documents and says something of each of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_LINK = re.compile(r"https?://\S+")
_PRICE = re.compile(r"(?:[$€£¥]|US\$)\s?\d|\d\s?(?:元|€|円)")


class Document(NamedTuple):
    """What the refinery hands over (`refinery.api.RuleInput`); written out to be read here."""

    text: str
    lang: str
    url: str | None
    title: str | None


def adverts(documents: Sequence[Document]) -> list[str | None]:
    """A verdict: the reason `verdict:adverts` drops a document, None says nothing."""
    return ["adverts" if len(_PRICE.findall(one.text)) >= 5 else None for one in documents]


def links(documents: Sequence[Document]) -> list[dict[str, float]]:
    """Values: `python:link_share` in the ledger, bounded by the recipe, for `whatif` to change."""
    return [
        {"link_share": sum(map(len, _LINK.findall(one.text))) / max(1, len(one.text))}
        for one in documents
    ]
