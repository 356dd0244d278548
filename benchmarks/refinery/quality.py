"""Area under the curve of trained classifiers on documents that they have not seen.

    python -m benchmarks.refinery.quality [--data FOLDER] [--work FOLDER]

Through the stages `ingest` and `quality` of a recipe, three tasks from far to near:

- `sources`: history in Chinese against reviews (other words, other topics: easy);
- `page_types`: what people marked as content of articles against that of forums, products,
  listings and services of the same crawl;
- `sentiment`: contented against discontented reviews of hotels (one topic, one kind of author).

Precision and recall are those at a score of 0.5, on the held-out documents.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.corpora.text_files import DATA, read_texts
from benchmarks.record import argument_parser, record
from jobs.pipeline.runner import run_stages
from jobs.spark.java import find_java
from jobs.stages.ingest import STAGE as INGEST
from jobs.stages.quality import STAGE as QUALITY
from refinery.quality.facts import QualityFacts
from refinery.recipe import RefineSettings
from schemas.settings import parse_settings

HISTORY_CHARS = 200
SETTINGS = {"epochs": 10, "bucket": 100_000}
HEADS = {
    "sources": ("history", "reviews"),
    "page_types": ("articles", "other_pages"),
    "sentiment": ("contented", "discontented"),
}
CARD = {"auc", "precision", "recall", "training_documents", "test_documents"}


def texts(data: Path) -> dict[str, list[str]]:
    """Texts by the name of their source in the recipe."""
    hotel = data / "text" / "reviews-zh" / "ChnSentiCorp_htl_all.csv"
    with hotel.open(encoding="utf-8", newline="") as file:
        reviews = [(row["label"], row["review"]) for row in csv.DictReader(file)]
    whole = list(read_texts(data / "text" / "history-zh.jsonl.gz"))
    pieces = [t[i : i + HISTORY_CHARS] for t in whole for i in range(0, len(t), HISTORY_CHARS)]
    pages = pq.read_table(
        data / "extraction" / "wcxb-dev.parquet", columns=["page_type", "main_content"]
    ).to_pylist()
    return {
        "history": pieces[: len(reviews)],
        "reviews": [review for _, review in reviews],
        "articles": [p["main_content"] for p in pages if p["page_type"] == "article"],
        "other_pages": [p["main_content"] for p in pages if p["page_type"] != "article"],
        "contented": [review for label, review in reviews if label == "1"],
        "discontented": [review for label, review in reviews if label == "0"],
    }


def write_source(path: Path, rows: Iterable[str], name: str) -> dict[str, Any]:
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(rows):
            if text and text.strip():
                # An address keeps equal texts of two sources apart.
                row = {"text": text, "url": f"https://{name}.example.org/{number}"}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return {"name": name, "uri": str(path), "format": "jsonl"}


def measure(data: Path, work: Path) -> dict[str, Any]:
    sources = [write_source(work / f"{n}.jsonl", t, n) for n, t in texts(data).items()]
    heads = {
        name: {"positive": [good], "negative": [noisy], **SETTINGS}
        for name, (good, noisy) in HEADS.items()
    }
    plain = {
        "recipe": {"name": "quality", "sources": sources, "heads": heads},
        "runtime": {"output": str(work / "out"), "partitions": 2},
    }
    settings = parse_settings(RefineSettings, plain, where="benchmark")
    run = run_stages(settings, (INGEST, QUALITY))
    cards = run.records["quality"].facts_of(QualityFacts).cards
    return {name: cards[name].model_dump(include=CARD) for name in HEADS}


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, help="folder to keep; default: one that goes")
    args = parser.parse_args()
    os.environ["JAVA_HOME"] = str(find_java().home)
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", "--master local[2] pyspark-shell")
    with tempfile.TemporaryDirectory() as scratch:
        work = args.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        result = measure(args.data, work)
    record("quality", {**SETTINGS, **result})


if __name__ == "__main__":
    main()
