"""Sources on an S3 store: a moto server in this process stands in for the real one."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from refinery.publish import storage
from refinery.sources.config import ReadLimits, SourceConfig
from refinery.sources.listing import list_files
from refinery.sources.reading import read_stream
from refinery.sources.record import Fetch
from tests.support.object_store import moto_store


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with moto_store(monkeypatch):
        system, _ = storage.file_system("s3://corpus")
        system.makedirs("corpus", exist_ok=True)
        yield "corpus"


def test_files_of_a_bucket_are_listed_and_streamed(bucket: str) -> None:
    system, _ = storage.file_system(f"s3://{bucket}")
    system.pipe_file(f"{bucket}/web/a.jsonl.gz", gzip.compress('{"text": "你好"}\n'.encode()))
    system.pipe_file(f"{bucket}/web/skip.txt", b"no")
    source = SourceConfig(name="s", uri=f"s3://{bucket}/web", format="jsonl", pattern="*.gz")

    (file,) = list_files(source)

    assert (file.name, file.uri) == ("a.jsonl.gz", f"s3://{bucket}/web/a.jsonl.gz")
    assert file.changed  # the ETag: contents are hashed again only when it changes
    store, path = storage.file_system(file.uri)
    with store.open(path, "rb") as stream:
        (row,) = read_stream(stream, source=source, name=file.name, limits=ReadLimits())
    assert isinstance(row, Fetch)
    assert row.payload.decode() == "你好"
