"""Tokenising as the job does it against the library alone, in CPU seconds of one thread.

    python -m benchmarks.refinery.tokenise [--text FILE.jsonl.gz ...] [--megabytes 50] [--rounds 3]
        [--tokenizer FOLDER ...]

Both sides see the same text, warm, alternating. The library's side is `encode_batch_fast` with its
results thrown away; the job's side is the whole Arrow function: strings from Arrow, edits, ids to
an Arrow list column; and once more through Spark, warm, from Parquet to Parquet, without and with the
marks of word and sentence starts. Published tokenizers are measured without Spark, and every id compared.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1", OMP_NUM_THREADS="1")

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.corpora.text_files import DATA, read_repeated
from benchmarks.record import argument_parser, record
from jobs.pipeline.metering import metered
from jobs.spark.class_archive import jvm_options
from jobs.spark.java import find_java
from jobs.spark.session import build_session
from refinery.recipe import Runtime
from refinery.tokenizers.encoder import Encoder
from refinery.tokenizers.identity import load_tokenizer
from refinery.tokenizers.recipe_tokenizer import complete_tokenizer_folder
from refinery.tokenizers.tokenise import MARKS, tokenise, tokenise_batch
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer

BATCH_BYTES = 4 << 20


def batches_of(texts: list[str]) -> list[pa.RecordBatch]:
    """Arrow batches as Spark hands them over."""
    batches, rows, size = [], [], 0
    for number, text in enumerate(texts):
        rows.append((f"{number:032x}", text))
        size += len(text.encode())
        if size >= BATCH_BYTES or number == len(texts) - 1:
            ids, column = zip(*rows, strict=True)
            kind = pa.list_(
                pa.struct(
                    [("start", pa.int32()), ("end", pa.int32()), ("replacement", pa.string())]
                )
            )
            batches.append(
                pa.RecordBatch.from_arrays(
                    [
                        pa.array(ids),
                        pa.array(["web"] * len(ids)),
                        pa.array([False] * len(ids)),
                        pa.array(column),
                        pa.nulls(len(ids), kind),
                    ],
                    ["doc_id", "source", "is_heldout", "text", "edits"],
                )
            )
            rows, size = [], 0
    return batches


def through_spark(
    batches: list[pa.RecordBatch], scratch: Path, marks: tuple[str, ...], cores: int
) -> float:
    """CPU seconds of Spark's tasks and Python workers that tokenise Parquet into Parquet, warm."""
    source = scratch / "texts"
    if not source.exists():
        source.mkdir()
        for number, batch in enumerate(batches):
            pq.write_table(
                pa.Table.from_batches([batch]), source / f"{number:04d}.parquet", compression="zstd"
            )
    os.environ["JAVA_HOME"] = str(find_java().home)
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        f"--master local[{cores}] --driver-memory 1g --driver-java-options '{jvm_options()}' "
        "pyspark-shell"
    )
    session = build_session("tokenise", Runtime(output=str(scratch)))
    name = "-".join(marks) or "plain"

    def run(files: list[str], out: str) -> None:
        rows = tokenise(session.read.parquet(*files), str(scratch / "tokenizer"), marks)
        rows.write.mode("overwrite").parquet(str(scratch / out))

    files = sorted(map(str, source.glob("*.parquet")))
    run(files[: 2 * cores], f"warm-{name}")
    with metered(session) as meter:
        run(files, name)
    return meter.cost.jvm_cpu_seconds + (meter.cost.python_cpu_seconds or 0.0)


