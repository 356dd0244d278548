"""What a checkpoint of a run holds, and which of them a resumed run accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from schemas.errors import ContractError, SettingsError
from train.checkpoint.config import CheckpointConfig
from train.checkpoint.store import CheckpointStore
from train.distributed.world import World
from train.loop.checkpoints import ManifestSpan, RunCheckpoints
from train.report.events import EventLog
from train.selftest.cases import FAMILIES, Case, Family
from train.selftest.run import build_trainer, train_steps

ALONE = World(rank=0, size=1, device=torch.device("cpu"))
SMALL = Family(
    name="small", model=FAMILIES[0].model | {"num_layers": 1}, objective=FAMILIES[0].objective
)


def checkpoints_of(folder: Path, *, steps: int = 0, **identity: Any) -> RunCheckpoints:
    case = Case(name="one", parallel={}, microbatches=2)
    trainer, items = build_trainer(SMALL, case, ALONE, "float32")
    train_steps(trainer, items, steps)
    config = CheckpointConfig(asynchronous=False)
    spans = [ManifestSpan(0, "first"), ManifestSpan(1000, identity.pop("later", "second"))]
    return RunCheckpoints(
        store=CheckpointStore(folder=folder / "checkpoints", config=config, world=ALONE),
        trainer=trainer,
        identity={"seed": 1, "spans": [list(span) for span in spans], **identity},
        recipe={"parallel": {}},
        manifest_uri="here",
        spans=spans,
        events=EventLog(folder / "events.jsonl"),
    )


def kinds(folder: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in (folder / "events.jsonl").open()]


def test_a_resumed_run_has_the_weights_and_the_step_of_the_saved_one(tmp_path: Path) -> None:
    saved = checkpoints_of(tmp_path, steps=2)
    saved.resume(is_fresh=True)
    saved.save()
    resumed = checkpoints_of(tmp_path)
    resumed.resume(is_fresh=False)

    assert resumed.trainer.step == 2
    pairs = zip(
        saved.trainer.strategy.parts[0].parameters(),
        resumed.trainer.strategy.parts[0].parameters(),
        strict=True,
    )
    assert all(torch.equal(old, new) for old, new in pairs)
    assert kinds(tmp_path) == ["start", "manifest", "manifest", "resume"]


def test_a_manifest_that_is_still_to_come_may_change(tmp_path: Path) -> None:
    checkpoints_of(tmp_path, steps=1).save()
    changed = checkpoints_of(tmp_path, later="third")
    changed.resume(is_fresh=False)

    assert changed.trainer.step == 1


def test_another_run_and_a_fresh_one_are_refused(tmp_path: Path) -> None:
    checkpoints_of(tmp_path, steps=1).save()

    with pytest.raises(ContractError, match="seed is 1 in the checkpoint, 2 here"):
        checkpoints_of(tmp_path, seed=2).resume(is_fresh=False)
    with pytest.raises(SettingsError, match="--fresh was given"):
        checkpoints_of(tmp_path).resume(is_fresh=True)
