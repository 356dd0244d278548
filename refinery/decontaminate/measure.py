"""Measure the index on itself: planted items must be found, shuffled ones must not.

Planted documents pass through the same scan in memory and never reach a table.
"""

from __future__ import annotations

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
            name: {"planted": self.planted[name], "found": self.found[name]} for name in self.planted
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
    "one_word_edit": _one_word_edit,
}


def measure(
    index: BenchmarkIndex, clean_texts: Sequence[str], *, most: int, seed: int
) -> Measurement:
    """Plant up to `most` items that have an n-gram into clean texts, in every mutation.

    Args:
        index: The index of the run.
        clean_texts: Texts without a hit; each takes one item in its middle.
        most: Items planted.
        seed: Fixes which items, and the shuffles.
    """
    generator = random.Random(seed)
    long = [
        place
        for place, item in enumerate(index.items)
        if len(index.words[place]) >= index.ngram_tokens[item.benchmark]
    ]
    chosen = sorted(generator.sample(long, min(most, len(long))))
    planted = dict.fromkeys(MUTATIONS, 0)
    found = dict.fromkeys(MUTATIONS, 0)
    hosts = list(clean_texts) or [""]
    for name, mutate in MUTATIONS.items():
        texts = [_plant(hosts[i % len(hosts)], mutate(index.items[p].text)) for i, p in enumerate(chosen)]
        # An item that stands twice in a benchmark counts as found under either of its ids.
        hits = {(hit.text, index.words[hit.item]) for hit in index.scan(TextBatch.of(texts))}
        planted[name] = len(chosen)
        found[name] = sum((i, index.words[p]) in hits for i, p in enumerate(chosen))
    decoys = []
    for place in chosen:
        words = list(index.words[place])
        generator.shuffle(words)
        decoys.append(" ".join(words))
    shuffled = [_plant(hosts[i % len(hosts)], decoy) for i, decoy in enumerate(decoys)]
    clean = [*clean_texts, *shuffled]
    hit_texts = {hit.text for hit in index.scan(TextBatch.of(clean))} if clean else set()
    return Measurement(planted, found, len(clean), len(hit_texts))


def _plant(host: str, text: str) -> str:
    middle = host.rfind("\n", 0, len(host) // 2) + 1
    return host[:middle] + "\n" + text + "\n" + host[middle:]
