"""Is the best learning rate of a small model that of a wider and a deeper one, with muP and CompleteP and without?

    python -m benchmarks.train.rate_transfer [--steps 150] [--seeds 2]

GPTs of 2 layers of 32, four times as wide, and four times as deep learn sequences of a random first-order chain over 64 tokens (entropy known), in steps of
16 rows of 32 at a constant rate. For each size the rate with the least loss over the last tenth of the steps, found by a parabola through the best of a
grid of factors of two; the error of transfer is the logarithm (base 2) of the best rate over that of the small model, and what the small one's best rate costs
at the larger size, nats.
"""

from __future__ import annotations

import math
import os
from statistics import fmean
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

from benchmarks.record import argument_parser, record
from train.batch.batch import NO_LABEL, Batch
from train.model.config import ModelConfig
from train.model.sizes import with_size
from train.model.transformer import build_model
from train.optim.config import OptimizerConfig
from train.optim.groups import build_optimizer

TOKENS, ROWS, LENGTH = 64, 16, 32
RATES = [2.0**power for power in range(-10, -2)]
BASE = ModelConfig(
    vocab_size=TOKENS, width=32, num_heads=2, num_layers=2, max_positions=LENGTH, init_std=0.1
)
SIZES: dict[str, dict[str, int]] = {
    "base": {"layers": 2, "heads": 2},
    "width x 4": {"layers": 2, "heads": 8},
    "depth x 4": {"layers": 8, "heads": 2},
}


def main() -> None:
    """Train every size at every rate in both ways; write the best rates and what transfer costs."""
    parser = argument_parser(__doc__)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    chain = torch.softmax(2 * torch.randn(TOKENS, TOKENS, generator=_draw(0)), dim=1)
    found: dict[str, Any] = {}
    for way in ("parametrised", "standard"):
        curves = {
            name: [fmean(_final(_shape(way, size), chain, rate, args.steps, seed) for seed in range(args.seeds)) for rate in RATES]
            for name, size in SIZES.items()
        }  # fmt: skip
        found[way] = {name: _summary(curve, curves["base"]) for name, curve in curves.items()}
        print(way, found[way], flush=True)
    record(
        "rate_transfer", {"steps": args.steps, "seeds": args.seeds, "rates": RATES, "found": found}
    )


def _draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _shape(way: str, size: dict[str, int]) -> ModelConfig:
    large = with_size(BASE, **size)
    if way == "standard":
        return large
    bases = {"mup_base_width": BASE.width, "mup_base_depth": BASE.num_layers}
    return large.model_copy(update=bases)


def _batch(chain: Tensor, draw: torch.Generator) -> Batch:
    ids = torch.empty(ROWS, LENGTH, dtype=torch.long)
    ids[:, 0] = torch.randint(0, TOKENS, (ROWS,), generator=draw)
    for position in range(1, LENGTH):
        ids[:, position] = torch.multinomial(chain[ids[:, position - 1]], 1, generator=draw)[:, 0]
    labels = ids.roll(-1, 1)
    labels[:, -1] = NO_LABEL
    return Batch(
        input_ids=ids,
        labels=labels,
        document=torch.ones_like(ids),
        positions=torch.arange(LENGTH).expand(ROWS, LENGTH),
        segment=torch.zeros_like(ids),
        segment_source=torch.zeros(1, dtype=torch.long),
        num_sources=1,
        is_whole=True,
    )


def _final(shape: ModelConfig, chain: Tensor, rate: float, steps: int, seed: int) -> float:
    """Mean loss over the last tenth of the steps."""
    model = build_model(shape, seed=seed)
    optimizer = build_optimizer([model], OptimizerConfig(weight_decay=0.0))
    draw, losses = _draw(1000 + seed), []
    for step in range(steps):
        optimizer.zero_grad()
        loss = model(_batch(chain, draw)).loss / (ROWS * (LENGTH - 1))
        loss.backward()
        warm = min(1.0, (step + 1) / (0.1 * steps))
        for group in optimizer.param_groups:
            group["lr"] = rate * warm * group["lr_scale"]
        optimizer.step()
        losses.append(float(loss.detach()))
    final = fmean(losses[-max(1, steps // 10) :])
    return final if math.isfinite(final) else math.log(TOKENS)


def _summary(curve: list[float], of_base: list[float]) -> dict[str, Any]:
    best, base = _best(curve), _best(of_base)
    at_base = curve[min(range(len(RATES)), key=lambda i: of_base[i])]
    return {
        "losses": [round(one, 4) for one in curve],
        "best_rate": float(f"{2**best:.3g}"),
        "shift_octaves": round(best - base, 2),
        "cost_of_base_rate_nats": round(at_base - min(curve), 4),
    }


def _best(curve: list[float]) -> float:
    """Logarithm (base 2) of the best rate, by a parabola through the best of the grid and its neighbours."""
    index = min(range(len(curve)), key=lambda i: curve[i])
    if index in (0, len(curve) - 1):
        return math.log2(RATES[index])
    left, middle, right = curve[index - 1 : index + 2]
    bend = left - 2 * middle + right
    return math.log2(RATES[index]) + (0.5 * (left - right) / bend if bend > 0 else 0.0)


if __name__ == "__main__":
    main()
