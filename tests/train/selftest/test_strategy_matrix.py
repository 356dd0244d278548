"""Parallel strategies against one process, and planted errors that must be found."""

from __future__ import annotations

import subprocess
import sys

import pytest


def selftest(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "train", "selftest", "--world", "4", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.distributed
def test_an_encoder_and_decoder_in_a_pipeline_equals_one_process() -> None:
    strategies = ("pp interleaved", "pp x fsdp", "pp x tp x dp")
    done = selftest(
        "--family", "t5", *(part for name in strategies for part in ("--strategy", name))
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert last_line(done) == "selftest: world 4: 3 cells passed, 0 failed"


@pytest.mark.distributed
def test_a_missing_division_by_the_global_count_is_found() -> None:
    done = selftest("--family", "bert", "--strategy", "dp", "--plant", "mean_of_means")

    assert done.returncode == 1
    assert last_line(done) == "selftest: world 4: 0 cells passed, 1 failed"


@pytest.mark.distributed
def test_a_bias_added_on_every_rank_is_found() -> None:
    done = selftest("--family", "bert", "--strategy", "pp x tp x dp", "--plant", "bias_per_rank")

    assert done.returncode == 1
    assert last_line(done) == "selftest: world 4: 0 cells passed, 1 failed"
