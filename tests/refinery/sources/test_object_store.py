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

pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto is not installed")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    storage._file_system.cache_clear()
    try:
        system, _ = storage.file_system("s3://corpus")
        system.mkdir("corpus")
        yield "corpus"
    finally:
        storage._file_system.cache_clear()
        server.stop()


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
