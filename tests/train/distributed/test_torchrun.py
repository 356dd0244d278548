"""SIGTERM under torchrun: saved whatever the step's length, and exit code 0."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.datasets import DatasetShape, write_dataset
from train.distributed.torchrun import exit_codes, launches_train

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("arguments", "is_ours"),
    [
        (["/venv/bin/torchrun", "--nproc-per-node", "2", "-m", "train", "pretrain"], True),
        (["/site/torch/distributed/run.py", "--module", "train", "pretrain"], True),
        (["/venv/bin/torchrun", "-m", "trainer"], False),
        (["/venv/bin/torchrun", "train.py"], False),
        (["/repo/train/__main__.py", "-m", "train"], False),
        ([], False),
    ],
)
def test_only_a_torchrun_of_ours_is_changed(arguments: list[str], is_ours: bool) -> None:  # noqa: FBT001
    assert launches_train(arguments) is is_ours


def test_without_an_agent_no_exit_code_is_known() -> None:
    with pytest.raises(ValueError, match="bug") as error:
        raise ValueError("bug")

    assert exit_codes(error.value.__traceback__) == []


def plugin(folder: Path) -> Path:
    """The entry point as an installed wheel has it, whatever is installed here."""
    info = folder / "hook-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hook\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[torchrun.handlers]\nhook = train.distributed.torchrun:register\n"
    )
    return folder


@pytest.mark.slow
@pytest.mark.distributed
def test_a_step_longer_than_the_grace_is_left_saved_and_the_exit_code_is_0(tmp_path: Path) -> None:
    """400 micro-batches a step take longer than torchrun's wait of 20 s, on any machine with this sleep."""
    data = write_dataset(tmp_path / "data", DatasetShape(rows_per_shard=(400, 400)))
    (tmp_path / "slow.py").write_text(
        "import runpy, sys, time\nfrom train.data.spliced import SplicedReader\n"
        "read = SplicedReader.read\n"
        "def slow(self, samples):\n"
        "    time.sleep(0.2 if samples[0] >= 8 else 0); return read(self, samples)\n"
        "SplicedReader.read = slow\n"
        "sys.argv = ['train', *sys.argv[1:]]\nrunpy.run_module('train', run_name='__main__')\n"
    )
    recipe = {
        "manifest": str(data), "output": str(tmp_path / "run"), "stop": {"steps": 3}, "threads": 1,
        "model": {"preset": "gpt2-test"}, "loader": {"prefetch_microbatches": 1},
        "batch": {"sequences": 792, "microbatch": 1,
                  "ramp": {"start_sequences": 8, "over_tokens": 128, "quantum": 8}},
        "metrics": {"tensorboard": False, "peak_flops": 1e12},
    }  # fmt: skip
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    search = os.pathsep.join([str(ROOT), str(plugin(tmp_path / "plugin"))])
    # torchrun looks for `-m train`: the slow reader is `train` in a folder of its own.
    environment = {
        **os.environ, "PYTHONPATH": search, "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "20", "OMP_NUM_THREADS": "1",
        "PYTHON_EXEC": str(shim(tmp_path)),
    }  # fmt: skip
    command = [
        str(Path(sys.executable).parent / "torchrun"),
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    run = subprocess.Popen(
        [*command, "-m", "train", "pretrain", "--recipe", str(tmp_path / "recipe.yaml")],
        env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    metrics = tmp_path / "run" / "metrics.jsonl"
    until = time.monotonic() + 120
    while not (metrics.is_file() and metrics.read_text()) and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(2)  # into the long step

    run.send_signal(signal.SIGTERM)
    errors = run.communicate(timeout=60)[1]

    assert run.returncode == 0, errors
    assert "Traceback" not in errors
    assert [path.name for path in (tmp_path / "run" / "checkpoints").glob("step-*")] == [
        "step-00000001"
    ]


def shim(folder: Path) -> Path:
    """An interpreter whose `-m train` reads its rows slowly."""
    path = folder / "python"
    path.write_text(
        f'#!/bin/sh\nshift; shift; shift\nexec {sys.executable} -u {folder / "slow.py"} "$@"\n'
    )
    path.chmod(0o755)
    return path
