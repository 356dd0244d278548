"""Tables of what is recorded: each arm beside the reference, over all evaluation texts or over one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import compress
from typing import TypedDict

from benchmarks.outcome.studies import OutcomeStudy
from benchmarks.train.founding.tables import ArmLine
from benchmarks.train.run_records import Records, RunRecord
from train.statistics.blocks import Pairing, block_differences, pairing, run_deviation
from train.statistics.families import benjamini_hochberg
from train.statistics.intervals import LEVEL
from train.statistics.paired import detectable
from train.studies.outcome import Documents, Outcome
from train.studies.verdicts import documents_difference


class Kind(TypedDict):
    """What is known of an evaluation document."""

    kind: str
    bytes: int


Kinds = Mapping[str, Kind]


@dataclass(frozen=True, kw_only=True)
class OutcomeTable:
    """A study's table, the reference first.

    Attributes:
        deviation: Standard deviation of a run beyond its arm and its seed; NaN before the second seed.
        freedom: Its degrees of freedom.
        cpu_hours: Of its recorded runs.
        tokens: Packed tokens that a run of each arm read, where one is recorded.
        pairing: What runs of equal seeds share; None before it is known.
    """

    lines: tuple[ArmLine, ...]
    deviation: float
    freedom: int
    cpu_hours: float
    tokens: Mapping[str, int]
    pairing: Pairing | None = None


def outcome_table(
    study: OutcomeStudy,
    records: Records,
    kinds: Kinds,
    *,
    kind: str | None = None,
    figure: str | None = None,
) -> OutcomeTable:
    """The table of a study; less is better in all measures, more in figures beside them.

    Args:
        study: Which one.
        records: All that is recorded.
        kinds: The evaluation documents.
        kind: One evaluation text; None: all of them, by the runs' own measure.
        figure: Name of a figure beside the measure, as `blimp`, instead of it.
    """
    runs = records.of_study(study.name)
    found: dict[str, dict[int, Outcome]] = {arm: {} for arm in study.arms}
    for run in runs:
        outcome = _outcome(run, records, kinds, kind) if figure is None else _beside(run, figure)
        if outcome is not None and run.arm in found:
            found[run.arm][run.seed] = outcome
    values = {arm: {seed: one.value for seed, one in own.items()} for arm, own in found.items()}
    reference = study.arms[0]
    blocks = block_differences(values, reference) if values[reference] else {}
    lines, chances = [], []
    for arm in study.arms:
        failed = sum(run.arm == arm and run.state == "failed" for run in runs)
        line = ArmLine(
            arm=arm, by_seed=values[arm], failed=failed, is_better_high=figure is not None
        )
        block = blocks.get(arm)
        if block is not None:
            pairs = [
                (one, found[reference][seed])
                for seed, one in found[arm].items()
                if seed in found[reference]
            ]
            line = replace(
                line,
                difference=block.difference,
                smallest=detectable(block.difference.standard_error, block.freedom + 1),
                documents=documents_difference(pairs, level=LEVEL),
            )
        lines.append(line)
        chances.append(math.nan if block is None else block.p_value)
    lines = [
        replace(line, adjusted=chance)
        for line, chance in zip(lines, benjamini_hochberg(chances), strict=True)
    ]
    known = any(len(own) > 1 for own in values.values())
    deviation, freedom = run_deviation(values) if known else (math.nan, 0)
    hours = sum(run.cpu_seconds for run in runs) / 3600
    return OutcomeTable(
        lines=tuple(lines),
        deviation=deviation,
        freedom=freedom,
        cpu_hours=hours,
        tokens={run.arm: run.tokens for run in runs if run.state == "done"},
        pairing=pairing(values),
    )


def _outcome(run: RunRecord, records: Records, kinds: Kinds, kind: str | None) -> Outcome | None:
    """A run's outcome, or its part of one evaluation text in bits per byte; None where it has none."""
    documents = records.losses_of(run)
    if run.state != "done" or run.value is None:
        return None
    value = run.value
    if kind is not None:
        if documents is None:
            return None
        documents = _of_kind(documents, kinds, kind)
        whole = sum(kinds[name]["bytes"] for name in documents.names)
        if not whole:
            return None
        value = sum(documents.losses) / math.log(2) / whole
    return Outcome(
        name=run.run, fingerprint=run.key, state=run.state, value=value, documents=documents
    )


def _beside(run: RunRecord, figure: str) -> Outcome | None:
    """A figure of a run that stands beside its measure; None where it has none."""
    if run.state != "done" or figure not in run.figures:
        return None
    return Outcome(name=run.run, fingerprint=run.key, state=run.state, value=run.figures[figure])


def _of_kind(documents: Documents, kinds: Kinds, kind: str) -> Documents:
    chosen = [kinds.get(name, {"kind": ""})["kind"] == kind for name in documents.names]
    return replace(
        documents,
        names=tuple(compress(documents.names, chosen)),
        losses=tuple(compress(documents.losses, chosen)),
        labels=tuple(compress(documents.labels, chosen)),
    )
