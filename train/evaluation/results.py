"""The result of a task: its items, and the figures that follow from them, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from train.evaluation.items import Item, ItemScore, Measure, WrittenItem
from train.statistics.intervals import Estimate, mean_interval, ratio_interval, wilson

# Of each text of an item that is kept beside its scores; an item may hold a whole book.
TEXT_CHARS = 400
# Names of lm-evaluation-harness, where it has one.
ACCURACIES: dict[str, Measure] = {
    "acc": "sum",
    "acc_norm": "chars",
    "acc_bytes": "bytes",
    "acc_tokens": "tokens",
}
_OF_PAIRS: dict[str, Measure] = {"acc": "sum", "acc_tokens": "tokens", "acc_slln": "slln"}


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a model did on a task.

    Attributes:
        name: Name of the task.
        kind: Its kind.
        language: Language of its items.
        form: How contexts and candidates were read.
        shots: Number of examples before each prompt.
        examples: Their ids, by file where each file has its own.
        scores: Likelihoods of each item's candidates.
        written: What the model wrote, for generation.
        clean: Ids of the items that no training document holds; None where that is not known.
        corpus: For metrics that are no means of items (BLEU, chrF): value and signature.
        warnings: What a reader should know.
        items: The items themselves, whose texts are kept beside their scores.
    """

    name: str
    kind: str
    language: str
    form: str
    shots: int
    examples: dict[str, tuple[str, ...]]
    scores: tuple[ItemScore, ...]
    written: tuple[WrittenItem, ...] = ()
    clean: frozenset[str] | None = None
    corpus: dict[str, tuple[float, str]] | None = None
    warnings: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """All but the items, as JSON holds it."""
        plain: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "language": self.language,
            "form": self.form,
            "items": len(self.scores),
            "shots": self.shots,
            "examples": {file: list(ids) for file, ids in self.examples.items()},
            "chance": self.chance,
            "prompts_cut": sum(one.cut_tokens > 0 for one in self.scores),
            "metrics": self._metrics(self.scores, self.written),
            "warnings": list(self.warnings),
        }
        for name, (value, signature) in (self.corpus or {}).items():
            plain["metrics"][name] = {"value": value, "signature": signature}
        groups = sorted({one.group for one in self.scores if one.group is not None})
        if len(groups) > 1:
            plain["groups"] = {name: self._of_group(name) for name in groups}
        if self.clean is not None:
            scores = tuple(one for one in self.scores if one.id in self.clean)
            written = tuple(one for one in self.written if one.id in self.clean)
            plain["clean"] = {"items": len(scores)}
            if scores:
                plain["clean"]["metrics"] = self._metrics(scores, written)
        return plain

    @property
    def chance(self) -> float | None:
        """Accuracy of guessing; None where nothing is chosen."""
        if self.kind in ("last_word", "generation"):
            return None
        shares = [len(one.gold) / len(one.log_likelihoods) for one in self.scores]
        return sum(shares) / len(shares)

    def _of_group(self, name: str) -> dict[str, Any]:
        scores = [one for one in self.scores if one.group == name]
        values = [one.correct("sum") for one in scores]
        if self.kind == "last_word":
            values = [float(one.greedy[0]) for one in scores]
        return {"items": len(scores), "acc": _plain(_mean(values, scores))}

    def _metrics(
        self, scores: Sequence[ItemScore], written: Sequence[WrittenItem]
    ) -> dict[str, dict[str, Any]]:
        figures: dict[str, Estimate] = {}
        rated = [one for one in scores if one.rating is not None]
        if self.kind in ("multiple_choice", "classification", "minimal_pairs"):
            figures |= _accuracies(scores, pairs=self.kind == "minimal_pairs")
        if self.kind == "last_word":
            figures["acc"] = _mean([float(one.greedy[0]) for one in scores], scores)
        figures["bits_per_byte"] = _bits_per_byte(scores)
        for name in written[0].metrics if written else ():
            figures[name] = _mean([one.metrics[name] for one in written], written)
        plain = {name: _plain(figure) for name, figure in figures.items()}
        if self.kind == "last_word":
            losses = [-one.log_likelihoods[0] for one in scores]
            mean = sum(losses) / len(losses)
            plain["perplexity"] = {"value": math.exp(min(mean, 700.0))}
        if self.kind == "classification":
            plain["macro_f1"] = {"value": _macro_f1(scores)}
            plain["majority"] = {"value": _majority(scores)}
        if rated:
            plain |= {name: {"value": value} for name, value in _correlations(rated).items()}
        return plain

    def item_lines(self) -> list[dict[str, Any]]:
        """One mapping for each item: its texts, likelihoods, sizes, cluster, and what was written."""
        written = {one.id: asdict(one) for one in self.written}
        texts = {item.id: _texts(item) for item in self.items}
        return [
            {**asdict(one), **texts.get(one.id, {}), **written.get(one.id, {})}
            for one in self.scores
        ]


