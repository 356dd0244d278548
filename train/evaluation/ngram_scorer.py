"""Scores of candidates by counted n-grams, in the form that a model's scores have."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from train.evaluation.items import Item, ItemScore
from train.evaluation.ngram import NgramModel

# Kinds of tasks that compare candidates; which word it would write itself is not computed.
KINDS = ("minimal_pairs", "multiple_choice", "classification")


@dataclass(frozen=True, kw_only=True)
class NgramScorer:
    """Scores items with n-grams of a tokenizer's ids.

    Attributes:
        model: The counts.
        encode: Ids of a text, without marks.
    """

    model: NgramModel
    encode: Callable[[str], list[int]]

    @property
    def form(self) -> str:
        """How contexts and candidates are read, in words."""
        order = len(self.model.orders) + 1
        return f"{order}-grams counted from {self.model.tokens:,} tokens of the training split"

    def score(
        self, items: Sequence[Item], *, before: Sequence[str] | None = None, pmi: bool = False
    ) -> list[ItemScore]:
        """Scores of the candidates of each item.

        Args:
            items: What is asked.
            before: The text of the examples before each item; None: no examples.
            pmi: Whether candidates are scored after an empty context too.
        """
        shown = [""] * len(items) if before is None else before
        contexts = [
            text + candidate.context
            for item, text in zip(items, shown, strict=True)
            for candidate in item.candidates
        ]
        texts = [one.delimiter + one.text for item in items for one in item.candidates]
        found = self._after(contexts, texts)
        alone = self._after([""] * len(texts), texts) if pmi else []
        ends = list(itertools.accumulate((len(item.candidates) for item in items), initial=0))
        return [
            _score(item, found[start:end], alone[start:end] if pmi else None)
            for item, (start, end) in zip(items, itertools.pairwise(ends), strict=True)
        ]

    def _after(self, contexts: Sequence[str], texts: Sequence[str]) -> list[tuple[float, int]]:
        """Nats of each text behind its context, and its number of tokens."""
        # At the beginning of a document no blank stands.
        wholes = [
            self.encode(context + text if context else text.lstrip())
            for context, text in zip(contexts, texts, strict=True)
        ]
        # The border is where the context's own tokens end; a token over it counts to the text.
        starts = [
            max(0, min(len(self.encode(context.rstrip())), len(ids) - 1))
            for context, ids in zip(contexts, wholes, strict=True)
        ]
        logs = self.model.log_likelihoods(wholes, starts=starts).tolist()
        return [
            (log, len(ids) - start) for log, ids, start in zip(logs, wholes, starts, strict=True)
        ]


def _score(
    item: Item, found: Sequence[tuple[float, int]], alone: Sequence[tuple[float, int]] | None
) -> ItemScore:
    return ItemScore(
        id=item.id,
        gold=item.gold,
        log_likelihoods=tuple(log for log, _ in found),
        tokens=tuple(count for _, count in found),
        chars=tuple(len(one.text) for one in item.candidates),
        bytes=tuple(len(one.text.encode()) for one in item.candidates),
        greedy=(False,) * len(found),
        unconditional=None if alone is None else tuple(log for log, _ in alone),
        cluster=item.cluster,
        group=item.group,
        rating=item.rating,
    )
