"""How a run was made, how far it came, and which of its lists matched nothing."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from refinery.clean.facts import CleanFacts
from refinery.datasets.runs import Run
from refinery.publish.records import StageRecord
from refinery.report.data import RunFacts

# Stages of every whole run; others depend on the recipe.
WHOLE = ("ingest", "clean", "vocabulary", "tokenise", "mixture", "pack")


def run_facts(run: Run) -> RunFacts | None:
    """Command, versions and recipe; None where the run is of a version that wrote no run.json."""
    if run.file is None:
        return None
    return RunFacts(
        command=run.file.command,
        code_version=run.file.code_version,
        packages=run.file.packages,
        recipe=yaml.safe_dump(run.file.settings, allow_unicode=True, sort_keys=False, width=110),
        started_at=run.file.started_at,
    )


def missing_stages(run: Run) -> tuple[str, ...]:
    """Stages of a whole run that this one has not published."""
    if run.manifest is not None:
        return ()
    return tuple(stage for stage in WHOLE if stage not in run.records)


def unmatched_lists(records: Mapping[str, StageRecord]) -> tuple[str, ...]:
    """Addresses, domains, ids and lists of the recipe that mean no document: misspelt, most often."""
    clean = records.get("clean")
    return tuple(clean.facts_of(CleanFacts).unmatched) if clean is not None else ()
