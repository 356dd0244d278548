"""Checkpoints from every layout into every other: all tensors and optimizer states, bit for bit."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from train.checkpoint.config import CheckpointConfig
from train.checkpoint.state import collect_tensors, restore_tensors
from train.checkpoint.store import CheckpointStore, load_tensors
from train.parallel.layout import Layout
from train.parallel.selftest_cases import FAMILIES, Case, Family, cases, refused
from train.parallel.selftest_run import build_trainer, train_steps
from train.parallel.world import World

ONE = Case(name="one process", parallel={}, microbatches=1)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Whether a checkpoint of one layout came back whole in another."""

    source: str
    target: str
    passed: bool
    detail: str


def reshard_cells(world: World, family: Family, names: tuple[str, ...] = ()) -> list[Loaded]:
    """Save after one step in each layout, load in each: every pair of `names`, or of all."""
    chosen = [ONE, *(case for case in cases(world.size) if not refused(family, case))]
    chosen = [case for case in chosen if not names or case.name in names]
    results: list[Loaded] = []
    for source in chosen:
        box = [tempfile.mkdtemp() if world.is_first else None]
        dist.broadcast_object_list(box)
        folder = Path(str(box[0]))
        expected = _save(family, source, world, folder)
        for target in chosen:
            results.append(_load(family, (source, target), world, folder, expected))
        dist.barrier()
        if world.is_first:
            shutil.rmtree(folder)
    return results


def _world_of(case: Case, world: World) -> World:
    return World(rank=0, size=1, device=world.device) if case is ONE else world


def _save(family: Family, case: Case, world: World, folder: Path) -> dict[str, Tensor]:
    """Train a step, save, and give the whole tensors to every rank."""
    mine = _world_of(case, world)
    trainer, items = build_trainer(family, case, mine, "float32", seed=3)
    train_steps(trainer, items, 1)
    tensors = collect_tensors(trainer.layout.parts, trainer.optimizer)
    if case is not ONE or world.is_first:
        store = CheckpointStore(folder=folder, config=CheckpointConfig(), world=mine)
        store.save(1, tensors, {"step": 1})
        store.finish()
    whole = _whole(tensors)
    shared: list[Any] = [None] * world.size
    dist.all_gather_object(shared, whole)
    merged: dict[str, Tensor] = {}
    for part in reversed(shared):
        merged.update(part)
    return merged


def _load(
    family: Family,
    pair: tuple[Case, Case],
    world: World,
    folder: Path,
    expected: dict[str, Tensor],
) -> Loaded:
    """Build anew with another seed, load, compare what each rank holds."""
    source, target = pair
    mine = _world_of(target, world)
    trainer, _ = build_trainer(family, target, mine, "float32", seed=4)
    layout: Layout = trainer.layout
    tensors = collect_tensors(layout.parts, trainer.optimizer)
    path = folder / "step-00000001"
    load_tensors(path, tensors, world_size=mine.size)
    restore_tensors(layout.parts, trainer.optimizer, tensors)
    found = _whole(collect_tensors(layout.parts, trainer.optimizer))
    wrong = [name for name, value in found.items() if not torch.equal(value, expected[name])]
    shared: list[Any] = [None] * world.size
    dist.all_gather_object(shared, (wrong, sorted(found)))
    wrong = sorted({name for names, _ in shared for name in names})
    missing = set(expected) - {name for _, names in shared for name in names}
    return Loaded(
        source=source.name,
        target=target.name,
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
    """A row for each layout that saved, a column for each that loaded; 1 where a cell failed."""
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


RESHARD_FAMILY = FAMILIES[0]
