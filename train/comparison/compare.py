"""Models on the same items: each beside the first, every figure with its interval and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from schemas.errors import ContractError
from train.comparison.results import BITS, EvaluatedTask, Evaluation, ItemFigures
from train.statistics.families import benjamini_hochberg
from train.statistics.intervals import Estimate, ratio_interval
from train.statistics.paired import (
    NOT_TOLD_APART,
    PairedDifference,
    detectable,
    paired_difference,
)
from train.statistics.seeds import SeedDifference, seed_difference
from train.statistics.signal import SignalToNoise

CONTROL = "5-gram control"
OTHER_FORM = "read in different ways"
BETTER, WORSE = "better", "worse"
ONE_SEED = "One run on a side: another seed of either may come out otherwise"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One side of a comparison: a model, or several seeds of one recipe."""

    name: str
    seeds: tuple[Evaluation, ...]

    def tasks(self) -> list[str]:
        """Names of the tasks that every seed was evaluated on."""
        first, *others = self.seeds
        return [name for name in first.tasks if all(name in other.tasks for other in others)]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure of one task: a recipe beside the first.

    Attributes:
        values: Of the first and of the other.
        difference: The other minus the first.
        p_value: Of no difference, before the correction for many rows.
        adjusted: After it (Benjamini and Hochberg).
        test: How the probability was found.
        items: Number of items that both answered.
        smallest: The smallest true difference that this comparison finds four times of five.
        is_better_high: Whether more is better.
        bootstrap: Interval over seeds and items, where there are several seeds.
        signal: Signal to noise of the task over the runs' checkpoints, where they tell it.
        warnings: What a reader should know.
    """

    task: str
    figure: str
    first: str
    other: str
    values: tuple[float, float]
    difference: Estimate
    p_value: float
    test: str
    items: int
    smallest: float
    adjusted: float = math.nan
    is_better_high: bool = True
    bootstrap: tuple[float, float] | None = None
    signal: SignalToNoise | None = None
    warnings: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """What the row allows to say of the other recipe."""
        if math.isnan(self.adjusted) or self.adjusted > 1 - self.difference.level:
            return NOT_TOLD_APART
        return BETTER if (self.difference.value > 0) == self.is_better_high else WORSE


def compare(
    recipes: Sequence[Recipe], *, signals: Mapping[str, SignalToNoise | None] | None = None
) -> list[Row]:
    """Compare every recipe with the first, on all tasks that both have.

    Args:
        recipes: Two or more.
        signals: Signal to noise by task.

    Raises:
        ContractError: There is no common task, or the same item is another question.
    """
    first, *others = recipes
    rows = []
    for other in others:
        common = [name for name in first.tasks() if name in other.tasks()]
        if not common:
            raise ContractError(
                f"{first.name} and {other.name} have no task in common; evaluate both on the same ones: "
                f"{', '.join(first.tasks()) or 'none'} and {', '.join(other.tasks()) or 'none'}"
            )
        for name in common:
            signal = (signals or {}).get(name)
            task = first.seeds[0].tasks[name]
            rows.append(replace(_row(name, task.main_figure, first, other), signal=signal))
            if task.main_figure != BITS:
                rows.append(_row(name, BITS, first, other))
    adjusted = benjamini_hochberg([row.p_value for row in rows])
    return [replace(row, adjusted=value) for row, value in zip(rows, adjusted, strict=True)]


def beside_control(evaluation: Evaluation) -> list[Row]:
    """A model beside the n-gram control of its own text, on the tasks that the control answered.

    A model that is not told apart from it has learnt which tokens follow each other, and no more.
    """
    if not evaluation.control:
        return []
    counts = replace(evaluation, name=CONTROL, tasks=evaluation.control)
    sides = [Recipe(name=one.name, seeds=(one,)) for one in (counts, evaluation)]
    return [
        replace(row, warnings=tuple(w for w in row.warnings if not w.startswith(OTHER_FORM)))
        for row in compare(sides)
    ]


def _row(name: str, figure: str, first: Recipe, other: Recipe) -> Row:
    sides = [[seed.tasks[name] for seed in recipe.seeds] for recipe in (first, other)]
    everything = [task.figures(figure) for side in sides for task in side]
    _check_same(name, [task for side in sides for task in side])
    shared = set(everything[0].ids).intersection(*(one.ids for one in everything[1:]))
    if not shared:
        raise ContractError(f"{name}: {first.name} and {other.name} answered no item in common")
    kept = [_only(one, shared) for one in everything]
    before, after = kept[: len(sides[0])], kept[len(sides[0]) :]
    warnings = [
        f"{len(shared):,} items in common, of {len(one.ids):,}"
        for one in everything[:1]
        if any(len(each.ids) != len(shared) for each in everything)
    ]
    forms = {task.summary["form"] for side in sides for task in side}
    if len(forms) > 1:
        warnings.append(f"{OTHER_FORM}: {'; '.join(sorted(forms))}")
    row = _of_seeds if min(len(before), len(after)) > 1 else _of_items
    made = row(before, after)
    return replace(
        made,
        task=name,
        figure=figure,
        first=first.name,
        other=other.name,
        warnings=(*made.warnings, *warnings),
    )


def _of_items(before: Sequence[ItemFigures], after: Sequence[ItemFigures]) -> Row:
    """One run on a side: item by item; the seeds of the other side are averaged."""
    one, two = _averaged(before), _averaged(after)
    paired = _paired(two, one)
    warnings = [] if paired.difference.warning is None else [paired.difference.warning]
    return Row(
        task="",
        figure="",
        first="",
        other="",
        values=(_value(one), _value(two)),
        difference=paired.difference,
        p_value=paired.p_value,
        test=paired.test,
        items=len(one.ids),
        smallest=detectable(paired.difference.standard_error, paired.difference.units),
        is_better_high=one.is_better_high,
        warnings=(*warnings, ONE_SEED),
    )


def _of_seeds(before: Sequence[ItemFigures], after: Sequence[ItemFigures]) -> Row:
    """Several runs on both sides: t on the seeds' figures decides."""
    one, two = _averaged(before), _averaged(after)
    # A ratio of sums is the mean of its items' parts over the mean whole.
    scale = len(one.ids) / one.wholes.sum()
    found: SeedDifference = seed_difference(
        np.stack([each.parts * scale for each in after]),
        np.stack([each.parts * scale for each in before]),
        clusters=one.clusters,
    )
    return Row(
        task="",
        figure="",
        first="",
        other="",
        values=(_value(one), _value(two)),
        difference=found.by_t,
        p_value=found.p_value,
        test=f"t on {len(before)} and {len(after)} seeds",
        items=len(one.ids),
        smallest=detectable(found.by_t.standard_error, found.by_t.units),
        is_better_high=one.is_better_high,
        bootstrap=found.bootstrap,
    )


