"""Whole runs in the tests' own session, over small texts made from a seed."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from jobs.pipeline.report import finish_run
from jobs.pipeline.runner import RefineRun, run_stages
from jobs.refine import STAGES
from refinery.publish.records import StageRecord
from refinery.recipe import RefineSettings
from schemas.settings import parse_settings

SEED, HELDOUT = 4, 0.3
WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in ("n", "sk", "l", "m")]


def _text(words: list[str]) -> str:
    lines = [words[i : i + 9] for i in range(0, len(words), 9)]
    return " ".join(f"{' '.join(line).capitalize()}." for line in lines)


def _family(generator: random.Random) -> list[str]:
    """A chain: each text resembles the one before it, the last not the first; and an exact copy."""
    words = generator.choices(WORDS, k=180)
    texts = [_text(words)]
    for index in (20, 60, 100, 140):
        words = [*words[:index], "other", *words[index + 2 :]]
        texts.append(_text(words))
    return [*texts, texts[2]]


def write_texts(folder: Path) -> None:
    generator = random.Random(1)
    texts = [text for _ in range(12) for text in _family(generator)]
    texts += [_text(generator.choices(WORDS, k=150)) for _ in range(60)]
    folder.mkdir()
    rows = [{"text": text, "url": f"https://x.example.org/{i}"} for i, text in enumerate(texts)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines)


def settings(root: Path, **recipe: Any) -> RefineSettings:
    plain = {
        "recipe": {
            "name": "whole",
            "seed": SEED,
            "sources": [{"name": "rows", "uri": str(root / "texts"), "format": "jsonl"}],
            "clean": {"language": {"min_score": None}, "rules": {"enabled": False}},
            "dedup": {"mode": "mark", "num_bands": 56, "rows_per_band": 2},
            "vocabulary": {"train": {"kind": "wordpiece", "size": 600, "sentinels": 4}},
            "split": {"heldout_fraction": HELDOUT},
            **recipe,
        },
        "runtime": {"output": str(root / "out"), "partitions": 2},
    }
    return parse_settings(RefineSettings, plain, where="test")


def refine(asked: RefineSettings) -> RefineRun:
    """The whole recipe; the dataset of an earlier recipe makes room, its tables are used again."""
    shutil.rmtree(Path(asked.runtime.output) / "dataset", ignore_errors=True)
    run = run_stages(asked, STAGES)
    finish_run(run)
    return run


def table(run: RefineRun, stage: str, name: str) -> list[dict[str, Any]]:
    record: StageRecord = run.records[stage]
    uri = run.store.table_uri(record, name)
    rows: list[dict[str, Any]] = ds.dataset(uri, format="parquet").to_table().to_pylist()
    return rows
