"""A run of ranks that step alone and meet, against the same rounds written out by hand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

from schemas.errors import ContractError
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.ranks import run_on_ranks
from train.distributed.world import World
from train.loop.open_run import open_run
from train.loop.run import pretrain
from train.parallel.diloco import inner_of
from train.settings import TrainSettings

RANKS, STEPS, INNER, ROWS, RATE = 3, 5, 2, 12, 0.01
OUTER_RATE, OUTER_MOMENTUM = 0.7, 0.9


def settings(dataset: str, output: str) -> TrainSettings:
    return TrainSettings.model_validate(
        {
            "manifest": dataset,
            "output": output,
            "model": {
                "preset": "gpt2-test",
                "num_layers": 2,
                "num_heads": 2,
                "width": 16,
                "dropout": 0.0,
            },
            "batch": {"sequences": ROWS, "microbatch": 2},
            "stop": {"steps": STEPS},
            "schedule": {"peak_lr": RATE, "lr_scheduler_type": "constant"},
            "optimizer": {"max_grad_norm": 0.5, "weight_decay": 0.0},
            "diloco": {"inner_steps": INNER, "lr": OUTER_RATE, "momentum": OUTER_MOMENTUM},
            "checkpoint": {"every_steps": 100, "export": False},
            "evaluation": None,
            "metrics": {"peak_flops": 1e9, "tensorboard": False},
            "threads": 1,
            "precision": {"compute": "fp32"},
        }
    )


def train(dataset: str, output: str) -> None:
    pretrain(settings(dataset, output))


Weights = dict[str, torch.Tensor]


def by_hand(dataset: str, output: str) -> tuple[list[float], Weights, Weights]:
    """Losses of the steps, first and last weights: Douillard et al. 2023, algorithm 1."""
    run = open_run(settings(dataset, output), World(rank=0, size=1, device=torch.device("cpu")))
    shared = run.trainer.strategy.parts[0]
    begun = copy.deepcopy(shared.state_dict())
    models = [copy.deepcopy(shared) for _ in range(RANKS)]
    inner = [
        torch.optim.AdamW(m.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.0)
        for m in models
    ]
    outer = torch.optim.SGD(
        shared.parameters(), lr=OUTER_RATE, momentum=OUTER_MOMENTUM, nesterov=True
    )
    losses = []
    for step in range(STEPS):
        loss, labels = 0.0, 0.0
        for rank, (model, optimizer) in enumerate(zip(models, inner, strict=True)):
            samples = np.arange(step * ROWS, (step + 1) * ROWS)
            batch = run.built.make_batch(run.rows.data.read(samples[samples % RANKS == rank]))
            sums = model(batch)
            count = float(sums.labels_by_source.sum())
            optimizer.zero_grad()
            (sums.loss / count).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            loss, labels = loss + float(sums.loss.detach()), labels + count
        losses.append(loss / labels)
        if (step + 1) % INNER == 0 or step + 1 == STEPS:
            _meet(shared, models, outer)
    return losses, begun, shared.state_dict()


def _meet(
    shared: torch.nn.Module, models: list[torch.nn.Module], outer: torch.optim.Optimizer
) -> None:
    others = zip(*(model.parameters() for model in models), strict=True)
    for parameter, moved in zip(shared.parameters(), others, strict=True):
        parameter.grad = (parameter - torch.stack(tuple(moved)).mean(0)).detach()
    outer.step()
    for model in models:
        model.load_state_dict(shared.state_dict())


@pytest.mark.distributed
def test_a_run_is_the_published_algorithm(tmp_path: Path) -> None:
    dataset = str(write_dataset(tmp_path / "data", DatasetShape(rows_per_shard=(60, 40))).parent)
    run_on_ranks(train, RANKS, dataset, str(tmp_path / "run"))
    losses, begun, expected = by_hand(dataset, str(tmp_path / "none"))

    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["loss"] for line in lines] == pytest.approx(losses, rel=1e-5)
    saved = tmp_path / "run" / "checkpoints" / f"step-{STEPS:08d}" / "weights"
    dcp_to_torch_save(saved, tmp_path / "whole.pt")
    found = torch.load(tmp_path / "whole.pt", weights_only=False)
    names = sorted(found["model"])
    ours, start, theirs = (
        torch.cat([weights[name].flatten() for name in names])
        for weights in (found["model"], begun, expected)
    )
    # Adam divides gradients near zero by themselves: noise moves single weights, not all of them.
    assert float((ours - theirs).norm() / (theirs - start).norm()) < 1e-3
    assert sorted(found["inner"]) == [str(rank) for rank in range(RANKS)]


@pytest.mark.parametrize(("ranks", "inner"), [(4, [0, 1, 2, 3]), (6, [0, 1, 2, 3, 0, 1]), (1, [0])])
def test_other_ranks_go_on_from_a_meeting(ranks: int, inner: list[int]) -> None:
    saved: dict[str, Any] = {"ranks": 4, "has_met": True}

    assert [inner_of(r, ranks=ranks, saved=saved, where="here") for r in range(ranks)] == inner


def test_between_two_meetings_other_ranks_are_refused() -> None:
    saved = {"ranks": 4, "has_met": False}

    assert inner_of(3, ranks=4, saved=saved, where="here") == 3
    with pytest.raises(ContractError, match="two meetings of 4 ranks, here are 3"):
        inner_of(0, ranks=3, saved=saved, where="here")
