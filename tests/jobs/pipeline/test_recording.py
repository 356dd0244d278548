"""run.json says which recipe and stages a run is of, without defaults and secrets."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jobs.pipeline.recording import record_run
from refinery.publish.run_file import read_run_file
from refinery.publish.store import Store
from refinery.recipe import RefineSettings
from tests.support.records import clean_stage_record


def test_a_run_is_written_down_as_far_as_it_came(tmp_path: Path) -> None:
    settings = RefineSettings.model_validate(
        {
            "recipe": {"name": "n", "sources": [{"name": "a", "uri": "u:p@h", "format": "text"}]},
            "runtime": {"output": str(tmp_path)},
        }
    )
    records = {"clean": clean_stage_record({})}

    record_run(settings, Store(f"{tmp_path}/tables"), records, datetime(2026, 1, 1, tzinfo=UTC))

    found = read_run_file(str(tmp_path))
    assert found is not None
    assert found.stages == {"clean": "0" * 64}
    assert found.tables == "tables"
    assert found.settings["recipe"] == {
        "name": "n", "sources": [{"name": "a", "uri": "u:p@h", "format": "text"}],
    }  # fmt: skip
    assert found.packages["python"]
