"""Held-out loss: every row once, sums by source, bits per byte of whole splits alone."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from schemas.manifest import read_manifest
from tests.support.datasets import DatasetShape, write_dataset
from train.data.config import LoaderConfig
from train.data.loader import SplitReader, open_split, shard_files
from train.data.packed import PackedRows
from train.distributed.world import World
from train.evaluation.heldout import heldout_loss

ALONE = World(rank=0, size=1, device=torch.device("cpu"))


class CountsTokens(nn.Module):
    """One nat per token of the first source, two of the second; remembers the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: list[int] = []
        self.modes: set[bool] = set()

    def forward(self, rows: PackedRows) -> Any:
        self.samples += rows.sample_index.tolist()
        self.modes.add(self.training)
        tokens = np.bincount(rows.segment_source, rows.segment_length, len(rows.sources))
        labels = torch.from_numpy(tokens)
        return SimpleNamespace(
            loss_by_source=labels * torch.arange(1.0, len(rows.sources) + 1),
            labels_by_source=labels,
        )


def heldout_split(path: Path) -> SplitReader:
    config = LoaderConfig()
    files, manifest = shard_files(str(path), config), read_manifest(path)
    return open_split(files, manifest, config, split="heldout", seed=0)


@pytest.mark.parametrize("microbatch", [1, 5, 100])
def test_every_row_is_read_once_in_evaluation_mode(tmp_path: Path, microbatch: int) -> None:
    data, model = heldout_split(write_dataset(tmp_path, DatasetShape())), CountsTokens()
    model.train()

    found = heldout_loss(model, data, lambda rows: rows, ALONE, microbatch=microbatch)

    assert model.samples == list(range(12))
    assert model.modes == {False}
    assert model.training
    totals = found.totals
    assert totals.loss_by_source["zh"] == pytest.approx(2 * totals.labels_by_source["zh"])
    assert totals.labels == totals.labels_by_source["web"] + totals.labels_by_source["zh"]


def test_figures_follow_from_the_sums(tmp_path: Path) -> None:
    data = heldout_split(write_dataset(tmp_path, DatasetShape()))

    figures = heldout_loss(CountsTokens(), data, lambda rows: rows, ALONE, microbatch=4).as_dict()

    chinese = figures["sources"]["zh"]
    assert chinese["loss"] == pytest.approx(2.0)
    assert chinese["perplexity"] == pytest.approx(math.e**2)
    text_bytes = data.manifest.heldout.sources["zh"].text_bytes
    assert chinese["bits_per_byte"] == pytest.approx(
        2.0 * chinese["labels"] / math.log(2) / text_bytes
    )
    assert figures["labels"] == chinese["labels"] + figures["sources"]["web"]["labels"]


def test_a_part_of_the_split_has_no_bits_per_byte(tmp_path: Path) -> None:
    data, model = heldout_split(write_dataset(tmp_path, DatasetShape())), CountsTokens()

    figures = heldout_loss(
        model, data, lambda rows: rows, ALONE, microbatch=4, max_rows=5
    ).as_dict()

    assert model.samples == list(range(5))
    assert figures["bits_per_byte"] is None
