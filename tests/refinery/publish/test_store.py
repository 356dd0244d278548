from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from schemas.errors import PipelineError


def _record(store: Store, fingerprint: str, attempt: str, **more: object) -> StageRecord:
    return StageRecord.model_validate(
        {
            "stage": "clean", "fingerprint": fingerprint, "attempt": attempt, "tables": {},
            "artefacts": {}, "inputs": {}, "seconds": 1.0, "started_at": "t", "code_version": "0",
            **more,
        }
    )  # fmt: skip


def test_the_first_record_wins(tmp_path: Path) -> None:
    store = Store(str(tmp_path))

    first = store.publish(_record(store, "f", "one"))
    second = store.publish(_record(store, "f", "two"))

    assert first.attempt == second.attempt == "one"


def test_attempts_of_dead_runs_are_removed_and_published_ones_stay(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for name in ("dead", "living"):
        (tmp_path / "clean" / name / "table=cleaned").mkdir(parents=True)
    store.publish(_record(store, "f", "living"))
    (tmp_path / "clean" / "g.killed").mkdir()

    with store.share():
        pass

    assert not (tmp_path / "clean" / "dead").exists()
    assert (tmp_path / "clean" / "living").is_dir()
    assert (tmp_path / "clean" / "g.killed").is_dir()


def test_a_second_run_is_kept_out_and_told_who_is_there(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    code = (
        "from refinery.publish.store import Store\n"
        f"with Store({str(tmp_path)!r}).alone():\n    print('held', flush=True)\n    input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"

    with (
        pytest.raises(PipelineError, match=f"in use by another run .process {other.pid}."),
        store.alone(),
    ):
        pass

    other.kill()
    other.wait()
    with store.alone():
        pass


def test_a_trained_artefact_counts_by_content(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    one = _record(store, "f", "one", artefacts={"model": "abc"})
    again = _record(store, "g", "two", artefacts={"model": "abc"})

    assert one.identity == again.identity
    assert _record(store, "g", "two").identity == "g"


def test_a_new_file_is_written_once_and_leaves_no_debris(tmp_path: Path) -> None:
    uri = str(tmp_path / "a" / "b.json")

    assert storage.write_new(uri, b"1")
    assert not storage.write_new(uri, b"2")
    assert storage.read_bytes(uri) == b"1"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.json"]
