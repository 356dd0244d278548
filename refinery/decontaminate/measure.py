"""Measure the search on itself: planted items must be found, shuffled ones must not.

Planted documents pass through the same scan in memory, without the n-grams that the run ignores,
and never reach a table.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.facts import Recalls, SelfMeasurement
from refinery.decontaminate.index import BenchmarkIndex, Match
from refinery.decontaminate.mutations import EMBEDDED, MUTATIONS, embed, plant
from refinery.text.batch import CJK, kind_table
from refinery.text.utf8 import Texts
from schemas.manifest import RecallByMutation

LONG_TOKENS = 13
DECOYS_PER_ITEM = 5
SCANNED_TEXTS = 200


@dataclass
class Measurement:
    """Planted and found items by group and mutation, and hits on texts that hold no item.

    Groups are `en` (spaced scripts) and `zh` (mostly CJK characters) for items of 13 tokens or
    more, `en_short` and `zh_short` for shorter ones, which n-grams of 8 to 12 or whole lines cover.
    """

    groups: dict[str, Recalls] = field(default_factory=dict)
    clean_documents: int = 0
    false_positives: int = 0

    def recall(self) -> Recalls:
        """Planted and found items by mutation, over all items of 13 tokens or more."""
        long = [group for name, group in self.groups.items() if not name.endswith("_short")]
        return {
            name: RecallByMutation(
                planted=sum(group[name].planted for group in long),
                found=sum(group[name].found for group in long),
            )
            for name in MUTATIONS
        }

    def facts(self) -> SelfMeasurement:
        """The form of the stage's facts and of the manifest."""
        bound = upper_bound(self.false_positives, self.clean_documents)
        return SelfMeasurement(
            recall=self.recall(),
            recall_by_group=self.groups,
            clean_documents=self.clean_documents,
            false_positives=self.false_positives,
            false_positives_per_million_below=round(1e6 * bound, 3),
        )


@dataclass(frozen=True)
class Search:
    """The scan of a run: matches of n-grams that it ignores do not count."""

    index: BenchmarkIndex
    ignored: Collection[int] = ()

    def matches(self, texts: Sequence[str]) -> Iterator[Match]:
        """Matches in many texts; `text` counts through all of them."""
        for start in range(0, len(texts), SCANNED_TEXTS):
            for match in self.index.scan(Texts.of(texts[start : start + SCANNED_TEXTS])):
                if match.gram not in self.ignored:
                    text = start + match.text
                    yield Match(text, match.item, match.gram, match.start, match.end)


def measure(
    search: Search, items: Sequence[Item], held_out: Sequence[str], *, most: int, seed: int
) -> Measurement:
    """Plant up to `most` items of each group into held-out texts, in every mutation.

    False positives are counted on held-out texts that hold an item's words in another order:
    texts that were chosen for having no match would count nothing.

    Args:
        search: The scan of the run.
        items: The items of its index.
        held_out: Texts; each takes one item in its middle. Chinese items go into Chinese ones where
            there are any.
        most: Items planted in each group.
        seed: Fixes which items, and the shuffles.
    """
    generator = random.Random(seed)
    hosts: dict[str, list[str]] = {"en": [], "zh": []}
    for text in held_out:
        hosts[_language(text)].append(text)
    result = Measurement()
    for group, members in _groups(search.index).items():
        chosen = sorted(generator.sample(members, min(most, len(members))))
        own = hosts[group[:2]] or list(held_out) or [""]
        result.groups[group] = _recall(search, [items[p].text for p in chosen], chosen, own)
        decoys = []
        for number, item in enumerate(chosen * DECOYS_PER_ITEM):
            words = list(search.index.words.of_item(item))
            generator.shuffle(words)
            decoys.append(plant(own[number % len(own)], " ".join(words)))
        result.clean_documents += len(decoys)
        result.false_positives += len({match.text for match in search.matches(decoys)})
    return result


def _groups(index: BenchmarkIndex) -> dict[str, list[int]]:
    """Covered items by language and length, in the order of the index."""
    groups: dict[str, list[int]] = {"en": [], "zh": [], "en_short": [], "zh_short": []}
    chinese, lengths = index.words.is_chinese().tolist(), index.words.num_tokens.tolist()
    uncovered = set(index.uncovered)
    for item, (is_chinese, length) in enumerate(zip(chinese, lengths, strict=True)):
        if item not in uncovered:
            name = "zh" if is_chinese else "en"
            groups[name if length >= LONG_TOKENS else f"{name}_short"].append(item)
    return {name: members for name, members in groups.items() if members}


def _recall(
    search: Search, texts: Sequence[str], members: Sequence[int], hosts: Sequence[str]
) -> Recalls:
    words = {item: search.index.words.of_item(item) for item in members}
    counts = {}
    for name, mutate in MUTATIONS.items():
        into = embed if name == EMBEDDED else plant
        pages = [into(hosts[i % len(hosts)], mutate(text)) for i, text in enumerate(texts)]
        hits: dict[int, set[int]] = {}
        for match in search.matches(pages):
            hits.setdefault(match.text, set()).add(match.item)
        # Two items of equal words have two ids: a hit on either counts as found.
        num_found = sum(
            item in hits.get(page, ())
            or any(search.index.words.of_item(h) == words[item] for h in hits.get(page, ()))
            for page, item in enumerate(members)
        )
        counts[name] = RecallByMutation(planted=len(members), found=num_found)
    return counts


def _language(text: str) -> str:
    kinds = kind_table()
    sample = text[:500]
    return "zh" if 3 * sum(kinds[ord(c)] == CJK for c in sample) > len(sample) else "en"


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
