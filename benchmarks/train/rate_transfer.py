"""Is the best learning rate of a small model that of a wider and a deeper one, with muP and CompleteP and without?

    python -m benchmarks.train.rate_transfer [--families gpt2 bert t5] [--steps 100] [--seeds 3] [--plan | --table]

Models of 2 layers of 32, four times as wide, and four times as deep learn sequences of a random first-order chain over 64 tokens, in steps of
16 rows of 32 at a constant rate: a GPT the next token, a BERT at each token another draw of what may follow it, a T5 the second half of each row
from the first. For each size and seed the rate with the least loss over the last tenth of the steps, found by a parabola through the best of a
grid of factors of two; the error of transfer is the logarithm (base 2) of the best rate over that of the small model, and what the small one's best rate costs
at the larger size, nats; both are means over seeds with 95 % intervals. Each trained model is a line of results/rate_transfer.jsonl, and is never trained twice.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

from benchmarks.record import RESULTS, argument_parser, record
from benchmarks.whole_lines import append_lines, read_whole_lines
from train.batch.batch import NO_LABEL, Batch
from train.model.config import ModelConfig
from train.model.sizes import with_size
from train.model.transformer import build_model
from train.optim.config import OptimizerConfig
from train.optim.groups import build_optimizer
from train.statistics.intervals import mean_interval

NAME = "rate_transfer"
LINES = RESULTS / f"{NAME}.jsonl"
TOKENS, ROWS, LENGTH = 64, 16, 32
START = TOKENS  # what a T5's decoder begins with
RATES = tuple(2.0**power for power in range(-10, -2))
_SHAPE: dict[str, Any] = {
    "vocab_size": TOKENS + 1, "width": 32, "num_heads": 2, "num_layers": 2, "max_positions": LENGTH, "init_std": 0.1,
}  # fmt: skip
FAMILIES: dict[str, ModelConfig] = {
    "gpt2": ModelConfig(**_SHAPE),
    "bert": ModelConfig(**_SHAPE, family="bert"),
    "t5": ModelConfig(
        **_SHAPE, family="t5", positions="relative", norm="rmsnorm", bias=False, activation="relu"
    ),
}
SIZES: dict[str, dict[str, int]] = {
    "base": {"layers": 2, "heads": 2},
    "width x 4": {"layers": 2, "heads": 8},
    "depth x 4": {"layers": 8, "heads": 2},
}
WAYS = ("parametrised", "standard")


@dataclass(frozen=True)
class Trial:
    """One model that is trained."""

    family: str
    way: str
    size: str
    rate: float
    seed: int
    steps: int


def main() -> None:
    """Train every size at every rate in both ways; write the best rates and what transfer costs."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="that are trained"
    )
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--plan", action="store_true", help="say what is left; train nothing")
    parser.add_argument(
        "--table", action="store_true", help="print the result as docs/transfer.md has it"
    )
    args = parser.parse_args()
    if args.table:
        print(table_text(json.loads((RESULTS / f"{NAME}.json").read_text("utf-8"))["found"]))
        return
    trials = planned(args.families, steps=args.steps, seeds=args.seeds)
    if args.plan:
        known = read_lines(LINES)
        print(f"{sum(one not in known for one in trials)} of {len(trials)} models are left")
        return
    losses = train_all(trials, LINES)
    done = [
        family
        for family in FAMILIES
        if all(one in losses for one in planned([family], steps=args.steps, seeds=args.seeds))
    ]
    found = {family: summary(losses, family, args.steps, args.seeds) for family in done}
    record(NAME, {"steps": args.steps, "seeds": args.seeds, "rates": RATES, "found": found})


def planned(families: Sequence[str], *, steps: int, seeds: int) -> list[Trial]:
    """All models, those of one seed before those of the next; the base size once for both ways."""
    return [
        Trial(family, way, size, rate, seed, steps)
        for family in families
        for seed in range(seeds)
        for way in WAYS
        for size in SIZES
        if not (size == "base" and way == "standard")
        for rate in RATES
    ]


def train_all(trials: Sequence[Trial], path: Path) -> dict[Trial, float]:
    """The final loss of each model, trained where the file does not have it."""
    torch.set_num_threads(1)
    chain = torch.softmax(2 * torch.randn(TOKENS, TOKENS, generator=_draw(0)), dim=1)
    for trial in trials:
        if trial in read_lines(path):
            continue
        began = time.process_time()
        loss = final_loss(trial, chain)
        _add_line(path, trial, loss, time.process_time() - began)
    return read_lines(path)


def read_lines(path: Path) -> dict[Trial, float]:
    """The models that are trained, with their losses."""
    found = {}
    for line in read_whole_lines(path):
        fields = json.loads(line)
        loss = fields.pop("loss")
        fields.pop("cpu_seconds")
        found[Trial(**fields)] = float(loss)
    return found


def _add_line(path: Path, trial: Trial, loss: float, seconds: float) -> None:
    line = {**vars(trial), "loss": round(loss, 5), "cpu_seconds": round(seconds, 2)}
    append_lines(path, lambda: [json.dumps(line)])


def _draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _shape(trial: Trial) -> ModelConfig:
    base = FAMILIES[trial.family]
    large = with_size(base, **SIZES[trial.size])
    if trial.way == "standard":
        return large
    bases = {"mup_base_width": base.width, "mup_base_depth": base.num_layers}
    return large.model_copy(update=bases)


