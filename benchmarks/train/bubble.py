"""The pipeline's bubble against (p - 1) / m, with stages that sleep.

Busy ranks on few cores show no bubble: a sleeping stage takes its time on any machine. A forward
pass sleeps t, a backward pass 2 t, so a step without a bubble takes 3 m t. Interleaved schedules
divide the bubble by the stages per rank (Narayanan et al. 2021, section 2.2).

    python -m benchmarks.train.bubble > benchmarks/results/bubble.json
"""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
import time
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage

from train.distributed.world import leave_process
from train.parallel.pipeline import SCHEDULES

FORWARD_SECONDS, WIDTH = 0.4, 4
LOOPED = {"interleaved": 2}


class _Sleep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, seconds: float) -> Tensor:
        ctx.seconds = seconds
        time.sleep(seconds)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        time.sleep(2 * ctx.seconds)
        return grad, None


class _Stage(nn.Module):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return _Sleep.apply(x * self.weight, self.seconds)


def measure(rank: int, ranks: int, port: int, jobs: list[tuple[str, int]], results: Any) -> None:
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    found = []
    for kind, microbatches in jobs:
        loops = LOOPED.get(kind, 1)
        seconds = FORWARD_SECONDS / loops
        stages = [
            PipelineStage(_Stage(seconds), rank + loop * ranks, ranks * loops, torch.device("cpu"))
            for loop in range(loops)
        ]
        schedule = SCHEDULES[kind](
            stages if loops > 1 else stages[0],
            microbatches,
            loss_fn=lambda out, target: (out - target).sum(),
            scale_grads=False,
        )
        rows, target = torch.ones(microbatches, WIDTH), torch.zeros(microbatches, WIDTH)
        times = []
        for _ in range(2):  # the first one prepares
            dist.barrier()
            started = time.perf_counter()
            if rank == 0:
                schedule.step(rows)
            elif rank == ranks - 1:
                schedule.step(target=target)
            else:
                schedule.step()
            dist.barrier()
            times.append(time.perf_counter() - started)
        found.append(times[-1])
    if rank == 0:
        results.put(found)
    dist.destroy_process_group()
    leave_process()


def main() -> None:
    rows = []
    for ranks in (2, 4, 8):
        jobs = [
            (kind, microbatches)
            for kind in ("gpipe", "1f1b", "interleaved")
            for microbatches in (ranks, 2 * ranks)
        ]
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        results = mp.get_context("spawn").SimpleQueue()
        mp.spawn(measure, (ranks, port, jobs, results), nprocs=ranks)
        for (kind, microbatches), seconds in zip(jobs, results.get(), strict=True):
            work = 3 * microbatches * FORWARD_SECONDS
            expected = (ranks - 1) / microbatches / LOOPED.get(kind, 1)
            measured = seconds / work - 1
            rows.append(
                {
                    "schedule": kind,
                    "p": ranks,
                    "m": microbatches,
                    "bubble_expected": round(expected, 4),
                    "bubble_measured": round(measured, 4),
                    "step_off_by": round((1 + measured) / (1 + expected) - 1, 4),
                }
            )
            print(rows[-1], file=sys.stderr, flush=True)
    print(
        json.dumps(
            {
                "benchmark": "bubble",
                "forward_seconds": FORWARD_SECONDS,
                "cpu": platform.processor() or platform.machine(),
                "cores": os.cpu_count(),
                "load": os.getloadavg()[0],
                "torch": torch.__version__,
                "rows": rows,
                "worst_step_off_by": max(abs(row["step_off_by"]) for row in rows),
            }
        )
    )


if __name__ == "__main__":
    main()
