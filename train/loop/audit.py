"""Replay random past steps of a run and compare their bits with what was written then."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, SettingsError
from train.checkpoint.index import WEIGHTS_NAME, read_index
from train.checkpoint.pointer import step_of
from train.checkpoint.state_file import index_sha256, read_state
from train.distributed.sharded_tensors import local_part
from train.loop.replay import Replay

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class AuditedStep:
    """A step that was replayed.

    Attributes:
        differences: What differs from what was written, with both values; empty where all bits are equal.
        checkpoint: From which it was replayed.
    """

    step: int
    checkpoint: str
    differences: tuple[str, ...]


def chosen_steps(first: int, last: int, *, count: int, seed: int) -> list[int]:
    """So many steps at random, ascending, from `first` until before `last`."""
    return sorted(random.Random(seed).sample(range(first, last), min(count, last - first)))


def audit(
    replay: Replay, records: Sequence[Record], *, count: int, seed: int
) -> Iterator[AuditedStep]:
    """Replay steps, each from the checkpoint nearest before it; all ranks call it.

    Raises:
        SettingsError: The layout is not that of the run, so that bits differ anyway.
        ContractError: Nothing can be compared.
    """
    _refuse_other_layout(replay)
    by_step = {record["step"]: record for record in records}
    first, last = step_of(replay.checkpoints[0]), step_of(replay.checkpoints[-1])
    written = [s for s in chosen_steps(first, last, count=count, seed=seed) if s in by_step]
    if not written:
        raise ContractError(
            f"no step from {first} to {last - 1} has metrics and a checkpoint before it"
        )
    for step in written:
        path = replay.go_to(step)
        outcome = next(iter(replay.outcomes(step + 1)))
        found = {"loss": outcome.totals.mean, "grad_norm": outcome.grad_norm}
        differences = [
            f"{name} was {by_step[step][name]!r} and is {value!r}"
            for name, value in found.items()
            if by_step[step][name] != value
        ]
        yield AuditedStep(
            step=step,
            checkpoint=path.name,
            differences=(*differences, *_weights_that_differ(replay)),
        )


def _refuse_other_layout(replay: Replay) -> None:
    state = read_state(replay.checkpoints[-1])
    settings, size = replay.run.settings, replay.run.world.size
    if settings.parallel.reduction != "tree" and state["world_size"] != size:
        raise SettingsError(
            f"the run had {state['world_size']} ranks, here are {size}: sums in another order have other "
            "bits; start as many, or train with parallel.reduction: tree"
        )


def _weights_that_differ(replay: Replay) -> list[str]:
    """Names of weights that differ from the checkpoint of this step, where there is one."""
    path = replay.run.store.path(replay.step)
    if path not in replay.checkpoints:
        return []
    return differing_tensors(path, replay)


def differing_tensors(path: Path, replay: Replay) -> list[str]:
    """One sentence for each weight whose bytes are not those of the checkpoint; whole tensors alone are compared."""
    index = read_index(path / WEIGHTS_NAME, sha256=index_sha256(path))
    found = []
    for part in replay.run.trainer.strategy.parts:
        for name, value in part.named_parameters():
            stored = index.tensors.get(f"model.{name}")
            if stored is None or len(stored.chunks) != 1:
                continue
            data = local_part(value).detach().cpu().contiguous()
            if tuple(data.shape) != stored.size:
                continue
            digest = hashlib.sha256(data.numpy().tobytes()).hexdigest()
            if digest != stored.chunks[0].sha256:
                found.append(f"{name} has other bits than in {path.name}")
    return found
