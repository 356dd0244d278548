"""The tables of a founding study, from its recorded runs alone.

The variance of a run is that of the whole study, pairs are of equal seeds, probabilities are adjusted over all
comparisons of the study (Benjamini and Hochberg), and the interval over documents stands beside the one over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from benchmarks.train.founding.comparisons import Comparison, FoundingStudy
from benchmarks.train.run_records import Records, RunRecord
from train.statistics.blocks import block_differences, run_deviation
from train.statistics.families import benjamini_hochberg
from train.statistics.intervals import LEVEL, Estimate
from train.statistics.paired import NOT_TOLD_APART, detectable
from train.studies.outcome import Outcome
from train.studies.verdicts import BETTER, FAILED, WORSE, documents_difference

NOT_RUN, NOISE_UNKNOWN = "not run yet", "noise not known yet"


@dataclass(frozen=True, kw_only=True)
class ArmLine:
    """One arm of one comparison.

    Attributes:
        by_seed: The figure of each run that came to its end.
        difference: The arm minus the reference; None for the reference, and where one of both has no run.
        adjusted: Probability of no difference, adjusted for all comparisons of the study.
        smallest: The smallest true difference that is found four times of five.
        documents: The difference over documents, averaged over seeds.
        failed: Number of runs that did not come to their end.
        is_better_high: Whether more of the figure is better.
    """

    arm: str
    by_seed: Mapping[int, float]
    difference: Estimate | None = None
    adjusted: float = math.nan
    smallest: float = math.nan
    documents: Estimate | None = None
    failed: int = 0
    is_better_high: bool = False

    @property
    def value(self) -> float:
        """The mean over seeds; NaN where no run came to its end."""
        return fmean(self.by_seed.values()) if self.by_seed else math.nan

    @property
    def verdict(self) -> str:
        """What may be said of the arm beside the reference; empty for the reference itself."""
        if not self.by_seed:
            return FAILED if self.failed else NOT_RUN
        if self.difference is None:
            return ""
        if math.isnan(self.adjusted):
            return NOISE_UNKNOWN
        if self.adjusted > 1 - self.difference.level:
            return NOT_TOLD_APART
        return BETTER if (self.difference.value > 0) == self.is_better_high else WORSE


@dataclass(frozen=True, kw_only=True)
class ComparisonTable:
    """A comparison with its lines, the reference first."""

    title: str
    lines: tuple[ArmLine, ...]


@dataclass(frozen=True, kw_only=True)
class FigureTables:
    """All comparisons of a study by one figure.

    Attributes:
        deviation: Standard deviation of a run beyond its arm and its seed; NaN where it is not known.
        freedom: Its degrees of freedom.
    """

    tables: tuple[ComparisonTable, ...]
    deviation: float
    freedom: int


def figure_tables(
    study: FoundingStudy, arms: Sequence[str], records: Records, figure: str | None = None
) -> FigureTables:
    """The comparisons of a study by its measure, or by a figure beside it.

    Args:
        study: The study.
        arms: Names of all of its arms, in the order of its file.
        records: The runs that are done.
        figure: Name of a figure of the runs, of which more is better; None: the measure, of which less is.
    """
    runs = records.of_study(study.name)
    values = {arm: _by_seed(runs, arm, figure) for arm in arms}
    found = [
        (comparison, _lines(comparison, arms, values, runs, records, figure))
        for comparison in study.comparisons
    ]
    flat = [line for _, lines in found for line in lines]
    adjusted = iter(
        benjamini_hochberg([math.nan if p is None else p for _, p in flat]) if flat else []
    )
    tables = tuple(
        ComparisonTable(
            title=comparison.title,
            lines=tuple(_with_adjusted(line, next(adjusted)) for line, _ in lines),
        )
        for comparison, lines in found
    )
    known = any(len(of_arm) > 1 for of_arm in values.values())
    deviation, freedom = run_deviation(values) if known else (math.nan, 0)
    return FigureTables(tables=tables, deviation=deviation, freedom=freedom)


def _by_seed(runs: Sequence[RunRecord], arm: str, figure: str | None) -> dict[int, float]:
    found: dict[int, float] = {}
    for run in runs:
        value = run.value if figure is None else run.figures.get(figure)
        if run.arm == arm and run.state == "done" and value is not None:
            found[run.seed] = value
    return found


def _lines(
    comparison: Comparison,
    arms: Sequence[str],
    values: Mapping[str, Mapping[int, float]],
    runs: Sequence[RunRecord],
    records: Records,
    figure: str | None,
) -> list[tuple[ArmLine, float | None]]:
    """Each line with the probability of no difference, not adjusted yet; None for the reference."""
    reference = comparison.reference
    named = comparison.arms or tuple(arm for arm in arms if arm != reference)
    differences = block_differences(values, reference) if values[reference] else {}
    lines: list[tuple[ArmLine, float | None]] = []
    for arm in (reference, *named):
        failed = sum(run.arm == arm and run.state == "failed" for run in runs)
        block = differences.get(arm)
        if block is None:
            line = ArmLine(arm=arm, by_seed=values[arm], failed=failed)
            lines.append((line, None))
            continue
        line = ArmLine(
            arm=arm,
            by_seed=values[arm],
            difference=block.difference,
            smallest=detectable(block.difference.standard_error, block.freedom + 1),
            documents=None if figure else _over_documents(arm, reference, runs, records),
            failed=failed,
            is_better_high=figure is not None,
        )
        lines.append((line, block.p_value))
    return lines


def _with_adjusted(line: ArmLine, adjusted: float) -> ArmLine:
    return replace(line, adjusted=adjusted)


def _over_documents(
    arm: str, reference: str, runs: Sequence[RunRecord], records: Records
) -> Estimate | None:
    by_seed = {(run.arm, run.seed): run for run in runs if run.state == "done"}
    pairs = [
        (_outcome(first, records), _outcome(by_seed[reference, seed], records))
        for (name, seed), first in by_seed.items()
        if name == arm and (reference, seed) in by_seed
    ]
    return documents_difference(pairs, level=LEVEL)


def _outcome(run: RunRecord, records: Records) -> Outcome:
    value = math.nan if run.value is None else run.value
    return Outcome(
        name=run.run, fingerprint=run.key, state=run.state, value=value, documents=records.losses_of(run)
    )  # fmt: skip
