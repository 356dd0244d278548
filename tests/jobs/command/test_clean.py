"""`refinery clean`: what no record names goes; with --keep-latest also what no output needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command.main import main
from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.run_file import RunFile, write_run_file
from refinery.publish.runs import register_run
from refinery.publish.store import Store
from schemas.errors import PipelineError, SettingsError
from tests.support.object_store import moto_store


def publish(store: Store, stage: str, number: int, **inputs: int) -> None:
    """A record, and an attempt with a file, whose names are the number."""
    record = StageRecord(
        stage=stage, fingerprint=f"{number:064d}", attempt=f"attempt{number}", tables={}, artefacts={},
        inputs={name: f"{value:064d}" for name, value in inputs.items()}, seconds=0.0,
        started_at=f"2026-01-01T00:00:0{number}+00:00", code_version="0",
    )  # fmt: skip
    store.publish(record)
    storage.replace(f"{store.root}/{stage}/attempt{number}/table=t/0.parquet", b"x")


def run_into(output: str, store: Store, **stages: int) -> None:
    named = {name: f"{number:064d}" for name, number in stages.items()}
    file = RunFile(
        name="n", command=(), code_version="0", packages={}, settings={}, tables=store.root,
        stages=named, started_at="t",
    )  # fmt: skip
    write_run_file(output, file)
    register_run(output, store, named)


def left(store: Store) -> list[str]:
    """Attempts and records, as stage/number."""
    system, path = storage.file_system(store.root)
    names = {name.removeprefix(f"{path}/") for name in map(str, system.find(path))}
    parts = [name.split("/") for name in names if not name.startswith(("runs/", "."))]
    return sorted({f"{p[0]}/{p[1].removeprefix('attempt')[-9:].lstrip('0')}" for p in parts})


def fill(root: str) -> Store:
    """Outputs a and b share ingest 1; clean 2 and dedup 3 are of an earlier run into a."""
    store = Store(f"{root}/tables")
    publish(store, "ingest", 1)
    publish(store, "clean", 2, ingest=1)
    publish(store, "dedup", 3, clean=2)
    publish(store, "clean", 4, ingest=1)
    publish(store, "dedup", 5, clean=4)
    publish(store, "clean", 6, ingest=1)
    run_into(f"{root}/a", store, clean=4, dedup=5)
    run_into(f"{root}/b", store, clean=6)
    storage.replace(f"{store.root}/clean/dead/table=t/0.parquet", b"x")
    return store


EVERYTHING = [
    "clean/2", "clean/2.json", "clean/4", "clean/4.json", "clean/6", "clean/6.json", "clean/dead",
    "dedup/3", "dedup/3.json", "dedup/5", "dedup/5.json", "ingest/1", "ingest/1.json",
]  # fmt: skip
OLD = {"clean/2", "clean/2.json", "dedup/3", "dedup/3.json"}


def test_an_attempt_without_a_record_is_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = fill(str(tmp_path))

    assert main(["clean", str(tmp_path / "a")]) == 0

    dead = tmp_path / "tables" / "clean" / "dead"
    assert capsys.readouterr().out == f"removed {dead}\n1 attempts removed\n"
    assert left(store) == [name for name in EVERYTHING if name != "clean/dead"]


def test_what_an_output_is_made_of_stays(tmp_path: Path) -> None:
    store = fill(str(tmp_path))

    assert main(["clean", str(tmp_path / "a"), "--keep-latest"]) == 0

    assert left(store) == [n for n in EVERYTHING if n not in {*OLD, "clean/dead"}]

    (tmp_path / "b" / "run.json").unlink()
    assert main(["clean", str(tmp_path / "a"), "--keep-latest"]) == 0
    assert "clean/6" not in left(store)
    assert "ingest/1" in left(store)


def test_a_dry_run_removes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = fill(str(tmp_path))

    assert main(["clean", str(tmp_path / "a"), "--keep-latest", "--dry-run"]) == 0

    told = capsys.readouterr().out
    assert "would be removed dedup 000000000000 of 2026-01-01T00:00:03+00:00" in told
    assert told.endswith("3 attempts would be removed\n")
    assert left(store) == EVERYTHING


def test_a_living_run_keeps_its_attempt(tmp_path: Path) -> None:
    store = fill(str(tmp_path))

    with store.share(), pytest.raises(PipelineError, match="in use by another run"):
        main(["clean", str(tmp_path / "a")])


def test_a_folder_without_tables_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no tables there"):
        main(["clean", str(tmp_path)])


def test_on_an_object_store_young_attempts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    with moto_store(monkeypatch):
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("clean-verb")
        store = fill("s3://clean-verb")

        assert main(["clean", "s3a://clean-verb/a", "--keep-latest"]) == 0
        kept = left(store)
        assert main(["clean", "s3a://clean-verb/a", "--older-than", "0"]) == 0

        assert kept == [name for name in EVERYTHING if name not in OLD]
        assert left(store) == [name for name in kept if name != "clean/dead"]
