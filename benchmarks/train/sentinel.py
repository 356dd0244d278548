"""Does the online sentinel find flipped bits, and whom does it name?

    python -m benchmarks.train.sentinel [--trials 4] [--clean-steps 300]

Three ranks with `parallel.reduction: tree` look at each step (`parallel.sentinel_every_steps: 1`). In a trial one bit flips once on one rank:
in a gradient of the micro-batch that is looked at, in what the first matrix product gives (forward), or in a weight. The rank is by turns the
one that trains on the micro-batch and the one that computes it again. Counted are trials in which that rank is named, those in which another
one is, and those in which all bits of the gradient were equal, for the flip was rounded away. Then steps are trained without a flip.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from benchmarks.record import RESULTS, argument_parser, record
from benchmarks.train.ranks import run_ranks
from tests.support.datasets import DatasetShape, write_dataset
from train.batch.losses import LossMeter
from train.distributed.world import World, open_world
from train.loop.open_run import open_run
from train.loop.sentinel import Finding, Sentinel, sentinel_of
from train.parallel.tree import leaves_by_rank
from train.settings import TrainSettings

RANKS = 3
PLACES = ("gradient", "forward", "weight")
BITS = (0, 1, 4, 8, 12, 16, 20, 22, 23, 25, 27, 29, 30, 31)


def recipe(folder: Path, data: Path) -> TrainSettings:
    """A tiny model whose steps have eight micro-batches."""
    return TrainSettings.model_validate(
        {
            "manifest": str(data),
            "output": str(folder / "run"),
            "stop": {"steps": 10_000},
            "threads": 1,
            "model": {"preset": "gpt2-test", "dropout": 0.1},
            "batch": {"sequences": 15, "microbatch": 2},
            "parallel": {"reduction": "tree", "sentinel_every_steps": 1},
            "precision": {"compute": "fp32"},
            "evaluation": None,
            "checkpoint": {"export": False},
            "metrics": {"tensorboard": False},
        }
    )


def flip(tensor: Tensor, bit: int, generator: random.Random) -> None:
    """Flip one bit of a number of a float32 tensor that is not zero, in place."""
    flat = tensor.detach().view(-1)
    chosen = int(generator.choice(flat.nonzero().view(-1)[:10_000].tolist()))
    flat[chosen : chosen + 1].view(torch.int32).bitwise_xor_(
        torch.tensor([(1 << bit) - (1 << 32 if bit == 31 else 0)], dtype=torch.int32)
    )


class Trials:
    """Steps of one opened run that are looked at and never made."""

    def __init__(self, settings: TrainSettings, world: World) -> None:
        self.run = open_run(settings, world)
        made = sentinel_of(self.run)
        assert made is not None
        self.sentinel: Sentinel = made
        self.strategy = made.strategy

    def look(self, step: int) -> Finding | None:
        """Compute a step's micro-batches, and what the sentinel finds."""
        span, trainer = self.run.trainer.plan.span(step), self.run.trainer
        leaves = -(-span.count // self.run.settings.batch.microbatch)
        own = leaves_by_rank(leaves, self.run.world.size)[self.run.world.rank]
        meter = LossMeter(trainer.sources, self.run.world.device)
        batches = (self.sentinel.rows.leaf(span, leaf) for leaf in own)
        self.strategy.accumulate(batches, meter, backward_scale=1.0)
        return self.sentinel.inspect(span, 1.0)

    def try_flip(self, step: int, place: str, bit: int, *, at_checker: bool) -> str:
        """One trial: `named`, `another`, or `equal`."""
        leaf = self.sentinel.watched(step)
        assert leaf is not None
        leaves = -(-self.run.trainer.plan.span(step).count // self.run.settings.batch.microbatch)
        owner = next(r for r, own in enumerate(leaves_by_rank(leaves, RANKS)) if leaf in own)
        struck = (owner + at_checker) % RANKS
        generator = random.Random(f"{step} {place} {bit}")
        if struck != self.run.world.rank:
            found = self.look(step)
        else:
            with self._flipping(place, bit, leaf, generator):
                found = self.look(step)
        if found is None:
            return "equal"
        return "named" if found.rank == struck else "another"

    @contextmanager
    def _flipping(
        self, place: str, bit: int, leaf: int, generator: random.Random
    ) -> Iterator[None]:
        weight = next(iter(self.strategy.model.parameters()))
        if place == "weight":
            before = weight.detach().clone()
            flip(weight, bit, generator)
            yield
            weight.detach().copy_(before)
            return
        compute, left = self.strategy._gradient, [True]

        def struck(batch: Any, *args: Any, **more: Any) -> Tensor:
            is_now = left[0] and batch.number == leaf
            left[0] = left[0] and not is_now
            if not is_now:
                return compute(batch, *args, **more)
            if place == "gradient":
                found = compute(batch, *args, **more)
                flip(found, bit, generator)
                return found
            with hooked(self.strategy.model, lambda out: flip(out, bit, generator)):
                return compute(batch, *args, **more)

        self.strategy._gradient = struck  # type: ignore[method-assign]
        yield
        del self.strategy._gradient


@contextmanager
def hooked(model: nn.Module, change: Callable[[Tensor], None]) -> Iterator[None]:
    """Change what the first linear layer gives, once."""
    layer = next(module for module in model.modules() if isinstance(module, nn.Linear))

    def hook(module: nn.Module, inputs: Any, out: Tensor) -> Tensor:
        handle.remove()
        changed = out.detach().clone()
        change(changed)
        return out + (changed - out.detach())

    handle = layer.register_forward_hook(hook)
    yield
    handle.remove()


def detect(rank: int, settings: TrainSettings, trials: int, clean_steps: int) -> dict[str, Any]:
    """The table of one process group; equal on all ranks."""
    with open_world(timeout_seconds=120) as world:
        made, step = Trials(settings, world), 0
        table: dict[str, dict[str, dict[str, int]]] = {}
        for place in PLACES:
            for bit in BITS:
                row = {"named": 0, "another": 0, "equal": 0}
                for number in range(trials):
                    row[made.try_flip(step, place, bit, at_checker=bool(number % 2))] += 1
                    step += 1
                table.setdefault(place, {})[str(bit)] = row
        alarms = sum(made.look(step + more) is not None for more in range(clean_steps))
        return {
            "by_place_and_bit": table,
            "clean_steps": clean_steps,
            "alarms_in_clean_steps": alarms,
        }


def markdown(result: dict[str, Any]) -> str:
    """The table as docs/survival.md has it."""
    rows = [
        f"| flip in | {' | '.join(f'bit {bit}' for bit in BITS)} |",
        f"|---|{'---:|' * len(BITS)}",
    ]
    for place, by_bit in result["by_place_and_bit"].items():
        cells = []
        for bit in BITS:
            counts = by_bit[str(bit)]
            equal = f" ({counts['equal']} equal)" if counts["equal"] else ""
            cells.append(f"{counts['named']} of {sum(counts.values())}{equal}")
        rows.append(f"| {place} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Fill the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--table", action="store_true", help="print the table, try nothing")
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--clean-steps", type=int, default=300)
    args = parser.parse_args()
    if args.table:
        print(markdown(json.loads((RESULTS / "sentinel.json").read_text("utf-8"))))
        return
    with tempfile.TemporaryDirectory() as folder:
        data = write_dataset(Path(folder) / "data", DatasetShape(rows_per_shard=(80, 80)))
        settings = recipe(Path(folder), data)
        found = run_ranks(detect, settings, args.trials, args.clean_steps, num_ranks=RANKS)
    record("sentinel", {"trials": args.trials, **found})


if __name__ == "__main__":
    main()
