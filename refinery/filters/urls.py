"""Judge addresses: blocked domains, blocked words, and lists in files of the user.

A list has one entry per line: a domain (it blocks its subdomains too) or, with a slash in it, the
start of an address without its scheme; "#" begins a comment.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from refinery.filters.config import UrlConfig
from refinery.publish import storage

URL_RULES_VERSION = 1

BLOCKED_DOMAIN, BLOCKED_WORD, SOFT_WORDS = "url:domain", "url:word", "url:soft_words"
MIN_SOFT_WORDS = 2
_SPLIT = re.compile(r"[^0-9a-z\u0080-\U0010ffff]+")


@functools.cache
def _listed(uris: tuple[str, ...]) -> frozenset[str]:
    entries = set()
    for uri in uris:
        for line in storage.read_bytes(uri).decode("utf-8").splitlines():
            if entry := line.partition("#")[0].strip().lower():
                entries.add(entry.removeprefix("www.").rstrip("/"))
    return frozenset(entries)


def url_reasons(url: str | None, config: UrlConfig) -> list[str]:
    """Why an address is unwanted, in the order domain, word, soft words; empty for none.

    `words` are whole words anywhere in the address; of `soft_words` two different ones are needed.
    """
    if not url:
        return []
    address = url.lower()
    reasons = []
    blocked = _listed(config.lists) | {name.lower() for name in config.domains}
    if blocked and any(name in blocked for name in _names(address)):
        reasons.append(BLOCKED_DOMAIN)
    if config.words or config.soft_words:
        words = set(_SPLIT.split(address))
        if any(word.lower() in words for word in config.words):
            reasons.append(BLOCKED_WORD)
        if sum(word.lower() in words for word in config.soft_words) >= MIN_SOFT_WORDS:
            reasons.append(SOFT_WORDS)
    return reasons


def _names(address: str) -> Iterator[str]:
    """All names by which a list may block an address: host, domains above it, starts of the path."""
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:  # what is no address has no host; its words are judged all the same
        return
    labels = host.split(".")
    for first in range(len(labels)):
        yield ".".join(labels[first:])
    path = ""
    for step in parts.path.strip("/").split("/"):
        path += f"/{step}"
        yield host + path
