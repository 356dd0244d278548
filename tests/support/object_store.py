"""An S3 store in this process: a moto server that answers where the environment points to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def moto_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start the server for as long as the context lasts; skip the test where moto or s3fs lack.

    Its buckets outlive it: moto keeps them for the whole process.
    """
    s3fs = pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
    moto_server = pytest.importorskip("moto.server", reason="moto is not installed")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # fsspec would give out a connection to the server of an earlier test.
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        yield
    finally:
        server.stop()
