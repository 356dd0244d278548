"""Run stages in order: fingerprint, skip what is published, run, count, publish.

A killed run leaves attempts that no record names; the next takes up at the first stage without one.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import NoneType

from pyspark.sql import SparkSession
from rich.console import Console

from jobs.pipeline.java_errors import log_without_interruptions, one_line_errors
from jobs.pipeline.metering import metered
from jobs.pipeline.progress import spark_progress
from jobs.pipeline.recording import record_run
from jobs.pipeline.stage import Contents, NothingNew, Stage, StageContext
from jobs.spark.job_names import job_group
from jobs.spark.session import build_session, plan_for
from refinery.preflight.checks import check_settings
from refinery.preflight.datasets import refuse_dataset_of_other_stage
from refinery.publish.records import StageRecord
from refinery.publish.runs import alone_in
from refinery.publish.store import Store, summarise_tables
from refinery.recipe import RefineSettings
from schemas.errors import SettingsError
from schemas.fingerprints import canonical_json, stage_fingerprint
from schemas.settings import nearest
from schemas.version import code_version

logger = logging.getLogger(__name__)


@dataclass
class RefineRun:
    """One walk through the stages of a recipe."""

    settings: RefineSettings
    store: Store
    console: Console
    session: Callable[[], SparkSession]
    records: dict[str, StageRecord] = field(default_factory=dict)
    nothing_new: str | None = None

    def fingerprint(self, stage: Stage) -> str | None:
        """The fingerprint of a stage whose inputs are published; None where only running it tells."""
        contents = stage.contents(self.settings.recipe, self.store)
        return None if contents is None else self.fingerprint_with(stage, contents)

    def fingerprint_with(self, stage: Stage, contents: Contents) -> str:
        """The fingerprint of a stage that reads files of these contents."""
        recipe = self.settings.recipe
        return stage_fingerprint(
            stage=stage.name,
            version=stage.version,
            settings=stage.settings(recipe),
            inputs={n: self.records[n].identity for n in stage.inputs if n in self.records},
            files=contents,
        )

    def take_published(self, stage: Stage, fingerprint: str | None) -> bool:
        """Use a stage's record where there is one; says whether."""
        record = None if fingerprint is None else self.store.record(stage.name, fingerprint)
        if record is not None and not stage.is_present(self.settings.runtime):
            return False
        if record is not None:
            if stage.facts is not None:
                record.facts_of(stage.facts)  # refused here, not by a later stage hours from now
            self.records[stage.name] = record
            self.console.print(f"[dim]{stage.name:<14} published earlier, skipped[/dim]")
        return record is not None

    def execute(self, stage: Stage, fingerprint: str | None) -> None:
        """Run one stage into a fresh attempt and publish it."""
        started, clock = datetime.now(UTC), time.monotonic()
        attempt_uri = self.store.new_attempt(stage.name)
        context = StageContext(
            recipe=self.settings.recipe,
            runtime=self.settings.runtime,
            store=self.store,
            records=self.records,
            attempt_uri=attempt_uri,
            fingerprint=fingerprint or "",
            spark=self.session(),
        )
        read = [self.records[name] for name in stage.inputs if name in self.records]
        plan_for(context.spark, sum(one.bytes for one in read) if read else None)
        with (
            spark_progress(context.spark, stage.name, self.console),
            one_line_errors(attempt_uri),
            job_group(context.spark, stage.name, self.settings.recipe.name),
            metered(context.spark) as meter,
        ):
            facts = stage.run(context)
        assert isinstance(facts, stage.facts or NoneType), f"{stage.name}: facts {type(facts)}"
        record = StageRecord(
            stage=stage.name,
            # Of what was read, where the stage says so: it may have changed since it was listed.
            fingerprint=self.fingerprint_with(stage, context.contents)
            if context.contents or fingerprint is None
            else fingerprint,
            attempt=attempt_uri.rsplit("/", 1)[-1],
            tables=summarise_tables(attempt_uri),
            artefacts=context.artefact_hashes(),
            inputs={one.stage: one.fingerprint for one in read},
            settings=json.loads(canonical_json(stage.settings(self.settings.recipe))),
            counts=context.counts,
            facts=facts.model_dump(mode="json") if facts is not None else {},
            seconds=round(time.monotonic() - clock, 1),
            cost=meter.cost,
            started_at=started.isoformat(timespec="seconds"),
            code_version=code_version(),
        )
        self.records[stage.name] = self.store.publish(record)
        rows = ", ".join(f"{name} {one.rows:,}" for name, one in record.tables.items())
        self.console.print(f"{stage.name:<14} {record.seconds:6.1f} s   {rows}")
        for warning in context.warnings:
            self.console.print(
                f"warning: {stage.name}: {warning}", style="yellow", markup=False, soft_wrap=True
            )

    def do(self, stage: Stage, *, too_early_for: str | None, packs: bool) -> None:
        """Take a stage's record, or run it; in one process at a time, also over shared tables.

        Raises:
            PipelineError: It may not run, or the output holds a dataset that was made otherwise.
        """
        fingerprint = self.fingerprint(stage)
        claimed = fingerprint or self.fingerprint_with(stage, [])
        with self.store.claim(claimed, partial(self.say_waiting, stage)):
            # Another run may have read the files while this one waited.
            fingerprint = fingerprint or self.fingerprint(stage)
            if self.take_published(stage, fingerprint):
                return
            if too_early_for is not None:
                raise SettingsError(
                    f"--from {too_early_for}: stage '{stage.name}' is not published yet"
                )
            if packs and fingerprint is not None:
                refuse_dataset_of_other_stage(self.settings, stage.name, fingerprint)
            self.execute(stage, fingerprint)

    def say_waiting(self, stage: Stage) -> None:
        self.console.print(f"[dim]{stage.name:<14} another run computes the same; waiting[/dim]")


def run_stages(
    settings: RefineSettings,
    stages: Sequence[Stage],
    *,
    first: str | None = None,
    last: str | None = None,
) -> RefineRun:
    """Run the stages of a recipe, skipping the published ones.

    Args:
        settings: The recipe, and where and how it runs.
        stages: All stages of a recipe in their order; those that it leaves out are skipped.
        first: Name of the first stage that may run; the ones before it must be published.
        last: Name of the last stage to run, None for all.

    Raises:
        SettingsError: A name that is no stage, or an unpublished stage before `first`.
    """
    enabled = [stage for stage in stages if stage.enabled(settings.recipe)]
    names = [stage.name for stage in enabled]
    for name in filter(None, (first, last)):
        if name not in names:
            raise SettingsError(f"no stage '{name}' in this recipe{nearest(name, names)}")
    stop = names.index(last) + 1 if last else len(enabled)
    start = names.index(first) if first else 0
    check_settings(settings, packs=stop == len(enabled))
    log_without_interruptions()
    store = Store(settings.runtime.tables_uri)
    sessions: list[SparkSession] = []

    def session() -> SparkSession:
        if not sessions:
            sessions.append(build_session(settings.recipe.name, settings.runtime))
        return sessions[0]

    run, started = RefineRun(settings, store, Console(stderr=True), session), datetime.now(UTC)
    with alone_in(settings.runtime.output), store.share():
        try:
            for index, stage in enumerate(enabled[:stop]):
                early = first if index < start else None
                run.do(stage, too_early_for=early, packs=stop == len(enabled))
                record_run(run.settings, run.store, run.records, started)
        except NothingNew as end:
            run.nothing_new = str(end)
            record_run(run.settings, run.store, run.records, started)
            run.console.print(f"nothing new: {end}; no new dataset", soft_wrap=True)
    return run