def _batch(family: str, chain: Tensor, draw: torch.Generator) -> tuple[Batch, int]:
    """Rows of the chain as the family's objective gives them, and the number of labels."""
    ids = torch.empty(ROWS, LENGTH, dtype=torch.long)
    ids[:, 0] = torch.randint(0, TOKENS, (ROWS,), generator=draw)
    for position in range(1, LENGTH):
        ids[:, position] = torch.multinomial(chain[ids[:, position - 1]], 1, generator=draw)[:, 0]
    decoder_ids = None
    if family == "t5":
        ids, labels = ids[:, : LENGTH // 2], ids[:, LENGTH // 2 :]
        decoder_ids = labels.roll(1, 1)
        decoder_ids[:, 0] = START
    elif family == "bert":
        # What a mask hides is learnt only after thousands of steps; this is as hard as a GPT's task.
        labels = torch.multinomial(chain[ids.flatten()], 1, generator=draw).view(ids.shape)
    else:
        labels = ids.roll(-1, 1)
        labels[:, -1] = NO_LABEL
    batch = Batch.of_whole_rows(ids, labels, decoder_ids=decoder_ids)
    return batch, int((labels != NO_LABEL).sum())


def final_loss(trial: Trial, chain: Tensor) -> float:
    """Mean loss over the last tenth of the steps; that of a uniform guess where it is no number."""
    model = build_model(_shape(trial), seed=trial.seed)
    optimizer = build_optimizer([model], OptimizerConfig(weight_decay=0.0))
    draw, losses = _draw(1000 + trial.seed), []
    for step in range(trial.steps):
        optimizer.zero_grad()
        batch, labels = _batch(trial.family, chain, draw)
        loss = model(batch).loss / labels
        loss.backward()
        warm = min(1.0, (step + 1) / (0.1 * trial.steps))
        for group in optimizer.param_groups:
            group["lr"] = trial.rate * warm * group["lr_scale"]
        optimizer.step()
        losses.append(float(loss.detach()))
    final = fmean(losses[-max(1, trial.steps // 10) :])
    return final if math.isfinite(final) else math.log(TOKENS)


def summary(
    losses: Mapping[Trial, float], family: str, steps: int, seeds: int
) -> dict[str, dict[str, Any]]:
    """The best rates of all sizes beside those of the base, by way and size."""

    def curve(way: str, size: str, seed: int) -> list[float]:
        known = WAYS[0] if size == "base" else way
        return [losses[Trial(family, known, size, rate, seed, steps)] for rate in RATES]

    return {
        way: {
            size: _beside_base(
                [curve(way, size, seed) for seed in range(seeds)],
                [curve(way, "base", seed) for seed in range(seeds)],
            )
            for size in SIZES
        }
        for way in WAYS
    }


def _beside_base(curves: Sequence[list[float]], of_base: Sequence[list[float]]) -> dict[str, Any]:
    shifts = [_best(own) - _best(base) for own, base in zip(curves, of_base, strict=True)]
    # The rate that all seeds together would choose, as one who tunes the small model does.
    means = [fmean(column) for column in zip(*of_base, strict=True)]
    index = means.index(min(means))
    costs = [own[index] - min(own) for own in curves]
    return {
        "losses": [round(fmean(column), 4) for column in zip(*curves, strict=True)],
        "best_rate": float(f"{2 ** fmean(map(_best, curves)):.3g}"),
        "shift_octaves": _interval(shifts),
        "cost_of_base_rate_nats": _interval(costs),
    }


def table_text(found: Mapping[str, Any]) -> str:
    """The table of the page, from the result's figures."""
    lines = [
        "| family | larger by | way | best rate, in octaves from the small model's | nats that the small model's best rate costs |",
        "|---|---|---|---|---|",
    ]
    for family, ways in found.items():
        for size in [one for one in SIZES if one != "base"]:
            for way in WAYS:
                one = ways[way][size]
                name = (
                    "standard" if way == "standard" else ("muP" if "width" in size else "CompleteP")
                )
                shift, cost = one["shift_octaves"], one["cost_of_base_rate_nats"]
                lines.append(
                    f"| {family} | {size} | {name} | {_shown(shift, '+.2f')} | {_shown(cost, '.3f')} |"
                )
    return "\n".join(lines)


def _shown(figure: Mapping[str, Any], form: str) -> str:
    ends = f" ({figure['low']:{form}} to {figure['high']:{form}})" if "low" in figure else ""
    return f"{figure['mean']:{form}}{ends}"


def _interval(values: Sequence[float]) -> dict[str, Any]:
    found: dict[str, Any] = {"mean": round(fmean(values), 4)}
    if len(values) > 1:
        ends = mean_interval(values)
        found |= {"low": round(ends.low, 4), "high": round(ends.high, 4)}
    return {**found, "by_seed": [round(one, 4) for one in values]}


def _best(curve: Sequence[float]) -> float:
    """Logarithm (base 2) of the best rate, by a parabola through the best of the grid and its neighbours."""
    index = min(range(len(curve)), key=lambda i: curve[i])
    if index in (0, len(curve) - 1):
        return math.log2(RATES[index])
    left, middle, right = curve[index - 1 : index + 2]
    bend = left - 2 * middle + right
    return math.log2(RATES[index]) + (0.5 * (left - right) / bend if bend > 0 else 0.0)


if __name__ == "__main__":
    main()
