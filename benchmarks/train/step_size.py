"""How many tokens should a step of a small model read? The same tokens and rate in steps of several sizes.

    python -m benchmarks.train.step_size [--texts FOLDER] [--layers 2] [--width 64] [--tokens 400000] [--rows 1,2,4,8,16] [--seeds 1,2]

A byte-level BPE of 2,048 is trained on English books and packed into rows of 256. Each run reads the same number of
tokens with AdamW at the published peak of its size, warm-up a tenth of the run, then a cosine to 0. The figure of merit is bits
per byte of held-out documents; seconds are those of all steps, one thread.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.corpora.packed_text import PackedText, write_dataset
from benchmarks.corpora.text_files import DATA, read_pieces
from benchmarks.record import argument_parser, record
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from train.loop.run import pretrain
from train.settings import TrainSettings

VOCABULARY, SEQ_LEN = 2048, 256
TEXT_BYTES, HELDOUT_PIECES = 2_500_000, 16


def main() -> None:
    """Train each size of a step with each seed; a case for each shape of the model."""
    parser = argument_parser(__doc__)
    parser.add_argument("--texts", type=Path, default=DATA / "text")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=400_000)
    parser.add_argument("--rows", default="1,2,4,8,16", help="of a step, by commas")
    parser.add_argument("--seeds", default="1,2", help="of weights and order, by commas")
    args = parser.parse_args()
    model = {
        "preset": "gpt2-tiny", "num_layers": args.layers, "width": args.width,
        "max_positions": SEQ_LEN,
    }  # fmt: skip
    seeds = [int(seed) for seed in args.seeds.split(",")]
    with tempfile.TemporaryDirectory(prefix="step-size-") as work:
        packed = _pack(args.texts, Path(work))
        sizes = {}
        for rows in (int(count) for count in args.rows.split(",")):
            runs = [_train(Path(work), model, rows, args.tokens, seed) for seed in seeds]
            sizes[str(rows * SEQ_LEN)] = _summary(runs, packed["heldout"])
    result = {"model": model, "tokens": args.tokens, "seeds": seeds, "by_tokens_of_a_step": sizes}
    record("step_size", result, case=f"{args.layers} layers of {args.width}")


def _pack(texts: Path, work: Path) -> dict[str, PackedText]:
    pieces = read_pieces(texts / "books-en.jsonl.gz", TEXT_BYTES)
    # From all over the books, so that they are of one kind with the text that is trained on.
    heldout = pieces[:: len(pieces) // HELDOUT_PIECES][:HELDOUT_PIECES]
    train = [piece for piece in pieces if piece not in heldout]
    write_tokenizer(
        train_bpe(train, VocabularyConfig(size=VOCABULARY, sentinels=0)), work / "tokenizer", 0
    )
    return write_dataset(
        work / "data", name="books", train=train, heldout=heldout, tokenizer=work / "tokenizer",
        seq_len=SEQ_LEN,
    )  # fmt: skip


def _train(work: Path, model: dict[str, Any], rows: int, tokens: int, seed: int) -> dict[str, Any]:
    """Train with steps of so many rows; the records of its metrics."""
    output = work / f"{rows}-{seed}"
    steps = tokens // (rows * SEQ_LEN)
    recipe = {
        "manifest": str(work / "data"),
        "output": str(output),
        "seed": seed,
        "model": model,
        "batch": {"sequences": rows, "microbatch": rows},
        "stop": {"steps": steps},
        "schedule": {"warmup": max(1, steps // 10)},
        "checkpoint": {"every_steps": steps, "export": False},
        "metrics": {"tensorboard": False},
        "threads": 1,
    }
    pretrain(TrainSettings.model_validate(recipe))
    lines = (output / "metrics.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return {
        "steps": steps,
        "peak_lr": max(one["lr"] for one in records if "lr" in one),
        "seconds": sum(one["seconds"] for one in records if "loss" in one),
        "heldout": next(one["heldout"] for one in reversed(records) if "heldout" in one),
    }


def _summary(runs: list[dict[str, Any]], heldout: PackedText) -> dict[str, Any]:
    bits = [
        run["heldout"]["loss"] * run["heldout"]["labels"] / math.log(2) / heldout.text_bytes
        for run in runs
    ]
    return {
        "steps": runs[0]["steps"],
        "peak_lr": runs[0]["peak_lr"],
        "bits_per_byte": [round(value, 3) for value in bits],
        "mean_bits_per_byte": round(statistics.mean(bits), 3),
        "seconds": round(statistics.mean(run["seconds"] for run in runs), 1),
    }


if __name__ == "__main__":
    main()
