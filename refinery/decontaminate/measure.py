"""Measure the index on itself: planted items must be found, shuffled ones must not.

Planted documents pass through the same scan in memory and never reach a table.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from refinery.decontaminate.index import BenchmarkIndex
from refinery.text_batch import CJK, WORD, TextBatch, kind_table

WRAP_CHARS = 40


@dataclass(frozen=True)
class Measurement:
    """Planted and found items by mutation, and hits on texts that hold no item."""

    planted: dict[str, int]
    found: dict[str, int]
    clean_documents: int
    false_positives: int

    def as_json(self) -> dict[str, object]:
        """The form of the stage's facts and of the manifest."""
        recall = {
            name: {"planted": self.planted[name], "found": self.found[name]}
            for name in self.planted
        }
        return {
            "recall": recall,
            "clean_documents": self.clean_documents,
            "false_positives": self.false_positives,
        }


def _wrapped(text: str) -> str:
    flat = " ".join(text.split())
    pieces = [flat[i : i + WRAP_CHARS] for i in range(0, len(flat), WRAP_CHARS)]
    # A break inside a Latin word would be another word: break at blanks only, or between CJK.
    return "".join(
        piece + ("\n" if piece.endswith(" ") or not piece[-1].isascii() else "") for piece in pieces
    )


def _repunctuated(text: str) -> str:
    kinds = kind_table()
    return "".join(
        char if kinds[ord(char)] in (WORD, CJK) else " ; " if not char.isspace() else char
        for char in text
    )


def _full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def _one_word_edit(text: str) -> str:
    words = text.split(" ")
    middle = len(words) // 2
    if len(words) > 2:
        return " ".join([*words[:middle], "qqzx", *words[middle + 1 :]])
    return text[: len(text) // 2] + "□" + "龘" + text[len(text) // 2 + 1 :]


MUTATIONS: dict[str, Callable[[str], str]] = {
    "verbatim": lambda text: text,
    "wrapped": _wrapped,
    "cased": str.upper,
    "punctuated": _repunctuated,
    "width": _full_width,
    "embedded": lambda text: text,
    "one_word_edit": _one_word_edit,
}
DECOYS_PER_ITEM = 5


def measure(index: BenchmarkIndex, held_out: Sequence[str], *, most: int, seed: int) -> Measurement:
    """Plant up to `most` items that have an n-gram into held-out texts, in every mutation.

    False positives are counted on held-out texts that hold an item's words in another order:
    texts that were chosen for having no match would count nothing.

    Args:
        index: The index of the run.
        held_out: Texts; each takes one item in its middle.
        most: Items planted.
        seed: Fixes which items, and the shuffles.
    """
    generator = random.Random(seed)
    lengths = index.words.num_tokens
    long = [
        place
        for place, item in enumerate(index.items)
        if lengths[place] >= index.ngram_tokens[item.benchmark]
    ]
    chosen = sorted(generator.sample(long, min(most, len(long))))
    words = {place: index.item_words(place) for place in chosen}
    hosts = list(held_out) or [""]
    found = {}
    for name, mutate in MUTATIONS.items():
        plant = _embed if name == "embedded" else _plant
        texts = [
            plant(hosts[i % len(hosts)], mutate(index.items[p].text)) for i, p in enumerate(chosen)
        ]
        # An item that stands twice in a benchmark counts as found under either of its ids.
        hits: dict[int, set[int]] = {}
        for match in index.scan(TextBatch.of(texts)):
            hits.setdefault(match.text, set()).add(match.item)
        found[name] = sum(
            p in hits.get(i, ()) or any(index.item_words(h) == words[p] for h in hits.get(i, ()))
            for i, p in enumerate(chosen)
        )
    decoys = []
    for i, place in enumerate(chosen * DECOYS_PER_ITEM):
        shuffled = list(words[place])
        generator.shuffle(shuffled)
        decoys.append(_plant(hosts[i % len(hosts)], " ".join(shuffled)))
    hit_texts = {match.text for match in index.scan(TextBatch.of(decoys))}
    planted = dict.fromkeys(MUTATIONS, len(chosen))
    return Measurement(planted, found, len(decoys), len(hit_texts))


def _plant(host: str, text: str) -> str:
    """On lines of its own, in the middle."""
    middle = host.rfind("\n", 0, len(host) // 2) + 1
    return host[:middle] + "\n" + text + "\n" + host[middle:]


def _embed(host: str, text: str) -> str:
    """Inside a line of the host, without a line end before or after it."""
    middle = host.rfind(" ", 0, len(host) // 2) + 1
    return f"{host[:middle]} {text} {host[middle:]}"


def upper_bound(count: int, trials: int) -> float:
    """Upper end of the one-sided 95 % interval of a rate (Poisson); 3 / n for a count of 0."""
    if trials == 0:
        return 1.0
    low, high = 0.0, 10.0 * (count + 5)
    for _ in range(100):
        mean = (low + high) / 2
        tail = sum(
            math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) for k in range(count + 1)
        )
        low, high = (mean, high) if tail > 0.05 else (low, mean)
    return min(1.0, high / trials)
