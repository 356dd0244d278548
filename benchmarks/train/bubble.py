"""The pipeline's bubble against (p - 1) / m, with stages that sleep.

Busy ranks on few cores show no bubble: a sleeping stage takes its time on any machine. A forward
pass sleeps t, a backward pass 2 t, so a step without a bubble takes 3 m t. Interleaved schedules
divide the bubble by the stages per rank (Narayanan et al. 2021, section 2.2).

    python -m benchmarks.train.bubble
"""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.pipelining import PipelineStage

from benchmarks.record import argument_parser, record
from benchmarks.train.ranks import run_ranks
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
        slept: Tensor = _Sleep.apply(x * self.weight, self.seconds)  # type: ignore[no-untyped-call]
        return slept


def measure(rank: int, ranks: int, jobs: list[tuple[str, int]]) -> list[float]:
    """Seconds of one step of each (schedule, micro-batches)."""
    dist.init_process_group("gloo")
    steps = []
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
        steps.append(times[-1])
    dist.destroy_process_group()
    return steps


def main() -> None:
    argument_parser(__doc__).parse_args()
    rows = []
    for ranks in (2, 4, 8):
        jobs = [
            (kind, microbatches)
            for kind in ("gpipe", "1f1b", "interleaved")
            for microbatches in (ranks, 2 * ranks)
        ]
        steps = run_ranks(measure, ranks, jobs, num_ranks=ranks)
        for (kind, microbatches), seconds in zip(jobs, steps, strict=True):
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
    record(
        "bubble",
        {
            "forward_seconds": FORWARD_SECONDS,
            "rows": rows,
            "worst_step_off_by": max(abs(row["step_off_by"]) for row in rows),
        },
    )


if __name__ == "__main__":
    main()
