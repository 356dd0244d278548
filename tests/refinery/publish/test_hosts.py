"""A URI with a host, as HDFS has: the host belongs to the file system, and stays in every URI made of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.command.main import main
from refinery.publish import storage
from refinery.publish.runs import matching_outputs
from refinery.sources.config import SourceConfig
from refinery.sources.listing import list_files
from refinery.sources.store_paths import StorePath
from refinery.whatif.ledger import find_ledger
from tests.jobs.command.test_whatif import write_ledger
from tests.refinery.datasets.test_runs import run_file, write_run_file
from tests.support.webhdfs_server import webhdfs_server


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("requests", reason="fsspec's WebHDFS client needs it")
    (tmp_path / "served").mkdir()
    with webhdfs_server(tmp_path / "served") as uri:
        yield uri


def test_the_host_is_no_part_of_the_path(host: str) -> None:
    system, path = storage.file_system(f"{host}/data/of it/a.txt")

    assert path == "/data/of it/a.txt"
    assert system.url == f"http://{host.removeprefix('webhdfs://')}/webhdfs/v1"


def test_what_is_written_is_read_again_and_kept(host: str, tmp_path: Path) -> None:
    uri = f"{host}/data/of it/a.txt"

    storage.replace(uri, b"first")
    assert not storage.write_new(uri, b"second")

    assert storage.read_bytes(uri) == b"first"
    assert (tmp_path / "served/data/of it/a.txt").read_bytes() == b"first"
    assert storage.local_copy(uri).read_bytes() == b"first"


@pytest.mark.parametrize(
    ("beside", "path", "uri"),
    [
        ("s3a://bucket/in", "bucket/in/a.txt", "s3a://bucket/in/a.txt"),
        ("s3://bucket/in/", "bucket/in/a.txt", "s3://bucket/in/a.txt"),
        ("memory://bucket/in", "/bucket/in/a.txt", "memory://bucket/in/a.txt"),
        ("webhdfs://node:9870/in", "/in/a.txt", "webhdfs://node:9870/in/a.txt"),
        ("webhdfs://node:9870/in/", "/in/a.txt", "webhdfs://node:9870/in/a.txt"),
        ("webhdfs://node:9870/in/*/b", "/in/a/b", "webhdfs://node:9870/in/a/b"),
        ("webhdfs://node:9870/", "/a.txt", "webhdfs://node:9870/a.txt"),
        ("webhdfs://node:9870", "/a.txt", "webhdfs://node:9870/a.txt"),
        ("/in", "/in/a.txt", "/in/a.txt"),
    ],
)
def test_a_uri_is_made_of_a_path_with_scheme_and_host(beside: str, path: str, uri: str) -> None:
    assert storage.uri_of(path, beside=beside) == uri


def test_files_of_a_source_say_where_they_lie_and_whether_they_changed(
    host: str, tmp_path: Path
) -> None:
    folder = tmp_path / "served/in/date=2024"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    source = SourceConfig(name="s", uri=f"{host}/in", format="text")

    (before,) = list_files(source)
    os.utime(folder / "a.txt", (1_700_000_000, 1_700_000_000))
    (after,) = list_files(source)

    assert (before.name, before.uri) == ("date=2024/a.txt", f"{host}/in/date=2024/a.txt")
    assert storage.read_bytes(before.uri) == b"one"
    assert before.changed != after.changed == "1700000000000"
    (alone,) = list_files(source.model_copy(update={"uri": before.uri}))
    assert (alone.name, alone.uri) == ("a.txt", before.uri)


def test_folders_are_looked_into(host: str, tmp_path: Path) -> None:
    (tmp_path / "served/in/b").mkdir(parents=True)
    (tmp_path / "served/in/b/a.txt").write_text("one")

    assert list(StorePath(f"{host}/in").iterdir()) == [StorePath(f"{host}/in/b")]
    assert StorePath(f"{host}/in").files() == [StorePath(f"{host}/in/b/a.txt")]


def test_runs_and_ledgers_are_found(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run_file(str(tmp_path / "served/runs/day-1"), run_file())
    write_ledger(tmp_path / "served/ledger")

    assert matching_outputs(f"{host}/runs/*") == [f"{host}/runs/day-1"]
    assert find_ledger(f"{host}/ledger").files == (f"{host}/ledger/part.parquet",)
    assert main(["whatif", f"{host}/ledger", "--set", "language.min_score=0.5"]) == 0
    assert "web" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a::b.txt", "a::file://b.txt"])
def test_two_colons_in_a_name_lead_to_no_other_object(name: str) -> None:
    """fsspec's own reading of URIs takes them for a chain of stores."""
    system, path = storage.file_system(f"s3a://bucket/folder/{name}")

    assert "s3" in system.protocol
    assert path == f"bucket/folder/{name}"
