"""Which records are a run's own, also where its tables serve other outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from refinery.publish.records import StageRecord
from refinery.publish.retention import attempts_without_record, superseded
from refinery.publish.run_file import RunFile, write_run_file
from refinery.publish.runs import earlier_outputs, register_run, registered_runs, stages_of
from refinery.publish.store import Store
from schemas.errors import ContractError, SettingsError
from tests.support.published import published_tables


def _record(folder: Path, **changed: str) -> StageRecord:
    return published_tables(folder, {"pack": {}}).records["pack"].model_copy(update=changed)


def _write(output: Path, stage: str, fingerprint: str, *, tables: str = "tables") -> None:
    file = RunFile(
        name="r", command=(), code_version="0", packages={}, settings={}, tables=tables,
        stages={stage: fingerprint}, started_at="2000-01-01",
    )  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    write_run_file(str(output), file)


def test_without_a_run_file_the_record_that_started_last_is_taken(tmp_path: Path) -> None:
    run = stages_of(str(tmp_path))
    with pytest.raises(SettingsError, match="refinery refine --until pack"):
        run.record("pack")
    for day, fingerprint in (("2", "a"), ("3", "b"), ("1", "c")):
        started, name = f"2000-01-0{day}", fingerprint * 64
        run.store.publish(_record(tmp_path / "x", started_at=started, fingerprint=name))

    assert run.record("pack").fingerprint == "b" * 64


def test_of_shared_tables_a_run_sees_its_own_records(tmp_path: Path) -> None:
    tables = str(tmp_path / "tables")
    for output, fingerprint in (("one", "a" * 64), ("two", "b" * 64)):
        _write(tmp_path / output, "pack", fingerprint, tables=tables)
        stages_of(str(tmp_path / output)).store.publish(
            _record(tmp_path / "x", fingerprint=fingerprint, started_at=output)
        )

    one = stages_of(str(tmp_path / "one"))

    assert one.store.root == tables
    assert one.record("pack").fingerprint == "a" * 64


def test_an_output_that_was_moved_keeps_the_tables_inside_it(tmp_path: Path) -> None:
    _write(tmp_path / "old", "pack", "a" * 64)
    (tmp_path / "old").rename(tmp_path / "new")

    assert stages_of(str(tmp_path / "new")).store.root == str(tmp_path / "new" / "tables")


def test_a_run_file_of_another_form_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")

    with pytest.raises(ContractError, match=r"run\.json: not the file of a run"):
        stages_of(str(tmp_path))


def test_a_pattern_gives_the_runs_before_an_output_in_their_order(tmp_path: Path) -> None:
    for day in ("2024-01-02", "2024-01-01", "2024-01-03", "2024-01-05"):
        _write(tmp_path / day, "dedup", "a" * 64)
    _write(tmp_path / "2024-01-04", "ingest", "a" * 64)
    (tmp_path / "2024-01-00").mkdir()

    found = earlier_outputs(f"{tmp_path}/*", before=f"{tmp_path}/2024-01-05", stage="dedup")

    assert [Path(one).name for one in found] == ["2024-01-01", "2024-01-02", "2024-01-03"]


def test_a_name_without_a_pattern_is_that_run(tmp_path: Path) -> None:
    assert earlier_outputs("runs/a", before="runs/b", stage="dedup") == ["runs/a"]


def test_the_tables_know_which_outputs_use_them(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "tables"))
    for output, fingerprint in (("one", "a"), ("two", "b"), ("one", "c")):
        register_run(str(tmp_path / output), store, {"clean": fingerprint})

    found = sorted((run.output, run.stages["clean"]) for run in registered_runs(store).values())

    assert found == [(f"{tmp_path}/one", "c"), (f"{tmp_path}/two", "b")]
    assert store.stages() == []


def test_what_a_needed_stage_was_made_of_is_needed(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for stage, name, inputs in (
        ("ingest", "a", {}), ("ingest", "b", {}), ("clean", "c", {"ingest": "a"}), ("clean", "d", {"ingest": "b"}),
    ):  # fmt: skip
        record = _record(tmp_path / "x", fingerprint=name).model_copy(
            update={"stage": stage, "inputs": inputs, "attempt": f"of-{name}"}
        )
        store.publish(record)
        (tmp_path / stage / f"of-{name}").mkdir()

    old = superseded(store, {("clean", "c")})

    assert [(record.stage, record.fingerprint) for record in old] == [
        ("clean", "d"),
        ("ingest", "b"),
    ]
    folders = attempts_without_record(store, old, age_hours=0)
    assert [folder.rsplit("/", 1)[1] for folder in folders] == ["of-d", "of-b"]
