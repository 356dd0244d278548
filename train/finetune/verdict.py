"""What a study found: accuracies with intervals over seeds, the majority line, runs that collapsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from train.finetune.cells import Cell
from train.finetune.predictions import Answers
from train.statistics.intervals import Estimate, mean_interval

# A model that gives one answer to almost everything has learnt nothing but which is frequent.
COLLAPSED_SHARE = 0.99


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came out of one run.

    Attributes:
        dev: Accuracy on dev.
        test: Accuracy on test; None for a run that only chose the rate.
        most_given: Share of the most frequent answer on dev.
        correct: Whether each test row was answered rightly.
    """

    cell: Cell
    dev: float
    most_given: float
    test: float | None = None
    correct: tuple[bool, ...] = ()

    @property
    def has_collapsed(self) -> bool:
        """Whether nearly every answer is the same."""
        return self.most_given >= COLLAPSED_SHARE


@dataclass(frozen=True, kw_only=True)
class LabelsRow:
    """All seeds of one number of labels.

    Attributes:
        accuracy: Mean over seeds with the interval of Student's t; collapsed runs count.
        collapsed: Number of seeds that collapsed.
        bag_of_words: Accuracy of a bag of words on the same labels.
        above_bag: Each seed's accuracy minus that of the bag, with its interval.
    """

    labels: int
    accuracy: Estimate
    by_seed: tuple[float, ...]
    collapsed: int
    bag_of_words: float
    above_bag: Estimate


def accuracy(answers: Answers) -> float:
    """Share of right answers."""
    correct = answers.correct
    return sum(correct) / len(correct)


def most_given(answers: Answers) -> float:
    """Share of the most frequent answer."""
    values: list[int] = answers.given.tolist()
    return max(values.count(value) for value in set(values)) / len(values)


def rows_of(outcomes: Sequence[Outcome], bags: Mapping[int, float]) -> list[LabelsRow]:
    """The curve by number of labels.

    Args:
        outcomes: All runs that are reported.
        bags: Accuracy of a bag of words by number of labels.
    """
    rows = []
    for labels in sorted({one.cell.labels for one in outcomes}):
        own = [one for one in outcomes if one.cell.labels == labels and one.test is not None]
        scores = tuple(one.test for one in own if one.test is not None)
        rows.append(
            LabelsRow(
                labels=labels,
                accuracy=mean_interval(scores),
                by_seed=scores,
                collapsed=sum(one.has_collapsed for one in own),
                bag_of_words=bags[labels],
                above_bag=mean_interval([score - bags[labels] for score in scores]),
            )
        )
    return rows


def as_dict(
    rows: Sequence[LabelsRow], rate: float, majority_line: float, tried: Mapping[Cell, float]
) -> dict[str, Any]:
    """The study's result as JSON has it."""
    return {
        "rate": rate,
        "tried": [
            {"rate": cell.rate, "seed": cell.seed, "labels": cell.labels, "dev": score}
            for cell, score in tried.items()
        ],
        "majority": majority_line,
        "labels": [
            {
                "labels": row.labels,
                "accuracy": row.accuracy.value,
                "low": row.accuracy.low,
                "high": row.accuracy.high,
                "by_seed": list(row.by_seed),
                "collapsed": row.collapsed,
                "above_majority": row.accuracy.low > majority_line,
                "bag_of_words": row.bag_of_words,
                "above_bag": [row.above_bag.value, row.above_bag.low, row.above_bag.high],
            }
            for row in rows
        ],
    }
