"""The list of presets."""

from __future__ import annotations

import argparse
import json

import pytest

from schemas.errors import SettingsError
from train.commands import models
from train.planning.memory import TrainingShape, training_needs


def _printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    parser = argparse.ArgumentParser()
    models.add_arguments(parser)
    models.run(parser.parse_args([*arguments, "--json"]))
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_beginning_of_a_name_lists_its_family(capsys: pytest.CaptureFixture[str]) -> None:
    names = [line["name"] for line in _printed(capsys, "t5-v1.1-")]

    assert "t5-v1.1-base" in names
    assert all(str(name).startswith("t5-v1.1-") for name in names)


def test_adam_keeps_sixteen_bytes_per_parameter_and_ranks_share_them() -> None:
    alone = training_needs("gpt2-small", TrainingShape())
    shared = training_needs("gpt2-small", TrainingShape(dp_shard=4, tp=2, pp=2))

    assert alone.state_bytes == 16 * alone.parameters
    assert shared.state_bytes == alone.state_bytes // 16


def test_recomputation_keeps_a_tenth_of_the_activations() -> None:
    kept = training_needs("gpt2-small", TrainingShape()).activation_bytes
    again = training_needs("gpt2-small", TrainingShape(recompute="full")).activation_bytes

    assert again < kept / 10


def test_only_what_fits_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    limit = 8 * 2**30

    found = _printed(capsys, "gpt2", "--fits", "8", "--seq-len", "512")

    sizes = [line["total_bytes"] for line in found]
    assert sizes
    assert all(isinstance(size, int) and size <= limit for size in sizes)
    assert "gpt2-xl" not in [line["name"] for line in found]


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="did you mean 'gpt2-small'"):
        models.chosen(["gpt2-smal1"])
