"""The recipe: other names, unknown keys, the time that a mistake costs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from train.settings import load_train_settings

LAVIS = """
manifest: data
output: out
stop: {steps: 3}
run:
  lr_scheduler_type: linearwarmupcosinelr
  init_lr: 0.0001
  min_lr: 0.00001
  lr_decay_rate: 0.9
  warmup_lr: 0.00001
  warmup_steps: 1000
  use_amp: True
  enable_gradient_checkpointing: True
  max_norm: 5
"""


def test_a_run_block_of_lavis_loads_and_unused_keys_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(LAVIS)

    settings = load_train_settings(recipe)

    assert settings.schedule.lr_scheduler_type == "linear_warmup_cosine_lr"
    assert (settings.schedule.peak_lr, settings.schedule.min_lr) == (1e-4, 1e-5)
    assert settings.schedule.warmup == 1000
    assert settings.precision.compute == "auto"
    assert settings.recompute == "full"
    assert settings.optimizer.max_grad_norm == 5
    assert "lr_decay_rate is not used" in caplog.text


def test_names_of_lavis_may_stand_at_the_top(tmp_path: Path) -> None:
    head, _, block = LAVIS.partition("run:\n")
    lines = [line.removeprefix("  ") for line in block.splitlines()]
    (tmp_path / "top.yaml").write_text(head + "\n".join(lines) + "\n")
    (tmp_path / "block.yaml").write_text(LAVIS)

    top, inside = (load_train_settings(tmp_path / f"{name}.yaml") for name in ("top", "block"))

    assert top == inside


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        (["run.lr_scheduler_type=linear_warmup_step_lr"], []),
        (
            ["run.lr_scheduler_type=constant"],
            [
                "lr_decay_rate is not used by the schedule constant",
                "min_lr is not used by the schedule constant",
            ],
        ),
        (
            ["run.lr_scheduler_type=wsd", "run.warmup_steps=0"],
            [
                "lr_decay_rate is not used by the schedule wsd",
                "warmup_lr is not used without warmup_steps",
            ],
        ),
    ],
)
def test_keys_that_a_schedule_does_not_use_are_warned_about(
    changes: list[str], warnings: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(LAVIS)

    load_train_settings(recipe, changes)

    assert [record.getMessage() for record in caplog.records] == [
        f"{recipe}: {warning}" for warning in warnings
    ]


def test_unknown_setting_ends_with_2_before_torch(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(LAVIS)
    command = [sys.executable, "-X", "importtime", "-m", "train", "pretrain"]

    started = time.monotonic()
    done = subprocess.run(
        [*command, "--recipe", str(recipe), "--set", "schedule.warmpu=3"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "did you mean 'warmup'" in done.stderr
    assert not any(line.rstrip().endswith("| torch") for line in done.stderr.splitlines())
    assert time.monotonic() - started < 10  # a second on an idle machine
