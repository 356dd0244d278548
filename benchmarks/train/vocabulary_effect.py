"""What new tokens buy: a GPT pretrained on English goes on in Chinese, with and without them.

    python -m benchmarks.train.vocabulary_effect [--texts FOLDER] [--work FOLDER] [--scale 1.0] [--seeds 1,2,3]

A byte-level BPE is trained on English books and a GPT pretrained with it, once on English alone and
once on English with a tenth of Chinese beside it, as real base models have. Then the same Chinese
text, one pass each, is read by three runs that start from that GPT: with the base tokenizer, with
the tokenizer extended to Chinese whose new rows start from the mean of their pieces, and the same
with Gaussian rows. The extended ones train the new rows alone first, then all (`phases`). The
figure of merit is bits per character on held-out Chinese documents, by seed. Writes also a curve of the first seed, results/vocabulary_effect.svg.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from benchmarks.corpora.packed_text import PackedText, write_dataset
from benchmarks.corpora.text_files import DATA, read_texts
from benchmarks.line_chart import write_curve
from benchmarks.record import RESULTS, argument_parser, record
from refinery.tokenizers.folder import read_tokenizer
from refinery.vocabulary.config import ExtendConfig, VocabularyConfig
from refinery.vocabulary.extend.donor import read_donor
from refinery.vocabulary.extend.publish import Texts, publish_extension
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.vocabulary import VOCABULARY_FILE
from train.loop.run import pretrain
from train.settings import TrainSettings

NAME = "vocabulary_effect"
BASE_SIZE, NEW_TOKENS, SEQ_LEN = 2048, 2048, 256
ENGLISH_ROWS, CHINESE_ROWS = 8, 4
ENGLISH_BYTES, CHINESE_BYTES, HELDOUT_BYTES = 1_200_000, 900_000, 60_000
DOCUMENT_CHARS = 3000
# Share of Chinese, by bytes, in what each base model was pretrained on.
BASES = {"English": 0.0, "English and some Chinese": 0.1}
FIRST_STAGE = 0.2  # of the steps train the new rows alone
MODEL = {"preset": "gpt2-tiny", "max_positions": SEQ_LEN}


def main() -> None:
    """Run all trainings and write the result."""
    parser = argument_parser(__doc__)
    parser.add_argument("--texts", type=Path, default=DATA / "text")
    parser.add_argument(
        "--work", type=Path, help="kept, and gone on with; a temporary folder by default"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the text, for a quick look")
    parser.add_argument("--seeds", default="1,2,3", help="of weights and order, by commas")
    args = parser.parse_args()
    torch.set_num_threads(1)
    work = args.work or Path(tempfile.mkdtemp(prefix="vocabulary-effect-"))
    result = measure(args.texts, work, args.scale, [int(seed) for seed in args.seeds.split(",")])
    record(NAME, {"scale": args.scale, "threads": 1, **result})
    write_curve(
        RESULTS / f"{NAME}.svg",
        {
            name: [(p["megabytes"], p["bits_per_character"]) for p in c]
            for name, c in result["curves"].items()
        },
        x="megabytes of Chinese read",
        y="bits per character, held out",
    )
    if args.work is None:
        shutil.rmtree(work)


def measure(texts: Path, work: Path, scale: float, seeds: list[int]) -> dict[str, Any]:
    """Tokenizers, datasets, and for each base and seed the three ways on from it."""
    english = _documents(texts / "books-en.jsonl.gz", int(ENGLISH_BYTES * scale))
    before = int(max(BASES.values()) * ENGLISH_BYTES * scale)
    chinese = _documents(
        texts / "history-zh.jsonl.gz", before + int((CHINESE_BYTES + HELDOUT_BYTES) * scale)
    )
    earlier, chinese = _split(chinese, before)
    heldout, train = _split(chinese, int(HELDOUT_BYTES * scale))
    base, extended = work / "tokenizer-base", work / "tokenizer-extended"
    write_tokenizer(train_bpe(english, VocabularyConfig(size=BASE_SIZE, sentinels=0)), base, 0)
    if not (extended / VOCABULARY_FILE).is_file():
        _extend(base, extended, train, work)
    packed = {
        name: write_dataset(
            work / f"chinese-{name}", name="zh", train=train, heldout=heldout, tokenizer=folder,
            seq_len=SEQ_LEN,
        )
        for name, folder in (("base", base), ("extended", extended))
    }  # fmt: skip
    runs: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    for base_name, share in BASES.items():
        folder = work / f"pretraining-{_slug(base_name)}"
        write_dataset(
            folder, name="base", train=english[8:] + (earlier if share else []),
            heldout=english[:8], tokenizer=base, seq_len=SEQ_LEN,
        )  # fmt: skip
        for seed in seeds:
            base_run = work / f"{_slug(base_name)}-{seed}"
            _train(
                base_run, "base", folder, seed,
                {"model": MODEL, "schedule": _schedule(3e-3), **_rows(ENGLISH_ROWS)},
            )  # fmt: skip
            for name, run, curve in _ways_on(work, base_run, packed, seed):
                runs.setdefault(f"{base_name}: {name}", []).append({"seed": seed, **run})
                if seed == seeds[0]:
                    curves[f"{base_name}: {name}"] = curve
    summary = {name: _summary(of_seeds) for name, of_seeds in runs.items()}
    text = _described(english, train, heldout)
    return {"text": text, "summary": summary, "runs": runs, "curves": curves}


def _ways_on(
    work: Path, base_run: Path, packed: dict[str, dict[str, PackedText]], seed: int
) -> Iterator[tuple[str, dict[str, Any], list[dict[str, float]]]]:
    """Secondary pretraining without new tokens, and with them from two kinds of new rows."""
    source = {"source": str(base_run / "run-base")}
    for name, tokenizer, start in (
        ("base tokenizer", "base", source),
        ("extended, subword mean", "extended", source),
        ("extended, Gaussian", "extended", {**source, "new_rows": "gaussian"}),
    ):
        counts = packed[tokenizer]
        changes: dict[str, Any] = {
            "warm_start": start,
            "schedule": _schedule(3e-3),
            **_rows(CHINESE_ROWS),
        }
        if tokenizer == "extended":
            steps = max(2, counts["train"].rows // CHINESE_ROWS)
            first = max(1, int(steps * FIRST_STAGE))
            alone = {"trainable": "new_embeddings", "stop": {"steps": first}}
            alone["schedule"] = {"peak_lr": 3e-3}
            changes["phases"] = [alone, {"stop": {"steps": steps - first}}]
        run = _train(base_run, name, work / f"chinese-{tokenizer}", seed, changes)
        curve = _curve(base_run / f"run-{_slug(name)}", counts)
        yield name, {**run, **_figures(curve, counts)}, curve


def _summary(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Mean over the seeds, the smallest and the largest."""
    bits = [run["heldout_bits_per_character"] for run in runs]
    return {
        "heldout_bits_per_character": round(statistics.mean(bits), 3),
        "lowest": min(bits),
        "highest": max(bits),
        "tokens_per_character": runs[0]["tokens_per_character"],
        "cpu_seconds": round(statistics.mean(run["cpu_seconds"] for run in runs), 1),
    }