def _texts(item: Item) -> dict[str, Any]:
    """What a person reads of an item: the end of its context, and the beginnings of the candidates."""
    return {
        "context": item.candidates[0].context[-TEXT_CHARS:],
        "candidates": [one.text[:TEXT_CHARS] for one in item.candidates],
    }


Clustered = ItemScore | WrittenItem | Item


def _clusters(items: Sequence[Clustered]) -> list[str] | None:
    """Names of the clusters; an item without one stands alone."""
    if all(one.cluster is None for one in items):
        return None
    return [f"item {one.id}" if one.cluster is None else f"in {one.cluster}" for one in items]


def _mean(values: Sequence[float], items: Sequence[Clustered]) -> Estimate:
    clusters = _clusters(items)
    if clusters is None and set(values) <= {0.0, 0.5, 1.0}:
        return wilson(sum(values), len(values))
    found = mean_interval(values, clusters=clusters)
    if min(values) < 0 or max(values) > 1:
        return found
    if found.standard_error == 0:
        # Clusters that are all alike tell no spread, and yet no certainty: as many independent items would.
        alone = wilson(found.value * found.units, found.units)
        return replace(found, low=alone.low, high=alone.high)
    # Few clusters give a long interval, but a share is between none and all.
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def _accuracies(scores: Sequence[ItemScore], *, pairs: bool) -> dict[str, Estimate]:
    measures = dict(_OF_PAIRS if pairs else ACCURACIES)
    if all(one.unconditional is not None for one in scores):
        measures["acc_pmi"] = "pmi"
    figures = {
        name: _mean([one.correct(measure) for one in scores], scores)
        for name, measure in measures.items()
    }
    equal = [one for one in scores if len(set(one.tokens)) == 1]
    if pairs and equal:
        # Pairs of one length need no normalisation.
        figures["acc_equal_length"] = _mean([one.correct("sum") for one in equal], equal)
    if not pairs:
        figures["gold_probability"] = mean_interval(
            [one.gold_probability for one in scores], clusters=_clusters(scores)
        )
    return figures


def _bits_per_byte(scores: Sequence[ItemScore]) -> Estimate:
    bits, sizes = zip(*(one.gold_bits for one in scores), strict=True)
    return ratio_interval(bits, sizes, clusters=_clusters(scores))


def _chosen(score: ItemScore) -> int:
    return score.log_likelihoods.index(max(score.log_likelihoods))


def _macro_f1(scores: Sequence[ItemScore]) -> float:
    """Mean over classes of F1; a class that is neither right nor chosen counts as 0."""
    values = []
    for label in range(len(scores[0].log_likelihoods)):
        chosen = [_chosen(one) == label for one in scores]
        right = [label in one.gold for one in scores]
        both = sum(a and b for a, b in zip(chosen, right, strict=True))
        values.append(2 * both / max(sum(chosen) + sum(right), 1))
    return sum(values) / len(values)


def _majority(scores: Sequence[ItemScore]) -> float:
    golds = [one.gold[0] for one in scores]
    return max(golds.count(label) for label in set(golds)) / len(golds)


def _correlations(scores: Sequence[ItemScore]) -> dict[str, float | None]:
    """Pearson and Spearman of people's numbers with the mean class, weighted by its probability."""
    means = []
    for one in scores:
        likelihoods = np.array(one.log_likelihoods)
        weights = np.exp(likelihoods - likelihoods.max())
        means.append(float((weights * np.arange(len(weights))).sum() / weights.sum()))
    ratings = np.array([one.rating for one in scores], dtype=np.float64)
    guessed = np.array(means)
    return {
        "pearson": _correlation(ratings, guessed),
        "spearman": _correlation(_ranks(ratings), _ranks(guessed)),
    }


def _correlation(a: Any, b: Any) -> float | None:
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: Any) -> Any:
    """Ranks, equal values with their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    return (ends - (counts - 1) / 2.0)[inverse]


def _plain(figure: Estimate) -> dict[str, Any]:
    spread = {
        "low": figure.low,
        "high": figure.high,
        "standard_error": figure.standard_error,
    }
    plain: dict[str, Any] = {
        "value": figure.value,
        **{name: value if math.isfinite(value) else None for name, value in spread.items()},
    }
    if figure.clusters is not None:
        plain["clusters"] = figure.clusters
    if figure.warning is not None:
        plain["warning"] = figure.warning
    return plain
