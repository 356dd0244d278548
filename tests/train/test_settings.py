"""The recipe: familiar names, unknown keys, the time that a mistake costs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from train.settings import load_train_settings

FAMILIAR = """
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


def test_familiar_block_loads_and_unused_keys_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(FAMILIAR)

    settings = load_train_settings(recipe)

    assert settings.schedule.lr_scheduler_type == "linear_warmup_cosine_lr"
    assert (settings.schedule.init_lr, settings.schedule.min_lr) == (1e-4, 1e-5)
    assert settings.schedule.warmup == 1000
    assert settings.precision.compute == "auto"
    assert settings.recompute == "full"
    assert settings.optimizer.max_norm == 5
    assert "lr_decay_rate is not used" in caplog.text


def test_unknown_setting_ends_with_2_before_torch(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(FAMILIAR)
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
