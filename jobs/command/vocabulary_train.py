"""`refinery vocabulary train`: lines sampled by source, length and hash, counted, trained on."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping
from functools import reduce

from jobs.command.texts import read_lines
from refinery.vocabulary.clauses import collect_clauses, count_clauses
from refinery.vocabulary.config import TrainConfig
from refinery.vocabulary.identity import identify_tokenizer
from refinery.vocabulary.train_merges import Clauses
from refinery.vocabulary.training import train_tokenizer
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


def line_share(line: str, seed: int) -> int:
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
        line for line, share in shares.items() if line_share(line, args.seed) < share * _HASH_RANGE
    }
    border = _border(sum(len(line.encode()) for line in drawn), args.max_bytes)
    kept = (line for line in drawn if line_share(line, args.seed) < border * shares[line])
    return count_clauses(kept, config)


def _border(total_bytes: int, budget: int) -> int:
    return _HASH_RANGE if total_bytes <= budget else budget * _HASH_RANGE // total_bytes


def _count_with_spark(
    args: argparse.Namespace, config: TrainConfig, weights: Mapping[str, float]
) -> Clauses:
    from jobs.java import find_java

    os.environ["JAVA_HOME"] = str(find_java().home)
    from pyspark.sql import functions as F

    from jobs.session import build_session
    from refinery.recipe import Runtime

    spark = build_session("vocabulary", Runtime(output=str(args.out.parent)))
    parts = []
    for path in args.files:
        rows = spark.read.text(str(path.resolve()))
        if ".jsonl" in path.suffixes:
            field = F.get_json_object("value", f"$.{args.field}")
            rows = rows.select(F.explode(F.split(field, "\n")).alias("value"))
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
    return collect_clauses(kept.select(F.col("value").alias("text")), config)