def _split(texts: list[str], num_bytes: int) -> tuple[list[str], list[str]]:
    """The first texts that hold so many bytes, and the others."""
    size = count = 0
    while count < len(texts) and size < num_bytes:
        size += len(texts[count].encode())
        count += 1
    return texts[:count], texts[count:]


def _documents(path: Path, num_bytes: int) -> list[str]:
    """Pieces of about a page each, ordered by hash, until there are enough bytes."""
    pieces = [
        text[start : start + DOCUMENT_CHARS]
        for text in read_texts(path)
        for start in range(0, len(text), DOCUMENT_CHARS)
    ]
    pieces.sort(key=lambda piece: hashlib.sha256(piece.encode()).digest())
    size, found = 0, []
    for piece in pieces:
        if size >= num_bytes:
            break
        found.append(piece)
        size += len(piece.encode())
    return found


def _extend(base: Path, out: Path, texts: list[str], work: Path) -> None:
    """The base with Chinese tokens of a donor that is trained on the training text alone."""
    donor = work / "tokenizer-donor"
    config = VocabularyConfig(size=NEW_TOKENS + 400, sentinels=0)
    write_tokenizer(train_bpe(texts, config), donor, 0)
    folder = read_tokenizer(base)
    publish_extension(
        folder,
        read_donor(donor, folder),
        ExtendConfig(size=BASE_SIZE + NEW_TOKENS),
        texts=Texts(new=texts[:50]),
        out=out,
    )


def _schedule(rate: float) -> dict[str, Any]:
    return {"peak_lr": rate, "min_lr": rate / 10, "warmup": 10, "warmup_start_lr": rate / 10}


def _rows(count: int) -> dict[str, Any]:
    return {"batch": {"sequences": count, "microbatch": count}}


def _slug(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "-").lower()


def _train(
    work: Path, name: str, data: Path, seed: int, changes: dict[str, Any]
) -> dict[str, float]:
    """Train a recipe; its CPU seconds, evaluations included."""
    recipe: dict[str, Any] = {
        "manifest": str(data),
        "output": str(work / f"run-{_slug(name)}"),
        "stop": {"epochs": 1.0},
        "evaluation": {"every_steps": 50, "microbatch": 16},
        "checkpoint": {"every_steps": 100_000},
        "threads": 1,
        "seed": seed,
        **changes,
    }
    spent = Path(recipe["output"]) / "spent.json"
    if spent.is_file():  # a kept work folder holds it already
        found: dict[str, float] = json.loads(spent.read_text())
        return found
    started, wall = time.process_time(), time.perf_counter()
    pretrain(TrainSettings.model_validate(recipe))
    cost = {
        "cpu_seconds": round(time.process_time() - started, 1),
        "wall_seconds": round(time.perf_counter() - wall, 1),
    }
    spent.write_text(json.dumps(cost))
    return cost


def _curve(run: Path, counts: dict[str, PackedText]) -> list[dict[str, float]]:
    """Bits per character against the bytes read, over all phases of a run."""
    train, heldout = counts["train"], counts["heldout"]
    points = []
    for folder in [*sorted((run / "phases").glob("*")), run]:
        for line in (folder / "metrics.jsonl").read_text().splitlines():
            record = json.loads(line)
            if "heldout" not in record:
                continue
            rows = record["consumed_start"] + record["batch"]
            bits = record["heldout"]["loss"] * record["heldout"]["labels"] / math.log(2)
            points.append(
                {
                    "megabytes": round(rows / train.rows * train.text_bytes / 1e6, 4),
                    "bits_per_character": round(bits / heldout.characters, 4),
                }
            )
    return points


def _figures(curve: list[dict[str, float]], counts: dict[str, PackedText]) -> dict[str, Any]:
    heldout = counts["heldout"]
    return {
        "heldout_bits_per_character": curve[-1]["bits_per_character"],
        "tokens_per_character": round(heldout.tokens / heldout.characters, 4),
        "train": asdict(counts["train"]),
    }


def _described(english: list[str], train: list[str], heldout: list[str]) -> dict[str, Any]:
    return {
        name: {"documents": len(texts), "bytes": sum(len(t.encode()) for t in texts)}
        for name, texts in (("english", english), ("chinese", train), ("heldout", heldout))
    }


if __name__ == "__main__":
    main()
