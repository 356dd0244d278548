"""Communication of a training step against the formulas of `train plan`, counted by torch.

    python benchmarks/volume.py > benchmarks/results/volume.json

CommDebugMode counts the collectives; the bytes are of the tensors that go into them.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.tensor.debug import CommDebugMode

from train.parallel.selftest_cases import FAMILIES, ROWS, SEQ_LEN, Case, cases
from train.parallel.selftest_run import build_trainer
from train.parallel.world import World, open_world

NAMES = ("dp", "fsdp", "tp", "tp+sp", "pp 1f1b")
FUNCTIONS = ("all_reduce", "all_gather", "reduce_scatter_single", "batch_isend_irecv")


def _bytes_of(arguments: tuple[Any, ...]) -> int:
    """Of the tensors that a rank puts in."""
    first = arguments[0]
    if isinstance(first, list):
        sends = [op for op in first if getattr(op, "op", None) is dist.isend]
        return sum(op.tensor.numel() * op.tensor.element_size() for op in sends)
    chosen = (
        arguments[1] if len(arguments) > 1 and isinstance(arguments[1], torch.Tensor) else first
    )
    return int(chosen.numel() * chosen.element_size())


def measure(rank: int, port: int, results: Any) -> None:
    os.environ.update(
        RANK=str(rank), WORLD_SIZE="4", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    torch.set_num_threads(1)
    rows = []
    with open_world(timeout_seconds=300) as world:
        for case in cases(4):
            if case.name in NAMES:
                rows.append(_one(case, world))
    if rank == 0:
        results.put(rows)


def _one(case: Case, world: World) -> dict[str, Any]:
    trainer, items = build_trainer(FAMILIES[0], case, world, "float32")
    trainer.update(lambda span: iter(items[span.step]), stop_asked=False)  # states, buffers
    sizes: Counter[str] = Counter()
    originals = {name: getattr(dist, name) for name in FUNCTIONS}

    def counting(name: str) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            sizes[name] += _bytes_of((*arguments, *more.values()))
            return originals[name](*arguments, **more)

        return call

    for name in FUNCTIONS:
        setattr(dist, name, counting(name))
    try:
        with CommDebugMode() as counter:
            trainer.update(lambda span: iter(items[span.step]), stop_asked=False)
    finally:
        for name in FUNCTIONS:
            setattr(dist, name, originals[name])
    model = trainer.layout.parts[0]
    microbatches = len(items[1])
    x = case.microbatch * SEQ_LEN * 32 * 4
    layers = FAMILIES[0].model["layers"]
    parameters = sum(p.numel() for p in model.parameters())
    expected = {
        "dp": {"all_reduce of gradients": 4 * parameters},
        "tp": {"all_reduce in blocks": 4 * layers * microbatches * x},
        "tp+sp": {
            "all_gather in blocks": 4 * layers * microbatches * x // 4,
            "reduce_scatter in blocks": 4 * layers * microbatches * x,
        },
        "pp 1f1b": {"sends of the first stage": microbatches * x},
    }.get(case.name, {"gathers and scatters of each block": 3 * 4 * parameters * microbatches})
    return {
        "layout": case.name,
        "rows": ROWS,
        "microbatches": microbatches,
        "counts": {str(key): value for key, value in counter.get_comm_counts().items()},
        "bytes_measured": dict(sizes),
        "bytes_expected": expected,
    }


def main() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    results = mp.get_context("spawn").SimpleQueue()
    mp.spawn(measure, (port, results), nprocs=4)
    print(json.dumps({"benchmark": "volume", "torch": torch.__version__, "rows": results.get()}))


if __name__ == "__main__":
    main()
