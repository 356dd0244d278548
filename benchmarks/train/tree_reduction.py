"""Are the weights the same bits for any number of data ranks, and what does the tree of sums cost?

    python -m benchmarks.train.tree_reduction hashes [--steps 20] [--worlds 1,2,3,4,8]
    python -m benchmarks.train.tree_reduction cost [--millions 8]

`hashes` trains GPT, T5 and BERT with AdamW and Muon from the same recipe on each number of ranks: dropout 0.1, clipping, 8
micro-batches of a row and a half on average (the last has fewer), and hashes weights and optimizer states. `cost` adds random vectors by
the flat all-reduce and by the tree and sums the CPU time of all ranks; one thread each.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from benchmarks.record import argument_parser, record
from benchmarks.train.ranks import run_ranks
from tests.support.datasets import DatasetShape, write_dataset
from train.checkpoint.index import WEIGHTS_NAME, read_index
from train.checkpoint.pointer import find_checkpoint
from train.checkpoint.state_file import index_sha256
from train.data.cursor import RankShare, leaves_of_rank
from train.distributed.replicas import sum_gradients
from train.distributed.world import open_world
from train.loop.run import pretrain
from train.parallel.tree import LeafSums, leaves_by_rank, sum_in_tree
from train.selftest.cases import SPECIAL, VOCAB
from train.settings import TrainSettings

SHAPE = {"width": 32, "num_heads": 2, "num_layers": 2, "mlp_width": 64, "dropout": 0.1}
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt": {"model": {"preset": "gpt2-test", **SHAPE}, "objective": {"name": "causal"}},
    "t5": {
        "model": {"preset": "t5-small", **SHAPE, "head_width": 16},
        "objective": {"name": "span_corruption"},
    },
    "bert": {"model": {"preset": "bert-base", **SHAPE}, "objective": {"name": "masked"}},
}
OPTIMIZERS = ("adamw", "muon")
LEAVES = 8


def main() -> None:
    """Measure one of the two; a case for each model and optimizer, or for each number of ranks."""
    parser = argument_parser(__doc__)
    parser.add_argument("what", choices=("hashes", "cost"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--worlds", default="1,2,3,4,8")
    parser.add_argument("--millions", type=int, default=8, help="of floats in a vector")
    args = parser.parse_args()
    worlds = [int(world) for world in args.worlds.split(",")]
    if args.what == "cost":
        measure_cost([world for world in worlds if world in (2, 3, 4)], args.millions * 1_000_000)
        return
    with tempfile.TemporaryDirectory(prefix="tree-") as work:
        shape = DatasetShape(seq_len=32, vocab_size=VOCAB, special=SPECIAL)
        data = write_dataset(Path(work) / "data", shape).parent
        for family in FAMILIES:
            for optimizer in OPTIMIZERS:
                hashes = {}
                for world in worlds:
                    recipe = settings(family, optimizer, data, args.steps) | {
                        "output": str(Path(work) / f"{family}-{optimizer}-{world}")
                    }
                    hashes[str(world)] = run_ranks(trained, recipe, num_ranks=world)[:16]
                result = {"steps": args.steps, "hash_by_ranks": hashes}
                equal = {"equal": len(set(hashes.values())) == 1}
                record("tree_reduction", result | equal, case=f"{family} {optimizer}")


def settings(family: str, optimizer: str, data: Path, steps: int) -> dict[str, Any]:
    """The recipe of one run, but for its folder."""
    return {
        "manifest": str(data),
        **FAMILIES[family],
        "batch": {"sequences": 2 * LEAVES - 1, "microbatch": 2},
        "stop": {"steps": steps},
        "optimizer": {"name": optimizer, "max_grad_norm": 0.5},
        "schedule": {"peak_lr": 3e-3, "warmup": 2},
        "parallel": {"reduction": "tree"},
        "precision": {"compute": "fp32"},
        "checkpoint": {"every_steps": steps, "export": False},
        "metrics": {"tensorboard": False},
        "evaluation": None,
        "threads": 1,
    }


def trained(rank: int, recipe: dict[str, Any]) -> str:
    """Train, and hash what the last checkpoint says of its tensors."""
    pretrain(TrainSettings.model_validate(recipe))
    if rank != 0:
        return ""
    checkpoint = find_checkpoint(Path(recipe["output"]))
    weights = checkpoint / WEIGHTS_NAME
    return read_index(weights, sha256=index_sha256(checkpoint)).content_sha256()


def measure_cost(worlds: list[int], size: int) -> None:
    """CPU milliseconds of all ranks for one sum of a vector."""
    for world in worlds:
        result = run_ranks(cost, size, num_ranks=world)
        record("tree_reduction", {"floats": size, **result}, case=f"cost at {world} ranks")


def cost(rank: int, size: int) -> dict[str, Any]:
    """Best of five of each, in turn."""
    with open_world(timeout_seconds=300) as world:
        own = leaves_of_rank(LEAVES, RankShare(rank=rank, ranks=world.size))
        leaves = [torch.randn(size) for _ in own]
        found: dict[str, list[float]] = {"flat": [], "tree": [], "local_adds": []}
        for _ in range(5):
            sums, started = LeafSums(), time.process_time()
            for leaf, vector in zip(own, leaves, strict=True):
                sums.add(leaf, vector.clone())
            found["local_adds"].append(time.process_time() - started)
            world.barrier()
            started = time.process_time()
            sum_in_tree(sums, leaves=leaves_by_rank(LEAVES, world.size), size=size, world=world)
            found["tree"].append(time.process_time() - started)
            world.barrier()
            started = time.process_time()
            sum_gradients([leaves[0].clone()])
            found["flat"].append(time.process_time() - started)
        every = world.sum(torch.tensor(list(found.values()))).min(dim=1).values * 1000
        times = {f"{name}_cpu_ms": round(float(ms)) for name, ms in zip(found, every, strict=True)}
        return times | {"tree_to_flat": round(float(every[1] / every[0]), 2)}


if __name__ == "__main__":
    main()
