"""Checkpoints from every parallel strategy into every other: all tensors and optimizer states, bit for bit."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from train.checkpoint.config import CheckpointConfig
from train.checkpoint.state import collect_tensors, restore_tensors
from train.checkpoint.store import CheckpointStore, load_tensors
from train.distributed.sharded_tensors import local_part
from train.distributed.world import World
from train.loop.trainer import Trainer
from train.selftest.cases import FAMILIES, Case, Family, cases
from train.selftest.run import build_trainer, is_refused, train_steps

ONE = Case(name="one process", parallel={}, microbatches=1)
# As many layers as the deepest pipeline has stages, and one more, so that stages differ.
RESHARD_FAMILY = replace(FAMILIES[0], model={**FAMILIES[0].model, "num_layers": 9})
_WIPED = -7.0


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Whether a checkpoint of one strategy came back whole in another."""

    source: str
    target: str
    passed: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class _Saved:
    """A strategy with its trainer, after a step, and what that left in its checkpoint."""

    case: Case
    world: World
    trainer: Trainer
    folder: Path
    expected: dict[str, Tensor]


def reshard_cells(world: World, family: Family, names: tuple[str, ...] = ()) -> list[Loaded]:
    """Save after one step in each strategy, load in each: every pair of `names`, or of all."""
    chosen = [
        ONE,
        *(case for case in cases(world.size) if not is_refused(family, case, world.size)),
    ]
    chosen = [case for case in chosen if not names or case.name in names]
    box = [tempfile.mkdtemp() if world.is_first else None]
    dist.broadcast_object_list(box)
    root = Path(str(box[0]))
    saved = [_save(family, case, world, root / str(n)) for n, case in enumerate(chosen)]
    results = [_load(source, target, world) for source in saved for target in saved]
    dist.barrier()
    if world.is_first:
        shutil.rmtree(root)
    return results


def _save(family: Family, case: Case, world: World, folder: Path) -> _Saved:
    """Train a step, save, and give the whole tensors to every rank."""
    mine = World(rank=0, size=1, device=world.device) if case is ONE else world
    trainer, items = build_trainer(family, case, mine, "float32")
    train_steps(trainer, items, 1)
    tensors = collect_tensors(trainer.strategy.parts, trainer.optimizer)
    if case is not ONE or world.is_first:
        config = CheckpointConfig(asynchronous=False)
        CheckpointStore(folder=folder, config=config, world=mine).save(1, tensors, {"step": 1})
    shared: list[Any] = [None] * world.size
    dist.all_gather_object(shared, _whole(tensors))
    merged: dict[str, Tensor] = {}
    for part in reversed(shared):
        merged.update(part)
    return _Saved(case=case, world=mine, trainer=trainer, folder=folder, expected=merged)


def _load(source: _Saved, target: _Saved, world: World) -> Loaded:
    """Wipe a strategy's tensors, load a checkpoint into them, compare what each rank holds."""
    parts, optimizer = target.trainer.strategy.parts, target.trainer.optimizer
    tensors = collect_tensors(parts, optimizer)
    for content in tensors.values():
        for value in content.values():
            if isinstance(value, Tensor):
                local_part(value.detach()).fill_(_WIPED)
    load_tensors(source.folder / "step-00000001", tensors, world_size=target.world.size)
    restore_tensors(parts, optimizer, tensors)
    found = _whole(collect_tensors(parts, optimizer))
    expected = source.expected
    wrong = [name for name, value in found.items() if not torch.equal(value, expected[name])]
    shared: list[Any] = [None] * world.size
    dist.all_gather_object(shared, (wrong, sorted(found)))
    wrong = sorted({name for names, _ in shared for name in names})
    missing = set(expected) - {name for _, names in shared for name in names}
    return Loaded(
        source=source.case.name,
        target=target.case.name,
        passed=not (wrong or missing),
        detail=", ".join([*wrong, *sorted(missing)][:3]),
    )


def _whole(tensors: dict[str, Any]) -> dict[str, Tensor]:
    flat: dict[str, Tensor] = {}
    for part in ("model", "optimizer"):
        for name, value in tensors[part].items():
            if isinstance(value, DTensor):
                value = value.full_tensor()
            if isinstance(value, Tensor):
                flat[f"{part}.{name}"] = value.detach().clone()
    return flat


def print_matrix(results: list[Loaded]) -> int:
    """A row for each strategy that saved, a column for each that loaded; 1 where a cell failed."""
    names = list(dict.fromkeys(result.source for result in results))
    by_pair = {(result.source, result.target): result for result in results}
    print("saved by / loaded by   " + "  ".join(names))
    for source in names:
        marks = [("ok" if by_pair[source, n].passed else "FAIL").center(len(n)) for n in names]
        print(f"{source:<22} " + "  ".join(marks))
    failed = [result for result in results if not result.passed]
    for result in failed:
        print(f"FAIL {result.source} -> {result.target}: {result.detail}")
    print(f"reshard: {len(results) - len(failed)} pairs passed, {len(failed)} failed")
    return 1 if failed else 0
