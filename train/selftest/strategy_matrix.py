"""Every family in every parallel strategy against one process: losses of 5 steps, gradients of two.

In float64 a strategy differs from one process by rounding alone, so the bound can be 1e-9 and any
error of the mathematics shows: a mean of means, a bias added per rank, a gradient that is missing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch import Tensor

from schemas.errors import SettingsError
from schemas.settings import nearest
from train.distributed.sharded_tensors import local_part, shard_of
from train.distributed.world import World, leave_process, open_world
from train.loop.trainer import Trainer
from train.parallel.gradients import filled_gradients
from train.parallel.strategy import DataParallelStrategy
from train.parallel.tensor import RowLinear
from train.selftest.cases import (
    FAMILIES,
    SEQ_LEN,
    STEPS,
    Case,
    Family,
    cases,
)
from train.selftest.reshard import ONE, RESHARD_FAMILY, print_matrix, reshard_cells
from train.selftest.run import build_trainer, is_refused, train_steps

DOUBLE, SINGLE = "float64", "float32"
_CHECKED_STEPS = (0, STEPS - 1)
# Errors are of max(the tensor's largest entry, this x the largest gradient). Some true gradients
# are zero (key biases): what float32 leaves there is noise of the size of the other tensors'.
_FLOOR = {DOUBLE: 1e-6, SINGLE: 0.1}
BOUNDS = {DOUBLE: (1e-9, 1e-9), SINGLE: (1e-5, 1e-4)}


@dataclass
class Trace:
    """Losses of all steps; gradients by logical name of the checked ones."""

    losses: list[float] = field(default_factory=list)
    gradients: list[dict[str, Tensor]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A result of the matrix: the worst relative errors at the first and at the last step."""

    family: str
    strategy: str
    dtype: str
    first: float
    last: float
    where: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether both are within the bounds of the type."""
        first, last = BOUNDS[self.dtype]
        return self.first <= first and self.last <= last


@dataclass(frozen=True)
class Wanted:
    """What the selftest runs; no names mean all of them."""

    families: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    plant: str | None = None
    reshards: bool = False


def trace(family: Family, case: Case, world: World, dtype: str) -> Trace:
    """Train STEPS steps by a parallel strategy."""
    trainer, items = build_trainer(family, case, world, dtype)
    made = Trace()
    trainer.optimizer.register_step_pre_hook(lambda *_: _keep(made, trainer))
    made.losses = train_steps(trainer, items, STEPS)
    return made


def _keep(made: Trace, trainer: Trainer) -> None:
    if trainer.step not in _CHECKED_STEPS:
        return
    gradients = filled_gradients(trainer.strategy.parts)
    made.gradients.append({name: value.detach().clone() for name, value in gradients.items()})


def compare(found: Trace, expected: Trace, checked: int, dtype: str) -> tuple[float, str]:
    """The worst relative error at a checked step, and the name of the tensor that has it."""
    step = _CHECKED_STEPS[checked]
    loss = expected.losses[step]
    worst, where = abs(found.losses[step] - loss) / abs(loss), "loss"
    mine, theirs = found.gradients[checked], expected.gradients[checked]
    largest = max(float(gradient.abs().max()) for gradient in theirs.values())
    for name, gradient in mine.items():
        scale = max(float(theirs[name].abs().max()), _FLOOR[dtype] * largest)
        # Each rank looks at what it holds, copies included; the worst of all ranks counts.
        difference = local_part(gradient) - shard_of(theirs[name], like=gradient)
        error = float(difference.abs().max()) / scale if difference.numel() else 0.0
        if not error <= worst:
            worst, where = error, name
    return worst, where


def _run_cells(world: World, wanted: Wanted) -> list[Cell]:
    """Every cell of the matrix, on every rank; the first one has the results of all."""
    cells = []
    for family in FAMILIES:
        if wanted.families and family.name not in wanted.families:
            continue
        for dtype in (DOUBLE, SINGLE) if family.name == "gpt2" else (DOUBLE,):
            expected = _reference(family, world, dtype)
            for case in cases(world.size):
                is_wanted = not wanted.strategies or case.name in wanted.strategies
                if is_wanted and not is_refused(family, case, world.size):
                    cells.append(_cell(family, case, world, expected, dtype, wanted.plant))
                    if world.is_first:
                        _print_cell(cells[-1])
    return cells


def _cell(
    family: Family, case: Case, world: World, expected: Trace, dtype: str, plant: str | None
) -> Cell:
    started = time.perf_counter()
    with planted(plant):
        found = trace(family, case, world, dtype)
    errors = [compare(found, expected, checked, dtype) for checked in (0, 1)]
    shared: list[Any] = [None] * world.size
    dist.all_gather_object(shared, errors)
    first = max((rank[0] for rank in shared), key=lambda error: error[0])
    last = max((rank[1] for rank in shared), key=lambda error: error[0])
    return Cell(
        family=family.name,
        strategy=case.name,
        dtype=dtype,
        first=first[0],
        last=last[0],
        where=max((first, last), key=lambda error: error[0])[1],
        seconds=time.perf_counter() - started,
    )


def _reference(family: Family, world: World, dtype: str) -> Trace:
    """The trace of one process alone; the first rank makes it, all ranks get it."""
    box: list[Any] = [None]
    if world.is_first:
        alone = World(rank=0, size=1, device=world.device)
        box[0] = trace(family, Case(name="one", parallel={}, microbatches=1), alone, dtype)
    dist.broadcast_object_list(box)
    reference: Trace = box[0]
    return reference


@contextmanager
def planted(plant: str | None) -> Iterator[None]:
    """Break the mathematics in a known way, to see that the selftest finds it."""
    accumulate, forward = DataParallelStrategy.accumulate, RowLinear.forward
    if plant == "mean_of_means":

        def broken(
            self: DataParallelStrategy, batches: Any, meter: Any, *, backward_scale: float
        ) -> None:
            for batch in batches:
                count = max(int((batch.content.labels >= 0).sum()), 1)
                scale = backward_scale * SEQ_LEN / count
                accumulate(self, iter([batch]), meter, backward_scale=scale)

        DataParallelStrategy.accumulate = broken  # type: ignore[method-assign]
    if plant == "bias_per_rank":
        RowLinear.forward = _biased  # type: ignore[method-assign]
    try:
        yield
    finally:
        DataParallelStrategy.accumulate = accumulate  # type: ignore[method-assign]
        RowLinear.forward = forward  # type: ignore[method-assign]


def _biased(self: RowLinear, x: Tensor) -> Tensor:
    weight: Any = self.weight
    return self.leave(F.linear(x, weight.to_local(), self.bias))


def _print_cell(cell: Cell) -> None:
    mark = "ok  " if cell.passed else "FAIL"
    print(
        f"{mark} {cell.family:<6} {cell.strategy:<15} {cell.dtype}  step 1 {cell.first:.1e}  "
        f"step {STEPS} {cell.last:.1e}  {cell.seconds:4.1f} s"
        + ("" if cell.passed else f"  worst: {cell.where}"),
        flush=True,
    )


def selftest(
    world_size: int,
    *,
    plant: str | None = None,
    families: tuple[str, ...] = (),
    strategies: tuple[str, ...] = (),
    reshards: bool = False,
) -> int:
    """Spawn the ranks once, run every cell, print the matrix; 1 where a cell failed.

    Raises:
        SettingsError: A family or a parallel strategy is asked for that the matrix does not have.
    """
    _check_names("--family", families, [family.name for family in FAMILIES])
    _check_names("--strategy", strategies, [ONE.name, *(case.name for case in cases(world_size))])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    context = mp.get_context("spawn")
    results = context.SimpleQueue()
    mp.spawn(  # type: ignore[attr-defined, no-untyped-call]
        _rank,
        (world_size, port, Wanted(families, strategies, plant, reshards), results),
        nprocs=world_size,
        join=True,
    )
    passed, failed = results.get()
    if reshards:
        return 1 if failed else 0
    print(f"selftest: world {world_size}: {passed} cells passed, {failed} failed")
    return 1 if failed else 0


def _check_names(flag: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise SettingsError(f"{flag} {name}: is not in the matrix{nearest(name, known)}")


def _rank(rank: int, size: int, port: int, wanted: Wanted, results: Any) -> None:
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    torch.set_num_threads(1)
    with open_world(timeout_seconds=300) as world:
        if wanted.reshards:
            pairs = reshard_cells(world, RESHARD_FAMILY, wanted.strategies)
            if rank == 0:
                results.put((0, print_matrix(pairs)))
        else:
            cells = _run_cells(world, wanted)
            if rank == 0:
                passed = sum(cell.passed for cell in cells)
                results.put((passed, len(cells) - passed))
    leave_process()
