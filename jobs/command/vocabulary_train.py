"""`refinery vocabulary train`: lines sampled by source, length and hash, counted, trained on."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from functools import partial, reduce
from pathlib import Path

import pyarrow as pa
from pyspark import SparkContext
from pyspark.sql import DataFrame

from jobs.command.texts import read_lines, text_of
from refinery.tokenizers.identity import identify_tokenizer
from refinery.vocabulary.config import TrainConfig
from refinery.vocabulary.train.counted_clauses import collect_clauses, count_clauses
from refinery.vocabulary.train.merges import Clauses
from refinery.vocabulary.train.train import train_tokenizer
from schemas.errors import SettingsError

# Below this, starting Spark takes longer than the counting.
SPARK_FROM_BYTES = 32_000_000
_HASH_RANGE = 1 << 32


def train_folder(args: argparse.Namespace, config: TrainConfig) -> int:
    """Count, train, write aside, rename.

    Raises:
        SettingsError: `--out` exists, a file cannot be read, or there is no text.
    """
    if args.out.exists():
        raise SettingsError(f"--out {args.out}: exists already")
    for path in args.files:
        if not path.is_file():
            raise SettingsError(f"{path}: cannot be read: no such file")
    weights = _weights(args)
    size = sum(path.stat().st_size * (4 if path.suffix == ".gz" else 1) for path in args.files)
    count = _count_with_spark if size >= SPARK_FROM_BYTES else _count_here
    clauses = count(args, config, weights)
    if not clauses:
        raise SettingsError(f"no text in {', '.join(map(str, args.files))}")
    aside = args.out.with_name(f".{args.out.name}.{uuid.uuid4().hex}")
    try:
        num_ids = train_tokenizer(clauses, config, aside)
        identity = identify_tokenizer(aside, relative_path=args.out.name)
        aside.rename(args.out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if num_ids < config.size:
        print(f"warning: the text gives {num_ids:,} ids, {config.size:,} were asked for")
    print(f"{args.out}: {identity.vocab_size:,} ids, sha256 {identity.sha256}")
    return 0


def _weights(args: argparse.Namespace) -> dict[str, float]:
    known = {path.name for path in args.files}
    weights = {}
    for item in args.weight:
        name, _, share = item.partition("=")
        try:
            weights[name] = float(share)
        except ValueError as error:
            raise SettingsError(
                f"--weight {item}: expected FILE=SHARE, such as a.txt=0.5"
            ) from error
        if name not in known or not 0 < weights[name] <= 1:
            raise SettingsError(
                f"--weight {item}: expected one of {', '.join(sorted(known))} and a share in (0, 1]"
            )
    return weights


def _line_share(line: str, seed: int) -> int:
    """A number in [0, 2^32) that depends on the line and the seed alone."""
    return int(hashlib.sha256(f"{seed}:{line}".encode()).hexdigest()[:8], 16)


def _count_here(
    args: argparse.Namespace, config: TrainConfig, weights: Mapping[str, float]
) -> Clauses:
    shares: dict[str, float] = {}
    for path in args.files:
        for line in read_lines([path], args.field):
            if args.min_line_chars <= len(line) <= args.max_line_chars:
                shares[line] = max(shares.get(line, 0.0), weights.get(path.name, 1.0))
    drawn = {
        line for line, share in shares.items() if _line_share(line, args.seed) < share * _HASH_RANGE
    }
    border = _border(sum(len(line.encode()) for line in drawn), args.max_bytes)
    kept = (line for line in drawn if _line_share(line, args.seed) < border * shares[line])
    return count_clauses(kept, config)


def _border(total_bytes: int, budget: int) -> int:
    return _HASH_RANGE if total_bytes <= budget else budget * _HASH_RANGE // total_bytes


def _count_with_spark(
    args: argparse.Namespace, config: TrainConfig, weights: Mapping[str, float]
) -> Clauses:
    from jobs.spark.java import find_java

    os.environ["JAVA_HOME"] = str(find_java().home)
    from pyspark.sql import functions as F

    from jobs.spark.session import build_session, end_session
    from refinery.recipe import Runtime

    is_ours = SparkContext._active_spark_context is None
    spark = build_session("vocabulary", Runtime(output=str(args.out.parent)))
    parts = []
    for path in args.files:
        rows = spark.read.text(str(path.resolve()))
        if ".jsonl" in path.suffixes:
            rows = parse_jsonl(rows, path, args.field)
        parts.append(rows.withColumn("weight", F.lit(weights.get(path.name, 1.0))))
    every = reduce(lambda left, right: left.unionAll(right), parts)
    length = F.length("value")
    fits = length.between(args.min_line_chars, args.max_line_chars) & (F.trim("value") != "")
    hashed = F.sha2(F.concat(F.lit(f"{args.seed}:"), F.col("value")), 256)
    lines = (
        every.where(fits)
        .groupBy("value")
        .agg(F.max("weight").alias("weight"))
        .withColumn("share", F.conv(F.substring(hashed, 1, 8), 16, 10).cast("bigint"))
        .where(F.col("share") < F.col("weight") * F.lit(_HASH_RANGE))
    )
    total = lines.agg(F.sum(F.octet_length("value")).alias("bytes")).collect()[0]["bytes"] or 0
    border = _border(total, args.max_bytes)
    kept = lines.where(F.col("share") < F.col("weight") * F.lit(border))
    clauses = collect_clauses(kept.select(F.col("value").alias("text")), config)
    if is_ours:
        # Its heap grew with the text: the trainer needs the memory.
        end_session(spark)
    return clauses


def parse_jsonl(rows: DataFrame, path: Path, field: str) -> DataFrame:
    """(value) of the texts' lines; `rows` holds the lines of the file. One action, that looks for bad ones.

    Raises:
        SettingsError: A line is no JSON or lacks the field; the first one is named by its number.
    """
    parsed = rows.mapInArrow(partial(_parse_batches, field=field), "value string, is_bad boolean")
    if parsed.where("is_bad").limit(1).count():
        # Spark's rows have no numbers; reading in order finds the line and raises.
        for _ in read_lines([path], field):
            continue
        raise SettingsError(f"{path}: lines without text in field '{field}'")
    return parsed.where("not is_bad").select("value")


def _parse_batches(batches: Iterator[pa.RecordBatch], *, field: str) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        values: list[str] = []
        num_bad = 0
        for line in batch.column("value").to_pylist():
            try:
                values += text_of(line, field).split("\n")
            except ValueError:
                num_bad += 1
        is_bad = [False] * len(values) + [True] * num_bad
        columns = [
            pa.array([*values, *[None] * num_bad], pa.string()),
            pa.array(is_bad, pa.bool_()),
        ]
        yield pa.RecordBatch.from_arrays(columns, ["value", "is_bad"])
