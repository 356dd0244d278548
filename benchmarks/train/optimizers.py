"""Our Muon and Adafactor beside those of torch: how far their steps differ, and what a step costs.

One process, one thread, CPU time. A difference is relative to the length of all steps together.

    python -m benchmarks.train.optimizers
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.record import argument_parser, record
from train.optim.adafactor import Adafactor
from train.optim.muon import Muon

STEPS = 3
Make = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


def walk(make: Make, shape: tuple[int, int]) -> tuple[Tensor, float]:
    """The sum of some steps on drawn gradients, and CPU seconds of one."""
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(shape, generator=generator)
    parameter = nn.Parameter(start.clone())
    optimizer = make([parameter])
    seconds = 0.0
    for _ in range(STEPS):
        parameter.grad = torch.randn(shape, generator=generator)
        begun = time.process_time()
        optimizer.step()
        seconds += time.process_time() - begun
    return parameter.detach() - start, seconds / STEPS


def compare(ours: Make, theirs: Make, shape: tuple[int, int]) -> dict[str, Any]:
    (own, own_seconds), (other, other_seconds) = walk(ours, shape), walk(theirs, shape)
    return {
        "shape": list(shape),
        "difference": float(f"{float((own - other).norm() / own.norm()):.2g}"),
        "cpu_seconds_ours": round(own_seconds, 4),
        "cpu_seconds_torch": round(other_seconds, 4),
    }


def main() -> None:
    argument_parser(__doc__).parse_args()
    torch.set_num_threads(1)

    def muon(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return Muon(parameters, lr=0.02, betas=(0.9, 0.95))

    def torch_muon(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Muon(
            parameters, lr=0.02, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
        )

    def adafactor(rate: float) -> tuple[Make, Make]:
        return (
            lambda parameters: Adafactor(parameters, lr=rate),
            lambda parameters: torch.optim.Adafactor(parameters, lr=rate, eps=(1e-15, 1e-3)),
        )

    rows = {
        "muon, a block's matrix of GPT-2 small": compare(muon, torch_muon, (768, 768)),
        "adafactor, factored, rate 0.01": compare(*adafactor(0.01), (768, 768)),
        "adafactor, factored, rate 1": compare(*adafactor(1.0), (768, 768)),
        "adafactor, small matrix, rate 0.01": compare(*adafactor(0.01), (64, 64)),
    }
    record("optimizers", {"steps": STEPS, "rows": rows})


if __name__ == "__main__":
    main()
