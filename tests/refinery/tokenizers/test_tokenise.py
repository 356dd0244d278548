from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from refinery.packing.split import with_split
from refinery.tokenizers.encoder import Encoder
from refinery.tokenizers.identity import load_tokenizer
from refinery.tokenizers.tokenise import MARKS, tokenise, tokenise_batch
from refinery.vocabulary.config import SplitConfig, VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from refinery.vocabulary.train.sample_documents import sample_by_bytes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TEXTS = {"a": "one two <eos> three", "b": "数据👍质量", "c": "", "d": "plain words only"}
EDITS = {"a": [(4, 8, "")], "b": [(2, 3, "好"), (3, 5, "!")]}
EDITED = {"a": "one <eos> three", "b": "数据好!", "c": "", "d": "plain words only"}
SPANS = pa.list_(
    pa.struct([("start", pa.int32()), ("end", pa.int32()), ("replacement", pa.string())])
)
DDL = (
    "doc_id string, source string, is_heldout boolean, text string, "
    "edits array<struct<rank: int, start: int, end: int, replacement: string>>"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vocabulary") / "tokenizer"
    config = VocabularyConfig(size=420)
    write_tokenizer(train_bpe(TEXTS.values(), config), folder, config.sentinels)
    return folder


def test_ids_are_those_of_the_edited_text(spark: SparkSession, folder: Path) -> None:
    rows = [
        (doc_id, "web", doc_id == "d", text, [(0, *edit) for edit in EDITS.get(doc_id, [])] or None)
        for doc_id, text in TEXTS.items()
    ]

    found = {
        r["doc_id"]: r for r in tokenise(spark.createDataFrame(rows, DDL), str(folder)).collect()
    }

    tokenizer = load_tokenizer(folder)
    for doc_id, text in EDITED.items():
        assert tokenizer.decode(found[doc_id]["input_ids"], skip_special_tokens=False) == text
        assert found[doc_id]["num_tokens"] == len(found[doc_id]["input_ids"])
        assert found[doc_id]["num_bytes"] == len(text.encode())
    assert {doc_id for doc_id, row in found.items() if row["is_heldout"]} == {"d"}
    assert min(found["a"]["input_ids"]) >= 105, "<eos> in the text is no special token"


def test_split_is_a_function_of_seed_and_id(spark: SparkSession) -> None:
    ids = [f"{n:032x}" for n in range(2000)]
    frame = spark.createDataFrame([(doc_id,) for doc_id in ids], "doc_id string")

    def heldout(fraction: float, seed: int) -> set[str]:
        config = SplitConfig(heldout_fraction=fraction)
        split = with_split(frame, None, config, seed)
        return {row["doc_id"] for row in split.where("is_heldout").collect()}

    small, large = heldout(0.05, 1), heldout(0.1, 1)
    assert small < large, "raising the fraction only adds documents"
    assert 60 < len(small) < 140
    assert heldout(0.05, 2) != small


def test_sample_fills_the_budget_and_is_nested(spark: SparkSession) -> None:
    rows = [(f"{n:032x}", "x" * (10 + n % 50)) for n in range(400)]
    frame = spark.createDataFrame(rows, "doc_id string, text string").repartition(3)

    def sample(budget: int) -> dict[str, int]:
        chosen = sample_by_bytes(frame, budget=budget, seed=4).collect()
        return {row["doc_id"]: len(row["text"]) for row in chosen}

    small, large = sample(1000), sample(3000)
    assert small.keys() < large.keys()
    assert 1000 <= sum(small.values()) < 1060
    assert 3000 <= sum(large.values()) < 3060
    assert len(sample(10**9)) == 400


def test_slices_of_a_batch_change_no_row(folder: Path) -> None:
    texts = [*TEXTS.values(), "One. Two words. 三。"]
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([str(place) for place in range(len(texts))]),
            pa.array(["web"] * len(texts)),
            pa.array([False] * len(texts)),
            pa.array(texts),
            pa.nulls(len(texts), SPANS),
        ],
        ["doc_id", "source", "is_heldout", "text", "edits"],
    )
    tokenizer = load_tokenizer(folder)
    whole = tokenise_batch(batch, Encoder(tokenizer), tuple(MARKS))

    encoder = Encoder(tokenizer)
    parts = [
        tokenise_batch(batch.slice(row, 1), encoder, tuple(MARKS)) for row in range(len(texts))
    ]

    assert whole.to_pylist() == [row for part in parts for row in part.to_pylist()]
    expected = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    assert whole.column("input_ids").to_pylist() == expected
