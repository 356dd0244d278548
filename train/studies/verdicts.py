"""What a study of arms found: each arm beside the reference, with intervals, costs, and what could not be decided."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from train.statistics.blocks import block_differences, run_deviation
from train.statistics.families import benjamini_hochberg
from train.statistics.intervals import Estimate, ratio_interval
from train.statistics.paired import NOT_TOLD_APART, detectable
from train.studies.outcome import Documents, Outcome
from train.studies.plan import StudyPlan
from train.studies.runs import RunSizes, StudyRun

BETTER, WORSE, FAILED = "better", "worse", "failed"
_NO_NOISE_KNOWN = "one seed: another one may come out otherwise"
_ALONE = "its runs vary more than ten times the others': judged by its own pairs"


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """One arm of the table.

    Attributes:
        by_seed: The measure of each run that came to its end.
        value: Their mean; NaN where there is none.
        difference: The arm minus the reference, over seeds; None for the reference itself.
        p_value: Of no difference, before the correction for many rows.
        adjusted: After it (Benjamini and Hochberg).
        smallest: The smallest true difference that the table finds four times of five.
        documents: The difference over the documents that both were measured on, averaged over seeds.
        sizes: What each of its runs reads and computes.
        tokens_per_second: Of the median run.
        failures: Why runs failed, by name of the run.
        notes: What a reader should know.
    """

    arm: str
    by_seed: Mapping[int, float]
    value: float
    sizes: RunSizes
    difference: Estimate | None = None
    p_value: float = math.nan
    adjusted: float = math.nan
    smallest: float = math.nan
    documents: Estimate | None = None
    tokens_per_second: float = math.nan
    failures: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    is_better_high: bool = False

    @property
    def verdict(self) -> str:
        """What the table allows to say of the arm; empty for the reference."""
        if not self.by_seed:
            return FAILED
        if self.difference is None:
            return ""
        if math.isnan(self.adjusted) or self.adjusted > 1 - self.difference.level:
            return NOT_TOLD_APART
        return BETTER if (self.difference.value > 0) == self.is_better_high else WORSE


@dataclass(frozen=True, kw_only=True)
class StudyTable:
    """The table of a study.

    Attributes:
        rows: The reference first.
        deviation: Standard deviation of a run beyond its arm and seed; NaN where it is not known.
        freedom: Its degrees of freedom.
    """

    rows: tuple[ArmRow, ...]
    deviation: float
    freedom: int

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        reference, *others = self.rows
        if not reference.by_seed:
            return (
                f"Nothing can be said: no run of {reference.arm}, the reference, came to its end."
            )
        words = []
        for verdict in (BETTER, WORSE, NOT_TOLD_APART, FAILED):
            names = [row.arm for row in others if row.verdict == verdict]
            if names:
                words.append(f"{_of_reference(verdict, reference.arm)}: {', '.join(names)}")
        return "; ".join(words) + "."


def _of_reference(verdict: str, reference: str) -> str:
    beside = {BETTER: f"better than {reference}", WORSE: f"worse than {reference}"}
    return beside.get(
        verdict, f"{verdict} from {reference}" if verdict == NOT_TOLD_APART else verdict
    )


def study_table(plan: StudyPlan, found: Mapping[str, Outcome]) -> StudyTable:
    """The table of the runs that have an outcome; a study that goes on has a table, too."""
    figures = {arm.name: _by_seed(_runs_of(plan, arm.name), found) for arm in plan.arms}
    reference = plan.reference.name
    rows = [_row(plan, arm.name, figures[arm.name], found) for arm in plan.arms]
    if not figures[reference]:
        return StudyTable(rows=tuple(rows), deviation=math.nan, freedom=0)
    differences = block_differences(figures, reference, level=plan.study.level)
    judged = []
    for row in rows:
        block = differences.get(row.arm)
        if block is None:
            judged.append(row)
            continue
        notes = [_ALONE] if block.is_alone else []
        notes += [_NO_NOISE_KNOWN] if math.isnan(block.p_value) else []
        judged.append(
            replace(
                row,
                difference=block.difference,
                p_value=block.p_value,
                smallest=detectable(block.difference.standard_error, block.freedom + 1),
                documents=_over_documents(plan, row.arm, found),
                notes=(*row.notes, *notes),
            )
        )
    adjusted = benjamini_hochberg([row.p_value for row in judged])
    deviation, freedom = run_deviation(figures)
    return StudyTable(
        rows=tuple(replace(row, adjusted=p) for row, p in zip(judged, adjusted, strict=True)),
        deviation=deviation,
        freedom=freedom,
    )


def _runs_of(plan: StudyPlan, arm: str) -> list[StudyRun]:
    return [run for run in plan.runs if run.arm == arm]


def _by_seed(runs: Sequence[StudyRun], found: Mapping[str, Outcome]) -> dict[int, float]:
    return {
        run.seed: found[run.name].value
        for run in runs
        if run.name in found and found[run.name].is_done
    }


def _row(
    plan: StudyPlan, arm: str, by_seed: Mapping[int, float], found: Mapping[str, Outcome]
) -> ArmRow:
    runs = _runs_of(plan, arm)
    ended = [found[run.name] for run in runs if run.name in found]
    speeds = sorted(one.costs.tokens_per_second for one in ended if one.is_done)
    left = len(runs) - len(ended)
    notes = [f"{left} of {len(runs)} runs are not done"] if left else []
    passes = runs[0].passes
    if passes > 1:
        notes.append(f"reads its data {passes:.2g} times")
    return ArmRow(
        arm=arm,
        by_seed=by_seed,
        value=fmean(by_seed.values()) if by_seed else math.nan,
        sizes=runs[0].sizes,
        tokens_per_second=speeds[len(speeds) // 2] if speeds else math.nan,
        failures={one.name: one.why or "" for one in ended if not one.is_done},
        notes=tuple(notes),
        is_better_high=plan.measure.is_better_high,
    )


def _over_documents(plan: StudyPlan, arm: str, found: Mapping[str, Outcome]) -> Estimate | None:
    """The arm minus the reference over documents, seeds averaged; None where they read other ones."""
    pairs = []
    for run in _runs_of(plan, arm):
        partner = next(one for one in _runs_of(plan, plan.reference.name) if one.seed == run.seed)
        sides = [found[one.name] for one in (run, partner) if one.name in found]
        if len(sides) == 2 and all(side.is_done for side in sides):
            pairs.append((sides[0], sides[1]))
    return documents_difference(pairs, level=plan.study.level)


def documents_difference(
    pairs: Sequence[tuple[Outcome, Outcome]], *, level: float
) -> Estimate | None:
    """First minus second over documents, averaged over pairs; None where a pair read other documents.

    In units of the figure: the documents' losses per label times what the figure is of them.
    """
    changes, scales = [], []
    labels = None
    for first, second in pairs:
        one, two = first.documents, second.documents
        if one is None or two is None or not _same(one, two):
            return None
        if labels is not None and one.labels != labels:
            return None
        labels = one.labels
        changes.append(np.array(one.losses) - np.array(two.losses))
        scales.append(second.value * sum(two.labels) / sum(two.losses))
    if labels is None:
        return None
    return ratio_interval(
        np.mean(changes, axis=0) * fmean(scales), np.array(labels, np.float64), level=level
    )


def _same(one: Documents, two: Documents) -> bool:
    return (one.root, one.names, one.labels) == (two.root, two.names, two.labels)
