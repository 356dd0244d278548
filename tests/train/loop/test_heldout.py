"""When a run evaluates, and what it leaves at its end."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from schemas.errors import PipelineError
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.tiny_gpt import TinyGpt, make_batch
from train.data.config import LoaderConfig
from train.data.cursor import RankShare
from train.data.loader import SplitReader, open_split, shard_files
from train.data.remote import open_manifest
from train.distributed.world import World
from train.evaluation.heldout import EvaluationBatches
from train.loop.heldout import HeldoutEvaluation
from train.parallel.gradients import GradientSums
from train.parallel.strategy import DataParallelStrategy
from train.settings import EvaluationConfig


def evaluation(folder: Path, config: EvaluationConfig | None) -> HeldoutEvaluation:
    path = write_dataset(folder / "data", DatasetShape(heldout_rows=6)).parent
    files = shard_files(str(path), LoaderConfig())
    manifest = open_manifest(files)

    def open_heldout() -> SplitReader:
        return open_split(files, manifest, LoaderConfig(), split="heldout", seed=0)

    alone = World(rank=0, size=1, device=torch.device("cpu"))
    torch.manual_seed(0)
    strategy = DataParallelStrategy(
        model=TinyGpt(manifest.tokenizer.vocab_size),
        world=alone,
        seed=1,
        share=RankShare(),
        sums=GradientSums(),
    )
    return HeldoutEvaluation(
        config=config,
        open_split=open_heldout,
        batches=EvaluationBatches(make_batch=make_batch),
        strategy=strategy,
        world=alone,
        output=folder,
    )


def figures_after(heldout: HeldoutEvaluation, steps: range) -> list[bool]:
    return [bool(heldout.after_step(done, is_last=False)) for done in steps]


def test_it_is_due_after_every_so_many_steps(tmp_path: Path) -> None:
    heldout = evaluation(tmp_path, EvaluationConfig(every_steps=2, microbatch=4))

    assert figures_after(heldout, range(1, 5)) == [False, True, False, True]
    assert not (tmp_path / "evaluation.json").exists()


@pytest.mark.parametrize("config", [None, EvaluationConfig()])
def test_it_is_never_due_before_the_end_where_nothing_is_asked(
    tmp_path: Path, config: EvaluationConfig | None
) -> None:
    assert figures_after(evaluation(tmp_path, config), range(1, 4)) == [False, False, False]


def test_the_last_figures_are_in_the_folder_of_the_run(tmp_path: Path) -> None:
    heldout = evaluation(tmp_path, EvaluationConfig(microbatch=4))
    figures: dict[str, Any] = heldout.after_step(3, is_last=True)

    assert figures["heldout"]["labels"] > 0
    assert json.loads((tmp_path / "evaluation.json").read_text()) == figures


def test_the_loss_is_said_when_it_is_measured(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="train.loop.heldout")
    heldout = evaluation(tmp_path, EvaluationConfig(every_steps=2, microbatch=4))

    heldout.after_step(1, is_last=False)
    found = heldout.after_step(2, is_last=False)["heldout"]

    [said] = [record.getMessage() for record in caplog.records]
    assert said == f"step 2: held-out loss {found['loss']:.4f} over {found['labels']:,.0f} labels"


def test_a_loss_that_is_no_number_ends_a_run_at_its_end_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heldout = evaluation(tmp_path, EvaluationConfig(every_steps=1, microbatch=4))
    with torch.no_grad():
        for parameter in heldout.strategy.parts[0].parameters():
            parameter.fill_(float("nan"))

    assert heldout.after_step(1, is_last=False)["heldout"]["labels"] > 0
    assert "the held-out loss is nan after step 1" in caplog.text
    with pytest.raises(PipelineError, match="the held-out loss is nan after step 2"):
        heldout.after_step(2, is_last=True)
    assert not (tmp_path / "evaluation.json").exists()


def test_a_part_of_the_split_holds_all_sources(tmp_path: Path) -> None:
    heldout = evaluation(tmp_path, EvaluationConfig(every_steps=1, microbatch=4, max_rows=2))

    assert heldout.after_step(1, is_last=False)["heldout"]["sources"].keys() == {"web", "zh"}
    assert heldout.rows is not None
    assert len(heldout.rows) == 2
