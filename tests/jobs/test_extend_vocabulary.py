"""The recipe's vocabulary stage: neither partitions nor the order of rows change a byte."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.extend_vocabulary import STAGE
from jobs.stage import StageContext
from refinery.publish.records import StageRecord
from refinery.publish.store import Store, summarise_table
from refinery.recipe import RefineSettings
from refinery.vocabulary.config import TrainKind
from schemas.settings import parse_settings
from tests.support.records import clean_stage_record

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NUM_DOCUMENTS = 240


def documents() -> list[dict[str, Any]]:
    """Half of them English, half Chinese; many characters are equally frequent."""
    chance = random.Random(4)
    words = ["the", "rain", "moves", "slowly", "over", "hills", "2024", ","]
    rows = []
    for number in range(NUM_DOCUMENTS):
        han = "".join(chr(0x4E00 + chance.randrange(400)) for _ in range(20))
        text = " ".join(chance.choices(words, k=20)) if number % 2 else f"{han}。"
        rows.append({"doc_id": f"{number * 2654435761 % 2**32:032x}", "source": "a", "text": text})
    return rows


def clean_record(store: Store, rows: list[dict[str, Any]], *, num_files: int) -> StageRecord:
    """A published clean stage whose tables lie in so many files."""
    schema = pa.schema([(name, pa.string()) for name in ("doc_id", "source", "text")])
    summaries = {}
    for name in ("cleaned", "ledger"):
        folder = Path(store.root) / "clean" / "run" / f"table={name}"
        folder.mkdir(parents=True)
        for part in range(num_files):
            table = pa.Table.from_pylist(rows[part::num_files], schema)
            pq.write_table(table, folder / f"part-{part}.parquet")
        summaries[name] = summarise_table(str(folder))
    return clean_stage_record(summaries)


def run_stage(
    spark: SparkSession, output: Path, kind: str, rows: list[dict[str, Any]], *, num_files: int
) -> dict[str, bytes]:
    """The files of the tokenizer."""
    # Characters compete for few ids, except where the library asks for room for all of them.
    size = 900 if kind.startswith("sentencepiece") else 300
    train = {"kind": kind, "size": size, "sentinels": 2, "max_clauses": 120}
    asked = parse_settings(
        RefineSettings,
        {
            "recipe": {
                "name": "small",
                "sources": [{"name": "a", "uri": "none", "format": "text"}],
                "vocabulary": {"train": train, "train_bytes": 9000},
            },
            "runtime": {"output": str(output), "partitions": num_files},
        },
        where="test",
    )
    store = Store(f"{output}/tables")
    context = StageContext(
        recipe=asked.recipe,
        runtime=asked.runtime,
        store=store,
        records={"clean": clean_record(store, rows, num_files=num_files)},
        attempt_uri=store.new_attempt("vocabulary"),
        fingerprint="1" * 64,
        spark=spark,
    )
    STAGE.run(context)
    assert context.counts["training_clauses"] == 120
    folder = Path(context.attempt_uri) / "files" / "tokenizer"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", get_args(TrainKind))
def test_order_and_partitions_do_not_change_a_byte(
    kind: str, spark: SparkSession, tmp_path: Path
) -> None:
    rows = documents()
    shuffled = random.Random(9).sample(rows, len(rows))

    one = run_stage(spark, tmp_path / "one", kind, rows, num_files=1)
    many = run_stage(spark, tmp_path / "many", kind, shuffled, num_files=3)

    assert "tokenizer.json" in one
    assert one == many
