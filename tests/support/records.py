"""Stage records of tables that a test wrote itself."""

from __future__ import annotations

from refinery.publish.records import StageRecord, TableSummary


def clean_stage_record(tables: dict[str, TableSummary]) -> StageRecord:
    """A published clean stage, attempt `run`, with these tables."""
    return StageRecord(
        stage="clean",
        fingerprint="0" * 64,
        attempt="run",
        tables=tables,
        artefacts={},
        inputs={},
        seconds=0.0,
        started_at="2000-01-01T00:00:00+00:00",
        code_version="0",
    )
