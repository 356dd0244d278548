"""Curves of undisturbed small runs on English and Chinese text, for judging detectors of loss spikes.

    python -m benchmarks.train.clean_curves WORK [--steps 1200]

Four runs of a GPT (2 layers of 64, rows of 128 tokens, dropout 0.1), two seeds for each language; their folders
stay in WORK, so that the same command goes on where it was stopped. `benchmarks.train.spike_policies` reads them.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.corpora.packed_text import write_dataset
from benchmarks.corpora.text_files import DATA, read_pieces
from benchmarks.record import argument_parser
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from train.loop.run import pretrain
from train.settings import TrainSettings

FILES = {"en": "books-en.jsonl.gz", "zh": "history-zh.jsonl.gz"}
SEEDS = (1, 2)
VOCABULARY, SEQ_LEN, TEXT_BYTES = 2048, 128, 2_000_000


def main() -> None:
    """Pack the texts and train whatever is not trained yet."""
    parser = argument_parser(__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--texts", type=Path, default=DATA / "text")
    parser.add_argument("--steps", type=int, default=1200)
    args = parser.parse_args()
    for language, file in FILES.items():
        manifest = pack(args.texts / file, args.work / f"data-{language}")
        for seed in SEEDS:
            output = curve_folder(args.work, language, seed)
            pretrain(settings(manifest, output, seed=seed, steps=args.steps))


def curve_folder(work: Path, language: str, seed: int) -> Path:
    """The folder of one run."""
    return work / f"{language}-{seed}"


def pack(texts: Path, folder: Path) -> Path:
    """Pack a file of texts with a vocabulary of its own, unless that is done; the dataset's folder."""
    pieces = read_pieces(texts, TEXT_BYTES)
    tokenizer = folder / "tokenizer"
    if not tokenizer.is_dir():
        write_tokenizer(
            train_bpe(pieces, VocabularyConfig(size=VOCABULARY, sentinels=0)), tokenizer, 0
        )
    write_dataset(
        folder / "rows", name=folder.name, train=pieces[8:], heldout=pieces[:8], tokenizer=tokenizer,
        seq_len=SEQ_LEN,
    )  # fmt: skip
    return folder / "rows"


def settings(manifest: Path, output: Path, *, seed: int, steps: int) -> TrainSettings:
    """The recipe of one run."""
    recipe = {
        "manifest": str(manifest),
        "output": str(output),
        "seed": seed,
        "model": {
            "preset": "gpt2-tiny",
            "num_layers": 2,
            "width": 64,
            "max_positions": SEQ_LEN,
            "dropout": 0.1,
        },
        "batch": {"sequences": 8, "microbatch": 8},
        "stop": {"steps": steps},
        "schedule": {"warmup": 100},
        "checkpoint": {"every_steps": 200, "export": False},
        "metrics": {"tensorboard": False},
        "evaluation": None,
        "threads": 1,
    }
    return TrainSettings.model_validate(recipe)


if __name__ == "__main__":
    main()
