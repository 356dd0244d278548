"""A whole run with pipeline and tensor ranks together: held-out loss and exported weights of one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.support.datasets import DatasetShape, write_dataset
from tests.support.ranks import run_on_ranks
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.data.remote import open_manifest
from train.loop import run as run_module
from train.loop.run import pretrain
from train.settings import TrainSettings


def train(dataset: str, output: str, parallel: dict[str, Any]) -> None:
    settings = TrainSettings.model_validate(
        {
            "manifest": dataset,
            "output": output,
            "model": {"preset": "llama-test", "num_layers": 4, "num_heads": 4, "num_kv_heads": 2},
            "batch": {"sequences": 16, "microbatch": 4},
            "stop": {"steps": 3},
            "schedule": {"peak_lr": 0.01, "lr_scheduler_type": "constant"},
            "optimizer": {"name": "sgd", "max_grad_norm": 0.5},
            "parallel": parallel,
            "evaluation": {"microbatch": 5},
            "metrics": {"peak_flops": 1e9},
            "threads": 1,
            "precision": {"compute": "fp32"},
        }
    )
    # The dataset has no tokenizer's files to copy. Put back: one run is in the tests' own process.
    with mock.patch.object(run_module, "local_tokenizer", return_value=Path(dataset)):
        pretrain(settings)


def tokens_read(dataset: Path, *, steps: int, rows: int) -> list[dict[str, int]]:
    """Segments' lengths by source, straight from the rows of each step."""
    config = LoaderConfig()
    files = shard_files(str(dataset), config)
    data = open_split(files, open_manifest(files), config, split="train", seed=1)
    counts = []
    for step in range(steps):
        read = data.read(np.arange(step * rows, (step + 1) * rows))
        counts.append(dict.fromkeys(read.sources, 0))
        for source, length in zip(read.segment_source, read.segment_length, strict=True):
            counts[-1][read.sources[source]] += int(length)
    return counts


@pytest.mark.distributed
def test_a_pipeline_of_tensor_ranks_evaluates_and_exports_as_one_process(tmp_path: Path) -> None:
    shape = DatasetShape(rows_per_shard=(60, 40), vocab_size=99)
    dataset = str(write_dataset(tmp_path / "data", shape).parent)
    train(dataset, str(tmp_path / "one"), {})
    parallel = {"pp": 2, "tp": 2, "sequence_parallel": True}
    run_on_ranks(train, 4, dataset, str(tmp_path / "four"), parallel)

    one, four = (
        json.loads((tmp_path / name / "evaluation.json").read_text())["heldout"]
        for name in ("one", "four")
    )
    counts = [
        [
            json.loads(line)["tokens_by_source"]
            for line in (tmp_path / name / "metrics.jsonl").open()
        ]
        for name in ("one", "four")
    ]
    assert counts[0] == counts[1] == tokens_read(Path(dataset), steps=3, rows=16)
    assert four["labels"] == one["labels"]
    assert four["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert four["sources"].keys() == one["sources"].keys()
    expected = load_file(tmp_path / "one" / "export" / "model.safetensors")
    found = load_file(tmp_path / "four" / "export" / "model.safetensors")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=name)
