"""Communication of a training step against the formulas of `train plan`, counted by torch.

    python -m benchmarks.train.volume

CommDebugMode counts the collectives; a dispatch mode beside it adds up the bytes that the first rank
puts into each of them, those of pipelines' sends included. What the formulas leave out: sums of the
vocabulary-parallel loss over labelled positions, norms and counts, a few tables that stages share.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.distributed.tensor.debug import CommDebugMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.record import argument_parser, record
from benchmarks.train.ranks import run_ranks
from train.distributed.world import World, open_world
from train.selftest.cases import FAMILIES, ROWS, SEQ_LEN, Case, cases
from train.selftest.run import build_trainer

NAMES = ("dp", "fsdp", "tp", "tp+sp", "pp 1f1b")
RANKS = 4
# Where an operation's input is: `_allgather_base_(output, input)`, `allreduce_(tensors)`.
_INPUTS = {
    "allreduce_": 0,
    "allgather_": 1,
    "_allgather_base_": 1,
    "_reduce_scatter_base_": 1,
    "send": 0,
}


class _Bytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what goes into the operations of process groups."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sent: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        namespace, name = func._schema.name.split("::")
        if namespace == "c10d" and name in _INPUTS:
            inputs = tree_leaves(args[_INPUTS[name]])
            self.sent[name] += sum(t.numel() * t.element_size() for t in inputs)
        return func(*args, **(kwargs or {}))


def measure(_: int) -> list[dict[str, Any]]:
    """Bytes of every layout's operations, measured and expected."""
    rows = []
    with open_world(timeout_seconds=300) as world:
        for case in cases(RANKS):
            if case.name in NAMES:
                rows += _one(case, world)
    return rows


def _one(case: Case, world: World) -> list[dict[str, Any]]:
    trainer, items = build_trainer(FAMILIES[0], case, world, "float32")
    trainer.update(lambda span: iter(items[span.step]), stop_asked=False)  # states, buffers
    counter = CommDebugMode()  # type: ignore[no-untyped-call]
    # Its table by module fails at the second micro-batch: a hook for each forward pass stays.
    tracker: Any = counter.advanced_module_tracker
    tracker._fw_set_module_hook = lambda *_: None
    counted = _Bytes()
    with counter, counted:
        trainer.update(lambda span: iter(items[span.step]), stop_asked=False)
    counts = {str(key).split(".")[-1]: n for key, n in counter.get_comm_counts().items()}
    microbatches = len(items[1])
    return [
        {
            "strategy": case.name,
            "operation": name,
            "what": what,
            "microbatches": microbatches,
            "operations": counts.get(name),
            "bytes_measured": counted.sent[name],
            "bytes_expected": expected,
            "off_by": round(counted.sent[name] / expected - 1, 4),
        }
        for name, what, expected in _expected(case, trainer.strategy.parts[0], microbatches)
    ]


def _expected(case: Case, model: torch.nn.Module, microbatches: int) -> list[tuple[str, str, int]]:
    """Operation, what it carries, bytes that a rank puts in."""
    config: Any = model.config
    x = case.microbatch * SEQ_LEN * config.width * 4
    sizes = {name: p.numel() * 4 for name, p in model.named_parameters()}
    total = sum(sizes.values())
    inner = sum(size for name, size in sizes.items() if name.startswith("blocks."))
    share = -(-SEQ_LEN // RANKS) / SEQ_LEN  # of a row's tokens, padded
    each = 4 * config.num_layers * microbatches
    match case.name:
        case "dp":
            return [("allreduce_", "gradients", total)]
        case "fsdp":
            # Blocks are gathered forward and backward, what is outside of them stays for both.
            gathered = microbatches * (2 * inner + total - inner) // RANKS
            return [
                ("_allgather_base_", "shards of weights", gathered),
                ("_reduce_scatter_base_", "gradients", microbatches * total),
            ]
        case "tp":
            sums = each * x + microbatches * x  # and the embedding's
            return [("allreduce_", "hidden states in blocks and of the embedding", sums)]
        case "tp+sp":
            return [
                ("allgather_", "shares of tokens in blocks", round(each * x * share)),
                ("_reduce_scatter_base_", "tokens in blocks", round(each * x * share * RANKS)),
            ]
        case _:
            return [("send", "hidden states to the second stage", microbatches * x)]


def main() -> None:
    argument_parser(__doc__).parse_args()
    rows = run_ranks(measure, num_ranks=RANKS)
    record(
        "volume",
        {
            "rows_of_a_batch": ROWS,
            "rows": rows,
            "worst_off_by": max(abs(row["off_by"]) for row in rows),
        },
    )


if __name__ == "__main__":
    main()
