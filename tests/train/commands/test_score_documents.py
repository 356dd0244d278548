"""Losses by document: sums of their segments, from a run's checkpoints; copies that dedup missed stand out late."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from schemas.errors import ContractError, SettingsError
from schemas.manifest import read_manifest
from tests.support.datasets import DatasetShape, is_copy, write_dataset
from train.__main__ import main
from train.commands import score_documents
from train.evaluation.document_losses import (
    DocumentLosses,
    chosen_checkpoints,
    losses_table,
)
from train.evaluation.documents import shown_segments
from train.evaluation.open_heldout import HeldoutRequest, OpenHeldout, open_heldout
from train.generation.open_model import open_weights
from train.loop.run import pretrain
from train.objectives.config import parse_objective
from train.settings import TrainSettings

# Each row is a document of its own where its number is no multiple of 3.
SHAPE = DatasetShape(rows_per_shard=(48, 48), copied_every=6, padded=False)


def _run(folder: Path, **changes: Any) -> Path:
    recipe = {
        "manifest": str(write_dataset(folder / "data", SHAPE).parent),
        "output": str(folder / "run"),
        "model": {"preset": "gpt2-test"},
        "batch": {"sequences": 8, "microbatch": 8},
        "stop": {"steps": 120},
        "schedule": {"lr_scheduler_type": "constant", "peak_lr": 0.01, "warmup": 2},
        "checkpoint": {"every_steps": 12, "keep_last": 20, "export": False},
        "metrics": {"tensorboard": False},
        "evaluation": None,
        "threads": 1,
        **changes,
    }
    pretrain(TrainSettings.model_validate(recipe))
    return folder / "run"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _run(tmp_path_factory.mktemp("scored"))


@pytest.fixture(scope="module")
def table(trained: Path) -> pa.Table:
    assert main(["score-documents", str(trained)]) == 0
    return pq.read_table(trained / "document_losses.parquet")


def _rows(data: Path) -> list[tuple[bool, dict[str, Any]]]:
    """Each training row, and whether it is a copy."""
    manifest = read_manifest(data)
    return [
        (is_copy(number, SHAPE), row)
        for shard in manifest.train.shards
        for number, row in enumerate(pq.read_table(data / shard.path).to_pylist())
    ]


def _opened(trained: Path) -> OpenHeldout:
    weights = open_weights(chosen_checkpoints(trained, {"final": 1.0})["final"])
    objective = parse_objective({"name": "causal"})
    return open_heldout(
        weights,
        HeldoutRequest(manifest=str(trained.parent / "data"), objective=objective, split="train"),
    )


def test_copies_that_dedup_missed_are_known_by_heart_late(trained: Path, table: pa.Table) -> None:
    copies = {
        segment["doc_id"]
        for copied, row in _rows(trained.parent / "data")
        if copied
        for segment in row["segments"]
    }
    rows = table.to_pylist()
    late = {row["doc_id"]: row["late"] for row in rows}

    planted = [late[name] for name in copies]
    others = [loss for name, loss in late.items() if name not in copies]

    assert len(planted) == 16
    assert max(planted) < 0.15 < 0.3 < min(others)
    assert min(row["learnt"] for row in rows if row["doc_id"] in copies) > 1.0


def test_a_loss_is_the_sum_over_the_labels_of_a_document(trained: Path, table: pa.Table) -> None:
    """Rows of one document, their labels' losses from the last checkpoint's logits."""
    weights = open_weights(chosen_checkpoints(trained, {"final": 1.0})["final"])
    split = _opened(trained)
    final = {row["doc_id"]: (row["labels"], row["final"]) for row in table.to_pylist()}
    checked = 0

    for sample in range(12):
        segments = split.data.origin(sample).segments
        if len(segments) > 1:
            continue
        batch: Any = split.batches.make_batch(split.data.read(np.array([sample])))
        with torch.no_grad():
            log_chances = weights.model.logits(batch)[0].log_softmax(-1)  # type: ignore[operator]
        loss = sum(
            -float(log_chances[position, label])
            for position, label in enumerate(batch.labels[0].tolist())
            if label >= 0
        )
        labels, mean = final[segments[0].doc_id]
        assert labels >= SHAPE.seq_len - 1
        assert math.isclose(mean * labels, loss, rel_tol=1e-4)
        checked += 1

    assert checked > 4


def test_every_training_document_has_one_row(trained: Path, table: pa.Table) -> None:
    wanted = {
        segment["doc_id"] for _, row in _rows(trained.parent / "data") for segment in row["segments"]
    }  # fmt: skip

    assert sorted(table["doc_id"].to_pylist()) == sorted(wanted)
    assert table.column_names == ["doc_id", "source", "labels", "early", "late", "final", "learnt"]
    about = table.schema.metadata
    assert (about[b"early_step"], about[b"late_step"], about[b"final_step"]) == (
        b"12", b"96", b"120",
    )  # fmt: skip


def test_segments_come_in_the_order_of_the_sums(trained: Path) -> None:
    split = _opened(trained)

    found = shown_segments(split.data, split.batches, np.arange(4))

    named = [one.doc_id for one in found if one is not None]
    origins = [one.doc_id for row in range(4) for one in split.data.origin(row).segments]
    assert named == origins


def test_a_run_with_too_few_checkpoints_is_told_how_to_keep_more(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for step in (50, 60):
        folder = run / "checkpoints" / f"step-{step:08d}"
        folder.mkdir(parents=True)
        (folder / "state.json").write_text(json.dumps({}))

    with pytest.raises(SettingsError, match=r"steps 50, 60, too few for .*keep_every_steps: N"):
        main(["score-documents", str(run)])
    with pytest.raises(SettingsError, match="no checkpoint"):
        chosen_checkpoints(tmp_path, {"final": 1.0})


@pytest.mark.parametrize("arguments", [["--early", "0.9"], ["--out", "x.csv"]])
def test_wrong_arguments_are_refused(trained: Path, arguments: list[str]) -> None:
    with pytest.raises(SettingsError, match="expected"):
        main(["score-documents", str(trained), *arguments])


def test_checkpoints_that_saw_other_documents_are_not_joined() -> None:
    def losses(name: str) -> DocumentLosses:
        return DocumentLosses(
            doc_ids=[name], sources=["web"], labels=np.array([2]), losses=np.array([1.0])
        )

    with pytest.raises(ContractError, match="late: scored 1 documents"):
        losses_table({"early": losses("a"), "late": losses("b")}, {})


def test_the_verb_says_what_its_shares_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["score-documents", "--help"])

    assert "of the run's steps" in capsys.readouterr().out
    assert score_documents.run.__doc__