def main() -> None:
    parser = argument_parser(__doc__)
    defaults = [DATA / "text" / name for name in ("books-en.jsonl.gz", "docs-zh.jsonl.gz")]
    parser.add_argument("--text", nargs="+", type=Path, default=defaults)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    published = sorted((DATA / "tokenizers").glob("*"))
    parser.add_argument("--tokenizer", nargs="*", type=Path, default=published)
    args = parser.parse_args()
    texts = read_repeated(args.text, args.megabytes << 20)
    size = sum(len(text.encode()) for text in texts)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        config = VocabularyConfig(size=50_000)
        write_tokenizer(train_bpe(texts[::7], config), scratch / "tokenizer", config.sentinels)
        figures = measure(texts, scratch, args)
        figures["published"] = {
            path.name: measure_published(path, texts, scratch / path.name, args.rounds)
            for path in args.tokenizer
        }
        record("tokenise", {**figures, "megabytes": round(size / 2**20, 1)})


def measure_published(
    path: Path, texts: list[str], scratch: Path, rounds: int
) -> dict[str, float | int]:
    """The library and the Arrow function with a published tokenizer, alternating; counts unequal texts."""
    tokenizer = load_tokenizer(complete_tokenizer_folder(path, scratch))
    encoder = Encoder(tokenizer)
    batches = batches_of(texts)
    library: list[float] = []
    job: list[float] = []
    unequal = 0
    for _ in range(rounds):
        unequal, seconds = 0, [0.0, 0.0]
        for batch in batches:
            column = batch.column("text").to_pylist()
            clock = time.process_time()
            encodings = tokenizer.encode_batch_fast(column, add_special_tokens=False)
            seconds[0] += time.process_time() - clock
            clock = time.process_time()
            found = tokenise_batch(batch, encoder).column("input_ids")
            seconds[1] += time.process_time() - clock
            expected = [encoding.ids for encoding in encodings]
            unequal += sum(a != b for a, b in zip(found.to_pylist(), expected, strict=True))
        library.append(seconds[0])
        job.append(seconds[1])
    return {
        "library_cpu_seconds": round(min(library), 2),
        "job_cpu_seconds": round(job[0], 2),
        "ratio": round(min(library) / job[0], 2),
        "unequal_texts": unequal,
    }


def measure(texts: list[str], scratch: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The library, the Arrow function, and the job in Spark without and with marks."""
    tokenizer = load_tokenizer(scratch / "tokenizer")
    batches = batches_of(texts)
    encoder = Encoder(tokenizer)
    plain = [batch.column("text").to_pylist() for batch in batches]
    for warm in plain[:2]:
        tokenizer.encode_batch_fast(warm, add_special_tokens=False)
    library: list[float] = []
    with_offsets: list[float] = []
    job: list[float] = []
    tokens = 0
    for _ in range(args.rounds):
        for seconds, encode in (
            (library, tokenizer.encode_batch_fast), (with_offsets, tokenizer.encode_batch),
        ):  # fmt: skip
            clock = time.process_time()
            for column in plain:
                encode(column, add_special_tokens=False)
            seconds.append(time.process_time() - clock)
        clock = time.process_time()
        tokens = sum(
            len(tokenise_batch(batch, encoder).column("input_ids").flatten()) for batch in batches
        )
        job.append(time.process_time() - clock)
    spark = {
        "spark": through_spark(batches, scratch, (), args.cores),
        "spark_with_marks": through_spark(batches, scratch, tuple(MARKS), args.cores),
    }
    size = sum(len(text.encode()) for text in texts)
    raw = {"spark": min(library), "spark_with_marks": min(with_offsets)}
    return {
        "tokens": tokens,
        "library_cpu_seconds": round(min(library), 2),
        "library_with_offsets_cpu_seconds": round(min(with_offsets), 2),
        # The first round begins with an empty table of pieces.
        "job_cpu_seconds": round(job[0], 2),
        "ratio": round(min(library) / job[0], 3),
        "ratio_with_all_pieces_seen": round(min(library) / min(job), 3),
        "megabytes_per_core_second": round(size / 2**20 / job[0], 2),
        "spark_cpu_seconds": {key: round(value, 2) for key, value in spark.items()},
        # With marks the library has to find offsets too: its raw speed is that of `encode_batch`.
        "spark_ratio": {key: round(raw[key] / value, 3) for key, value in spark.items()},
    }


if __name__ == "__main__":
    main()