def _paired(after: ItemFigures, before: ItemFigures) -> PairedDifference:
    if (after.wholes == 1).all():
        return paired_difference(after.parts, before.parts, clusters=after.clusters)
    # Both have the same bytes: the difference of two ratios is the ratio of the differences.
    change = after.parts - before.parts
    difference = ratio_interval(change, after.wholes, clusters=after.clusters)
    unit = "items" if after.clusters is None else "clusters"
    return PairedDifference(
        difference=difference,
        p_value=difference.p_value(),
        test=f"t on {difference.units:,} {unit}",
        correlation=math.nan,
        wins=int((change < 0).sum()),
        losses=int((change > 0).sum()),
    )


def _value(figures: ItemFigures) -> float:
    return float(figures.parts.sum() / figures.wholes.sum())


def _averaged(seeds: Sequence[ItemFigures]) -> ItemFigures:
    return replace(seeds[0], parts=np.mean([seed.parts for seed in seeds], axis=0))


def _only(figures: ItemFigures, ids: set[str]) -> ItemFigures:
    """The items of some ids."""
    kept = [index for index, name in enumerate(figures.ids) if name in ids]
    clusters = figures.clusters
    return replace(
        figures,
        ids=tuple(figures.ids[index] for index in kept),
        parts=figures.parts[kept],
        wholes=figures.wholes[kept],
        clusters=None if clusters is None else tuple(clusters[index] for index in kept),
    )


def _check_same(name: str, tasks: Sequence[EvaluatedTask]) -> None:
    """Refuse items of one id that are not the same question.

    Raises:
        ContractError: The right answer or the sizes of the candidates differ.
    """
    first, *others = tasks
    known = {score.id: (score.gold, score.bytes) for score in first.scores}
    if len(known) < len(first.scores):
        raise ContractError(f"{first.items_path}: two items of {name} have one id")
    for other in others:
        for score in other.scores:
            if known.get(score.id, (score.gold, score.bytes)) != (score.gold, score.bytes):
                raise ContractError(
                    f"{name}: item {score.id} has other answers in {first.items_path} than in "
                    f"{other.items_path}; evaluate both on the same files"
                )
