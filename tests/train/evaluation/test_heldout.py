"""Held-out loss: every row once, sums by source, bits per byte of whole splits alone."""

from __future__ import annotations

import json
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
from train.batch.batch import Batch
from train.data.config import LoaderConfig
from train.data.loader import SplitReader, open_split, shard_files
from train.data.packed import PackedRows
from train.distributed.world import World
from train.evaluation.heldout import EvaluationBatches, heldout_loss
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.objectives.causal import CausalObjective

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

    found = heldout_loss(
        model, data, EvaluationBatches(make_batch=lambda rows: rows), ALONE, microbatch=microbatch
    )

    assert model.samples == list(range(12))
    assert model.modes == {False}
    assert model.training
    totals = found.totals
    assert totals.loss_by_source["zh"] == pytest.approx(2 * totals.labels_by_source["zh"])
    assert totals.labels == totals.labels_by_source["web"] + totals.labels_by_source["zh"]


def test_figures_follow_from_the_sums(tmp_path: Path) -> None:
    data = heldout_split(write_dataset(tmp_path, DatasetShape()))

    figures = heldout_loss(
        CountsTokens(), data, EvaluationBatches(make_batch=lambda rows: rows), ALONE, microbatch=4
    ).as_dict()

    chinese = figures["sources"]["zh"]
    assert chinese["loss"] == pytest.approx(2.0)
    assert chinese["perplexity"] == pytest.approx(math.e**2)
    assert chinese["bits_per_byte"] is None  # of an objective that is not known to predict all
    assert figures["labels"] == chinese["labels"] + figures["sources"]["web"]["labels"]


def causal_loss(path: Path, **more: Any) -> tuple[dict[str, Any], nn.Module]:
    config = resolve_model({"preset": "gpt2-test", "width": 16}, vocab_size=97, seq_len=16)
    model = build_model(config, seed=3)
    causal = CausalObjective(1)
    batches = EvaluationBatches(make_batch=lambda rows: causal.build(rows, seed=0), causal=causal)
    found = heldout_loss(model, heldout_split(path), batches, ALONE, microbatch=5, **more)
    return found.as_dict(), model


def test_every_token_is_predicted_once_first_tokens_of_documents_too(tmp_path: Path) -> None:
    """Against each document alone behind the mark, or, where it fills a row's front, its parts."""
    path = write_dataset(tmp_path, DatasetShape())

    figures, model = causal_loss(path)

    expected, tokens = 0.0, 0
    rows = heldout_split(path).read(np.arange(12))
    ends = rows.segment_start + rows.segment_length
    for row, start, end in zip(rows.segment_row, rows.segment_start, ends, strict=True):
        document = [int(token) for token in rows.input_ids[row, start:end]]
        fills = start == 0 and int(ends[rows.segment_row == row].max()) == 16
        parts = [[1, document[0]], document] if fills else [[1, *document]]
        expected += sum(nats(model, part) for part in parts)
        tokens += len(document)
    assert figures["labels"] == tokens == read_manifest(path).heldout.account.packed
    assert figures["loss"] * tokens == pytest.approx(expected, rel=1e-5)
    whole = sum(s.text_bytes for s in read_manifest(path).heldout.sources.values())
    assert figures["bits_per_byte"] == pytest.approx(expected / math.log(2) / whole, rel=1e-5)
    assert figures["labels"] == sum(part["labels"] for part in figures["sources"].values())


def nats(model: Any, ids: list[int]) -> float:
    """The loss of a text but its first token, by plain attention over all of it."""
    row = torch.tensor([ids])
    batch = Batch(
        input_ids=row, labels=row, document=torch.ones_like(row), num_sources=1, is_whole=True,
        positions=torch.arange(len(ids))[None], segment=torch.zeros_like(row),
        segment_source=torch.zeros(1, dtype=torch.long),
    )  # fmt: skip
    logits = model.logits(batch)[0, :-1].double()
    return float(torch.nn.functional.cross_entropy(logits, row[0, 1:], reduction="sum"))


def test_a_part_of_the_split_has_no_bits_per_byte(tmp_path: Path) -> None:
    figures, _ = causal_loss(
        write_dataset(tmp_path, DatasetShape()), rows=np.array([1, 7], np.int64)
    )

    assert figures["bits_per_byte"] is None
    assert figures["labels"] == 32


def test_rows_whose_text_was_cut_have_no_bits_per_byte(tmp_path: Path) -> None:
    path = write_dataset(tmp_path, DatasetShape())
    described = json.loads(path.read_text())
    described["heldout"]["sources"]["zh"]["dropped_tokens"] = 3
    path.write_text(json.dumps(described))

    figures, _ = causal_loss(path)

    assert figures["bits_per_byte"] is None


def test_tokens_of_sources_are_counted_without_reading_ids(tmp_path: Path) -> None:
    path = write_dataset(tmp_path, DatasetShape())

    counts = heldout_split(path).reader.tokens_by_source()

    assert counts.sum(0).tolist() == list(
        read_manifest(path).heldout.shards[0].tokens_by_source.values()
    )
    assert counts.shape == (12, 2)
    assert counts[0].tolist() == [8, 8]
