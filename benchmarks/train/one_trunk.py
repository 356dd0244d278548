"""How near does an average of checkpoints come to a cool-down, and does a probe see bad data in one?

    python -m benchmarks.train.one_trunk [--texts FOLDER] [--steps 600] [--seeds 1,2,3]

A model of two layers of 64 (0.26 M parameters) reads English books in steps of 512 tokens at a constant rate. From its end, the rate falls to 0 over a tenth of
the steps more, and averages of its last checkpoints (one each 1/20 of the trunk) are measured on the same held-out documents. Then one
trunk is probed with a copy of its data and with the same documents, their words shuffled.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.corpora.packed_text import write_dataset
from benchmarks.corpora.text_files import DATA, read_pieces
from benchmarks.record import argument_parser, record
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from train.checkpoint.merge import Average, Method, merge_checkpoints
from train.checkpoint.pointer import find_checkpoint
from train.commands.probe import do_probe
from train.commands.resume import branch_settings, cooldown, make_branch
from train.distributed.world import open_world
from train.evaluation.open_heldout import HeldoutRequest, heldout_of_weights, open_heldout
from train.generation.open_model import open_weights
from train.loop.run import pretrain
from train.objectives.config import parse_objective
from train.settings import TrainSettings
from train.studies.execute import Executor
from train.studies.probe import Probe, plan_probe

VOCABULARY, SEQ_LEN, ROWS = 2048, 256, 2
TEXT_BYTES, HELDOUT_PIECES = 2_500_000, 24
SHARE = 0.1
AVERAGES: tuple[tuple[int, Method], ...] = ((2, "uniform"), (4, "uniform"), (8, "uniform"), (8, "ema"))  # fmt: skip
QUIET = ("evaluation=null", "checkpoint.export=false")


def main() -> None:
    """Train the trunks, cool them down, average them, probe the first."""
    parser = argument_parser(__doc__)
    parser.add_argument("--texts", type=Path, default=DATA / "text")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", default="1,2,3", help="of the trunks, by commas")
    args = parser.parse_args()
    seeds = [int(seed) for seed in args.seeds.split(",")]
    with tempfile.TemporaryDirectory(prefix="one-trunk-") as work:
        _pack(args.texts, Path(work))
        by_seed = {str(seed): _losses(Path(work), args.steps, seed) for seed in seeds}
        probed = _probe(Path(work), args.steps, seeds[0])
    gains = {
        name: round(
            sum((one["trunk"] - one[name]) / (one["trunk"] - one["cool-down"]) for one in by_seed.values()) / len(seeds), 3
        )
        for name in next(iter(by_seed.values()))
        if name not in ("trunk", "cool-down")
    }  # fmt: skip
    result = {"steps": args.steps, "loss_by_seed": by_seed, "share_of_the_cooldowns_gain": gains}
    record("one_trunk", {**result, "probe": probed})


def _pack(texts: Path, work: Path) -> None:
    pieces = read_pieces(texts / "books-en.jsonl.gz", TEXT_BYTES)
    heldout = pieces[:: len(pieces) // HELDOUT_PIECES][:HELDOUT_PIECES]
    train = [piece for piece in pieces if piece not in heldout]
    tokenizer = work / "tokenizer"
    write_tokenizer(train_bpe(train, VocabularyConfig(size=VOCABULARY, sentinels=0)), tokenizer, 0)
    shuffled = []
    for number, piece in enumerate(train):
        words = piece.split(" ")
        random.Random(number).shuffle(words)
        shuffled.append(" ".join(words))
    for name, kept in (("data", train), ("shuffled", shuffled)):
        write_dataset(
            work / name, name="books", train=kept, heldout=heldout, tokenizer=tokenizer,
            seq_len=SEQ_LEN,
        )  # fmt: skip
    shutil.copytree(work / "data", work / "copy")


def _trunk(work: Path, steps: int, seed: int) -> Path:
    output = work / f"trunk-{seed}"
    recipe = {
        "manifest": str(work / "data"),
        "output": str(output),
        "seed": seed,
        "model": {"preset": "gpt2-tiny", "num_layers": 2, "width": 64, "max_positions": SEQ_LEN},
        "batch": {"sequences": ROWS, "microbatch": ROWS},
        "stop": {"steps": steps},
        "schedule": {"lr_scheduler_type": "constant", "peak_lr": 0.006, "warmup": steps // 10},
        "checkpoint": {"every_steps": max(1, steps // 20), "keep_last": 10, "export": False},
        "evaluation": None,
        "metrics": {"tensorboard": False},
        "threads": 1,
    }
    pretrain(TrainSettings.model_validate(recipe))
    return output


def _losses(work: Path, steps: int, seed: int) -> dict[str, float]:
    """Held-out losses of a trunk, of its cool-down and of its averages."""
    trunk = _trunk(work, steps, seed)
    cooled = work / f"cooled-{seed}"
    overrides = [*cooldown(trunk, step=steps, share=SHARE), *QUIET]
    pretrain(make_branch(trunk, cooled, step=steps, overrides=overrides))
    losses = {"trunk": _loss(work, trunk), "cool-down": _loss(work, cooled)}
    for last, method in AVERAGES:
        merged = work / f"merged-{seed}-{last}-{method}"
        merge_checkpoints(trunk, merged, Average(last=last, method=method))
        losses[f"{method} {last}"] = _loss(work, merged)
    return losses


def _loss(work: Path, run: Path) -> float:
    request = HeldoutRequest(
        manifest=str(work / "data"), objective=parse_objective({"name": "causal"}), max_rows=None,
        seed=0,
    )  # fmt: skip
    heard: list[Any] = []
    with open_world(timeout_seconds=600) as world:
        weights = open_weights(find_checkpoint(run))
        split = open_heldout(weights, request)
        found = heldout_of_weights(weights, split, world, heard=heard.append).as_dict()
    return round(float(found["loss"]), 4)


def _probe(work: Path, steps: int, seed: int) -> dict[str, Any]:
    """Verdicts of a copy of the trunk's data and of its documents with shuffled words."""
    trunk = work / f"trunk-{seed}"
    probe = Probe(
        trunk=trunk,
        step=steps,
        candidates=(str(work / "copy"), str(work / "shuffled")),
        seeds=(1, 2, 3),
        output=work / "probe",
        overrides=(*cooldown(trunk, step=steps, share=SHARE), *QUIET),
    )
    plan = plan_probe(probe, lambda path, more: branch_settings(trunk, path, more)[0])
    found = do_probe(probe, plan, Executor(plan.measure))
    return {
        row.arm: {
            "loss": round(row.value, 4),
            "difference": None
            if row.difference is None
            else [round(x, 4) for x in (row.difference.value, row.difference.low, row.difference.high)],
            "verdict": row.verdict,
        }
        for row in found.table.rows
    }  # fmt: skip


if __name__ == "__main__":
    main()
