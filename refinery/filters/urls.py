"""Judge addresses: blocked domains, blocked words, and lists in files of the user.

Hosts and addresses are compared in their normal form, and lists may have any usual form: see
refinery/sources/url_lists.py.
"""

from __future__ import annotations

import functools
import re

from refinery.filters.config import UrlConfig
from refinery.sources.url_lists import entries_of, entry_name, is_listed

URL_RULES_VERSION = 2

BLOCKED_DOMAIN, BLOCKED_WORD, SOFT_WORDS = "url:domain", "url:word", "url:soft_words"
MIN_SOFT_WORDS = 2
_SPLIT = re.compile(r"[^0-9a-z\u0080-\U0010ffff]+")


@functools.cache
def _blocked(config: UrlConfig) -> frozenset[str]:
    names = {entry_name(domain.removeprefix("*.")) for domain in config.domains}
    return frozenset(names - {""}).union(*map(entries_of, config.lists))


def url_reasons(url: str | None, config: UrlConfig) -> list[str]:
    """Why an address is unwanted, in the order domain, word, soft words; empty for none.

    `words` are whole words anywhere in the address; of `soft_words` two different ones are needed.
    """
    if not url:
        return []
    address = url.lower()
    reasons = []
    if is_listed(url, _blocked(config)):
        reasons.append(BLOCKED_DOMAIN)
    if config.words or config.soft_words:
        words = set(_SPLIT.split(address))
        if any(word.lower() in words for word in config.words):
            reasons.append(BLOCKED_WORD)
        if sum(word.lower() in words for word in config.soft_words) >= MIN_SOFT_WORDS:
            reasons.append(SOFT_WORDS)
    return reasons
