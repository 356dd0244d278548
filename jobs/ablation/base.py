"""The finished run that an ablation begins with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import SparkSession
from rich.console import Console

from jobs.pipeline.runner import RefineRun
from jobs.pipeline.stage import Stage
from refinery.datasets.runs import open_run
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.recipe import RefineSettings
from schemas.errors import SettingsError
from schemas.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class BaseRun:
    """A finished run whose recipe has not changed since.

    Attributes:
        records: Its stages but `pack`, by name.
    """

    settings: RefineSettings
    store: Store
    records: dict[str, StageRecord]
    manifest: Manifest


def open_base(settings: RefineSettings, stages: Sequence[Stage]) -> BaseRun:
    """Open the run of a recipe; nothing is read of its tables.

    Raises:
        SettingsError: There is none, it has not ended, or the recipe or its input has changed since.
    """
    output, recipe = settings.runtime.output, settings.recipe
    run = open_run(output)
    wanted = [stage for stage in stages if stage.enabled(recipe) and stage.name != "pack"]
    missing = [stage.name for stage in wanted if stage.name not in run.records]
    if missing or run.manifest is None:
        raise SettingsError(
            f"{output}: the run has not ended: no {', '.join(missing) or 'dataset'} yet; "
            "`refinery refine` goes on with it, and an ablation begins with a finished run"
        )
    walk = walker(settings, run.store, _no_session)
    for stage in wanted:
        record = run.records[stage.name]
        walk.records[stage.name] = record
        fingerprint = walk.fingerprint(stage)
        if fingerprint is not None and fingerprint != record.fingerprint:
            raise SettingsError(
                f"{output}: what stage '{stage.name}' reads has changed since it ran (fingerprint "
                f"{record.fingerprint[:12]}, now {fingerprint[:12]}): the recipe, its files or this program; "
                "`refinery refine` makes it anew"
            )
    return BaseRun(
        settings=settings, store=run.store, records=dict(walk.records), manifest=run.manifest
    )


def walker(
    settings: RefineSettings, store: Store, session: Callable[[], SparkSession]
) -> RefineRun:
    """A walk through stages that prints as `refinery refine` does."""
    return RefineRun(settings, store, Console(stderr=True), session)


def _no_session() -> SparkSession:
    raise AssertionError("fingerprints need no Spark")
