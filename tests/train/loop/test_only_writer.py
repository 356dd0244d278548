"""One run, one writer, whatever became of the last one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from schemas.errors import PipelineError, SettingsError
from train.distributed.world import World
from train.loop import only_writer as module
from train.loop.only_writer import LOCK_NAME, only_writer

ALONE = World(rank=0, size=1, device=torch.device("cpu"))
HOLD = (
    "import sys, time, torch\nfrom pathlib import Path\n"
    "from train.distributed.world import World\nfrom train.loop.only_writer import only_writer\n"
    "with only_writer(Path(sys.argv[1]), World(rank=0, size=1, device=torch.device('cpu'))):\n"
    "    print('held', flush=True); time.sleep(60)\n"
)


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_refused_by_process_and_host_until_the_first_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.3)
    first = holder(tmp_path)
    try:
        with pytest.raises(PipelineError) as refusal, only_writer(tmp_path, ALONE):
            pass
        host = socket.gethostname()
        assert f"{tmp_path}: in use by another run: process {first.pid} on {host}" in str(
            refusal.value
        )
        assert refusal.value.exit_code == 1
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()

    with only_writer(tmp_path, ALONE):  # a killed holder leaves nothing behind
        assert f"process {os.getpid()} on" in (tmp_path / LOCK_NAME).read_text()


def test_a_holder_that_is_about_to_leave_is_waited_for(tmp_path: Path) -> None:
    first = holder(tmp_path)
    first.terminate()

    with only_writer(tmp_path, ALONE):
        pass

    first.wait()


def test_a_folder_that_cannot_be_written_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(SettingsError, match=r"output .*: cannot be written \(Not a directory\)"),
        only_writer(tmp_path / "file" / "run", ALONE),
    ):
        pass
