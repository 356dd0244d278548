"""The processes of an asynchronous run: the first server's exit code counts, lost workers are told."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from train.parallel.config import AsynchronousConfig
from train.parameter_server import launch

CONFIG = AsynchronousConfig(workers=2, servers=2, staleness=1)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def start_with(codes: list[int | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each rank end with its code at once; one of None goes on."""

    def start(
        rank: int, config: AsynchronousConfig, port: int, arguments: list[str]
    ) -> subprocess.Popen[bytes]:
        code = codes[rank]
        script = "import time; time.sleep(600)" if code is None else f"import sys; sys.exit({code})"
        return subprocess.Popen([sys.executable, "-S", "-c", script])

    monkeypatch.setattr(launch, "_start", start)


@pytest.mark.parametrize("code", [0, 3])
def test_the_first_servers_code_is_the_runs(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    start_with([code, 0, 0, 0], monkeypatch)

    assert launch.launch(CONFIG, ["pretrain"]) == code


def test_a_lost_worker_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start_with([0, 0, 0, 7], monkeypatch)

    with caplog.at_level(logging.WARNING):
        assert launch.launch(CONFIG, ["pretrain"]) == 0

    assert "worker 1 ended with exit code 7" in caplog.text


def test_a_dead_server_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    start_with([None, 1, None, None], monkeypatch)

    assert launch.launch(CONFIG, ["pretrain"]) == 1
