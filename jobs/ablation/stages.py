"""The stages of an arm: those of a run, of which two take what the base has published already.

Both write what the whole stage would have written, so they publish under its fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial, reduce

from pyspark.sql import DataFrame

from jobs.pipeline.stage import Stage, StageContext
from jobs.stages import clean, tokenise
from refinery.clean.facts import CleanFacts
from refinery.clean.rejudging import rejudged
from refinery.fates import ordered_edits
from refinery.publish.facts import StageFacts
from refinery.publish.records import StageRecord
from refinery.quality.top_fraction import mark_beyond

# What every arm shares with the base: its pages, its models, its benchmarks and its tokenizer.
SHARED = ("ingest", "quality", "homographs", "benchmarks", "vocabulary")
Records = Mapping[str, StageRecord]


def arm_stages(stages: tuple[Stage, ...], base: Records) -> list[Stage]:
    """The stages of a run that an arm may have to do, made to read the base's tables."""
    runs: dict[str, Callable[[StageContext], StageFacts | None]] = {
        "clean": partial(_judge_anew, base=base),
        "tokenise": partial(_tokenise_new, base=base),
    }
    return [
        replace(stage, run=runs.get(stage.name, stage.run))
        for stage in stages
        if stage.name not in SHARED
    ]


def of_base(context: StageContext, base: Records) -> StageContext:
    """A context that reads the base's tables."""
    return replace(context, records=base)


def _judge_anew(context: StageContext, *, base: Records) -> CleanFacts:
    """The tables of cleaning with other verdicts; no page is parsed."""
    config, before = context.recipe.clean, of_base(context, base)
    for table in ("edits", "rejects"):
        context.write(table, before.read(table, stage="clean"))
    ledger = rejudged(before.read("ledger"), config)
    for table in ("cleaned", "ledger"):
        rows = rejudged(before.read(table), config)
        context.write(table, mark_beyond(rows, ledger, config.top_fractions))
    return clean.finish(context)


def _tokenise_new(context: StageContext, *, base: Records) -> None:
    """Tokens of documents that the base has not tokenised with the same edits; the others' are taken."""
    before = of_base(context, base)
    stages = [name for name in ("clean", "dedup", "decontaminate") if name in base]
    edits = reduce(DataFrame.unionByName, (before.read("edits", stage=name) for name in stages))
    tokens = before.read("tokens").drop("source", "split")
    known = tokens.join(ordered_edits(edits), ["doc_id"], how="left")
    tokenise.run_with(context, known=known)
