"""Tokens per core-second of the loader with each objective: a case for each.

    python -m benchmarks.train.loader_objectives MANIFEST [--seconds 3] [--only NAME ...]

CPU time of the process, one thread, warm shards whose row groups are decoded once per pass. Tokens
are those of the rows.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from benchmarks.record import argument_parser, record
from schemas.manifest import Manifest
from train.batch.batch import Objective
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.data.remote import open_manifest
from train.objectives.build import build_for_manifest
from train.objectives.config import parse_objective

ROWS = 32
OBJECTIVES: dict[str, tuple[str, dict[str, Any]]] = {
    "causal": ("gpt2", {"name": "causal"}),
    "span_corruption": ("t5", {"name": "span_corruption"}),
    "masked": ("bert", {"name": "masked"}),
    "masked, whole words": ("bert", {"name": "masked", "whole_words": True}),
    "iid_15_u_u": ("t5", {"name": "denoising", "grid": "iid_15_u_u"}),
    "iid_15_r10s90_f": ("t5", {"name": "denoising", "grid": "iid_15_r10s90_f"}),
    "all_permute": ("t5", {"name": "denoising", "grid": "all_permute"}),
    "mass": ("t5", {"name": "denoising", "grid": "mass"}),
    "prefix_lm": ("gpt2", {"name": "denoising", "grid": "prefix_lm"}),
    "unilm": ("bert", {"name": "unilm"}),
}


def main() -> None:
    """Measure every objective that the manifest can feed."""
    parser = argument_parser(__doc__)
    parser.add_argument("manifest")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", nargs="+", choices=OBJECTIVES, default=list(OBJECTIVES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    config = LoaderConfig(verify="none")
    files = shard_files(args.manifest, config)
    manifest = open_manifest(files)
    for name in args.only:
        family, fields = OBJECTIVES[name]
        if fields.get("whole_words") and "word_starts" not in manifest.columns:
            continue
        objective = build_for_manifest(
            parse_objective(fields),
            manifest,
            family=family,
            vocab_size=manifest.tokenizer.vocab_size,
            max_positions=None,
        )
        rate = _rate(files, manifest, config, objective, args.seconds)
        result = {"seq_len": manifest.seq_len, "tokens_per_core_second": round(rate)}
        record("loader_objectives", result, case=name)


def _rate(
    files: object, manifest: Manifest, config: LoaderConfig, objective: Objective, seconds: float
) -> float:
    started, rows = time.process_time(), 0
    while time.process_time() - started < seconds:
        data = open_split(files, manifest, config, split="train", seed=1)  # type: ignore[arg-type]
        for first in range(0, data.cursor.num_rows - ROWS, ROWS):
            objective.build(data.read(np.arange(first, first + ROWS, dtype=np.int64)), seed=1)
            rows += ROWS
            if time.process_time() - started >= seconds:
                break
        data.reader.close()
    return rows * manifest.seq_len / (time.process_time() - started)


if __name__ == "__main__":
    main()
