"""Write down how far a run has come, for whoever asks or reports it before its end."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime

from refinery.publish.records import StageRecord
from refinery.publish.run_file import (
    RunFile,
    masked_command,
    masked_settings,
    package_versions,
    relative_tables,
    write_run_file,
)
from refinery.publish.runs import register_run
from refinery.publish.store import Store
from refinery.recipe import RefineSettings
from schemas.version import code_version


def record_run(
    settings: RefineSettings, store: Store, records: Mapping[str, StageRecord], started: datetime
) -> None:
    """Write `run.json` with the stages that are published so far."""
    output = settings.runtime.output
    file = RunFile(
        name=settings.recipe.name,
        command=masked_command(sys.argv),
        code_version=code_version(),
        packages=package_versions(),
        settings=masked_settings(settings.model_dump(mode="json", exclude_defaults=True)),
        tables=relative_tables(output, store.root),
        stages={name: record.fingerprint for name, record in records.items()},
        started_at=started.isoformat(timespec="seconds"),
    )
    write_run_file(output, file)
    register_run(output, store, file.stages)
