"""What is scored, and what came out, whatever the task and the family of the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Measure = Literal["sum", "chars", "bytes", "tokens", "slln", "pmi"]
MEASURES: tuple[Measure, ...] = ("sum", "chars", "bytes", "tokens", "slln", "pmi")
# How candidates are read: `auto` is decided by family and objective (train.evaluation.readings).
Reading = Literal["auto", "likelihood", "span", "sentinel", "pseudo", "pll_word_l2r"]
READINGS: tuple[Reading, ...] = (
    "auto",
    "likelihood",
    "span",
    "sentinel",
    "pseudo",
    "pll_word_l2r",
)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A text that may follow a context.

    Attributes:
        context: What stands before; examples of other items are kept apart from it.
        text: The continuation, without the delimiter: its characters and bytes are counted.
        delimiter: Stands between context and text, and is scored with the text.
    """

    context: str
    text: str
    delimiter: str = " "


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question of a task.

    Attributes:
        id: Its id within the task.
        candidates: What is compared: the choices, the two sentences of a pair, or the one right text.
        gold: Indices of the right candidates.
        cluster: Items of one cluster (paradigm, passage, document) are no independent evidence.
        group: Heading that items are gathered under in tables (phenomenon, subject).
        rating: The number that people gave, for tasks of ratings.
        file: Name of the file that it came from, without its endings.
    """

    id: str
    candidates: tuple[Candidate, ...]
    gold: tuple[int, ...]
    cluster: str | None = None
    group: str | None = None
    rating: float | None = None
    file: str = ""

    @property
    def answer(self) -> str:
        """Context and right text, as an example shows them."""
        right = self.candidates[self.gold[0]]
        return right.context + right.delimiter + right.text


@dataclass(frozen=True, kw_only=True)
class ItemScore:
    """What a model gave to the candidates of an item.

    Attributes:
        log_likelihoods: In nats, summed over the tokens of each candidate.
        unconditional: The same after an empty context; None where it was not asked for.
        tokens: Numbers of scored tokens.
        chars: Characters of the candidates, without the delimiter.
        bytes: UTF-8 bytes of the same.
        greedy: Whether each candidate is what the model would write itself.
        cut_tokens: Tokens at the beginning of the context that did not fit.
        merged: Whether a token lay over the border of context and candidate; it was scored with the
            candidate.
    """

    id: str
    gold: tuple[int, ...]
    log_likelihoods: tuple[float, ...]
    tokens: tuple[int, ...]
    chars: tuple[int, ...]
    bytes: tuple[int, ...]
    greedy: tuple[bool, ...]
    cut_tokens: int = 0
    merged: bool = False
    unconditional: tuple[float, ...] | None = None
    cluster: str | None = None
    group: str | None = None
    rating: float | None = None

    def values(self, measure: Measure) -> tuple[float, ...]:
        """What the candidates are compared by: sums, or sums over a size.

        `chars` is `acc_norm` of lm-evaluation-harness, `bytes` its `acc_bytes`, `pmi` its
        `acc_mutual_info`; `slln` divides by the root of the tokens (ZhoBLiMP, Liu et al. 2024).

        Raises:
            ValueError: `pmi` without likelihoods after an empty context.
        """
        sums = self.log_likelihoods
        if measure == "sum":
            return sums
        if measure == "pmi":
            if self.unconditional is None:
                raise ValueError(f"item {self.id}: nothing was scored after an empty context")
            return tuple(a - b for a, b in zip(sums, self.unconditional, strict=True))
        sizes: Sequence[float] = {
            "chars": self.chars,
            "bytes": self.bytes,
            "tokens": self.tokens,
            "slln": tuple(math.sqrt(n) for n in self.tokens),
        }[measure]
        return tuple(value / max(size, 1) for value, size in zip(sums, sizes, strict=True))

    def correct(self, measure: Measure) -> float:
        """1 where a right candidate is best; candidates of equal values share what it earns."""
        values = self.values(measure)
        best = [index for index, value in enumerate(values) if value == max(values)]
        return sum(index in self.gold for index in best) / len(best)

    @property
    def gold_probability(self) -> float:
        """Probability of the right candidates among all, by log-likelihood per byte."""
        values = self.values("bytes")
        highest = max(values)
        weights = [math.exp(value - highest) for value in values]
        return sum(weights[index] for index in self.gold) / sum(weights)

    @property
    def gold_bits(self) -> tuple[float, int]:
        """Bits of the first right candidate, and its bytes."""
        index = self.gold[0]
        return -self.log_likelihoods[index] / math.log(2), self.bytes[index]


@dataclass(frozen=True, kw_only=True)
class WrittenItem:
    """What a model wrote for an item of a generation task.

    Attributes:
        text: What it wrote.
        references: What was expected.
        metrics: Values of this item by metric.
        outcome: "ok", or what went wrong with a program that it wrote: its name.
    """

    id: str
    text: str
    references: tuple[str, ...]
    metrics: dict[str, float]
    outcome: str = "ok"
    cluster: str | None = None
    group: str | None = None
