"""Which published stages are those of a run: by run.json, by the manifest, by the newest chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from refinery.datasets.runs import is_run, open_run
from refinery.publish.records import StageRecord
from refinery.publish.run_file import (
    RunFile,
    masked_command,
    masked_settings,
    relative_tables,
    tables_uri,
    write_run_file,
)
from refinery.publish.store import Store
from schemas.errors import ContractError, SettingsError


def publish(store: Store, stage: str, number: int, at: str, **inputs: int) -> None:
    store.publish(
        StageRecord(
            stage=stage, fingerprint=f"{number:064d}", attempt="x", tables={}, artefacts={},
            inputs={name: f"{value:064d}" for name, value in inputs.items()}, seconds=0.0,
            started_at=f"2026-01-01T00:00:{at}+00:00", code_version="0",
        )
    )  # fmt: skip


def run_file(**stages: int) -> RunFile:
    return RunFile(
        name="n", command=(), code_version="0", packages={}, settings={}, tables="tables",
        stages={name: f"{number:064d}" for name, number in stages.items()}, started_at="t",
    )  # fmt: skip


def numbers(output: Path) -> dict[str, int]:
    return {name: int(record.fingerprint) for name, record in open_run(str(output)).records.items()}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Clean ran twice; dedup was made from the first clean, before the second."""
    store = Store(str(tmp_path / "tables"))
    publish(store, "ingest", 1, "01")
    publish(store, "clean", 2, "02", ingest=1)
    publish(store, "dedup", 3, "03", clean=2)
    publish(store, "clean", 4, "04", ingest=1)
    return store


def test_without_a_file_the_newest_records_that_fit_together_are_the_run(
    tmp_path: Path, store: Store
) -> None:
    assert numbers(tmp_path) == {"ingest": 1, "clean": 4}, "dedup is of the superseded clean"
    publish(store, "dedup", 5, "05", clean=2)
    assert numbers(tmp_path) == {"ingest": 1, "clean": 2, "dedup": 5}


def test_the_file_names_the_stages_of_the_last_run(tmp_path: Path, store: Store) -> None:
    write_run_file(str(tmp_path), run_file(ingest=1, clean=2))

    assert numbers(tmp_path) == {"ingest": 1, "clean": 2}


def test_a_record_that_is_gone_is_named(tmp_path: Path, store: Store) -> None:
    write_run_file(str(tmp_path), run_file(ingest=9))

    with pytest.raises(ContractError, match="record of stage 'ingest' is missing"):
        open_run(str(tmp_path))


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    assert not is_run(str(tmp_path))
    with pytest.raises(SettingsError, match="no run there"):
        open_run(str(tmp_path))


def test_a_run_that_moved_finds_its_tables(tmp_path: Path) -> None:
    inside = relative_tables(f"{tmp_path}/out", f"{tmp_path}/out/tables")
    shared = relative_tables("s3://b/out", "s3://b/shared")

    assert (inside, shared) == ("tables", "s3://b/shared")
    moved = run_file().model_copy(update={"tables": inside})
    assert tables_uri("/elsewhere/out", moved) == "/elsewhere/out/tables"


def test_no_secret_is_written_down() -> None:
    settings = {
        "sources": [
            {"uri": "jdbc://user:pass@host/db", "options": {"password": "p", "dbtable": "t"}}
        ],
        "fields": {"author": "by", "max_tokens": 3},
    }

    assert masked_settings(settings) == {
        "sources": [{"uri": "jdbc://***@host/db", "options": {"password": "***", "dbtable": "t"}}],
        "fields": {"author": "by", "max_tokens": 3},
    }
    command = ("refine", "--set", "a.options.password=p", "--set", "o={user: u, password: p}", "--set", "x=1")  # fmt: skip
    assert masked_command(command) == (
        "refine", "--set", "a.options.password=***", "--set", "o=***", "--set", "x=1",
    )  # fmt: skip
