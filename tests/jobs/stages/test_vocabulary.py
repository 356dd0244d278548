"""The recipe's vocabulary stage: neither partitions nor the order of rows change a byte."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.pipeline.runner import run_stages
from jobs.pipeline.stage import StageContext
from jobs.stages.vocabulary import STAGE, none_is_kept
from refinery.preflight.checks import check_vocabulary
from refinery.publish.records import StageRecord
from refinery.publish.store import Store, summarise_table
from refinery.recipe import RefineSettings
from refinery.tokenizers.folder import read_tokenizer
from refinery.tokenizers.identity import load_tokenizer
from refinery.vocabulary.config import TrainKind, VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.errors import SettingsError
from schemas.settings import parse_settings
from schemas.vocabulary import read_vocabulary
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
    spark: SparkSession,
    output: Path,
    vocabulary: dict[str, Any],
    rows: list[dict[str, Any]],
    *,
    num_files: int,
) -> tuple[StageContext, Path]:
    """The context after the stage, and the folder of its files."""
    asked = parse_settings(
        RefineSettings,
        {
            "recipe": {
                "name": "small",
                "sources": [{"name": "a", "uri": "README.md", "format": "text"}],
                "vocabulary": {"train_bytes": 9000, **vocabulary},
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
    check_vocabulary(asked.recipe)
    STAGE.run(context)
    return context, Path(context.attempt_uri) / "files"


def contents(folder: Path) -> dict[str, bytes]:
    """Files by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", get_args(TrainKind))
def test_order_and_partitions_do_not_change_a_byte(
    kind: str, spark: SparkSession, tmp_path: Path
) -> None:
    rows = documents()
    shuffled = random.Random(9).sample(rows, len(rows))
    # Characters compete for few ids, except where the library asks for room for all of them.
    size = 900 if kind.startswith("sentencepiece") else 300
    asked = {"train": {"kind": kind, "size": size, "sentinels": 2, "max_clauses": 120}}

    context, one = run_stage(spark, tmp_path / "one", asked, rows, num_files=1)
    _, many = run_stage(spark, tmp_path / "many", asked, shuffled, num_files=3)

    assert context.counts["training_clauses"] == 120
    assert "tokenizer.json" in contents(one / "tokenizer")
    assert contents(one / "tokenizer") == contents(many / "tokenizer")


def test_the_base_of_a_recipe_takes_tokens_from_its_documents(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Trained on kept documents, proven, published beside the base."""
    rows = documents()
    english = [row["text"] for row in rows if row["text"].isascii()]
    base = tmp_path / "base"
    write_tokenizer(train_bpe(english, VocabularyConfig(size=400, sentinels=2)), base, 2)
    size = read_tokenizer(base).size + 100
    asked = {"tokenizer": str(base), "extend": {"size": size}}

    context, one = run_stage(spark, tmp_path / "one", asked, rows, num_files=1)
    shuffled = random.Random(9).sample(rows, len(rows))
    _, many = run_stage(spark, tmp_path / "many", asked, shuffled, num_files=3)

    assert contents(one / "tokenizer") == contents(many / "tokenizer")
    vocabulary = read_vocabulary(one / "tokenizer")
    assert vocabulary is not None
    assert all(proof.holds for proof in vocabulary.proofs)
    assert context.counts["vocab_size"] == vocabulary.size <= size
    assert context.counts["new_tokens"] == vocabulary.counts["new"] > 0
    assert contents(one / "base_tokenizer") == contents(base)
    before = read_tokenizer(base)
    after = load_tokenizer(one / "tokenizer")
    for row in rows:
        old = before.tokenizer.encode(row["text"], add_special_tokens=False).ids
        new = after.encode(row["text"], add_special_tokens=False).ids
        assert new == old if row["text"].isascii() else len(new) < len(old)


def test_a_base_that_cannot_grow_is_refused_before_any_stage(tmp_path: Path) -> None:
    base = tmp_path / "base"
    write_tokenizer(train_bpe(["the rain"], VocabularyConfig(size=400, sentinels=2)), base, 2)
    size = read_tokenizer(base).size
    for vocabulary, message in (
        ({"tokenizer": str(tmp_path / "none")}, "recipe.vocabulary.tokenizer: nothing at"),
        (
            {"tokenizer": str(base), "extend": {"size": size}},
            r"vocabulary\.extend\.size .*expected more",
        ),
        ({"tokenizer": str(base), "extend": {"donor": str(tmp_path / "none")}}, "no such file"),
    ):
        recipe = {
            "name": "small",
            "sources": [{"name": "a", "uri": "README.md", "format": "text"}],
            "vocabulary": vocabulary,
        }
        asked = parse_settings(
            RefineSettings,
            {"recipe": recipe, "runtime": {"output": str(tmp_path / "out")}},
            where="test",
        )
        with pytest.raises(SettingsError, match=message):
            run_stages(asked, [STAGE])
        assert not (tmp_path / "out").exists()


def test_where_nothing_is_left_the_commonest_reasons_are_named() -> None:
    said = none_is_kept({"lines": 2, "words": 1_200, None: 3, "gate": 5, "stop_words": 4})

    assert "of 1,214 documents none is left for training" in said
    assert "the rules dropped words 1,200, gate 5, stop_words 4;" in said
    assert "3 passed and are duplicates, excluded later or held out" in said
    assert none_is_kept({None: 1}).startswith(
        "vocabulary: of 1 documents none is left for training; 1"
    )
