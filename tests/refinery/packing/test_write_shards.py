"""Packing in Spark: the root must not depend on how the work was cut."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from refinery.packing.config import PackingConfig
from refinery.packing.write_shards import ShardJob, collect_shards, number_of_shards, write_shards
from refinery.tokenizers.identity import identify_tokenizer, load_tokenizer
from refinery.tokenizers.tokenise import tokenise
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.manifest import Shard, SpecialIds

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DDL = "doc_id string, source string, copy int, input_ids array<int>"


def documents(count: int = 40) -> list[dict[str, Any]]:
    rng = random.Random(5)
    return [
        {
            "doc_id": f"{rng.getrandbits(128):032x}",
            "source": rng.choice(["web", "书"]),
            "copy": copy,
            "input_ids": [rng.randrange(10, 90) for _ in range(rng.randrange(1, 60))],
        }
        for _ in range(count)
        for copy in range(rng.choice([1, 1, 2]))
    ]


def pack(
    spark: SparkSession,
    folder: Path,
    rows: list[dict[str, Any]],
    *,
    tasks: int = 3,
    partitions: int = 2,
    groups: int = 4,
) -> tuple[list[Shard], dict[str, int]]:
    folder.mkdir()
    job = ShardJob(
        folder=str(folder),
        prefix="train",
        config=PackingConfig(seq_len=16, shard_tokens=500, row_group_rows=groups),
        special_ids=SpecialIds(pad=0, eos=1),
        pad_last=False,
        seed=9,
    )
    total = sum(len(row["input_ids"]) + 1 for row in rows)
    frame = spark.createDataFrame(rows, DDL).repartition(partitions)
    found = collect_shards(write_shards(frame, job, number_of_shards(total, job.config), tasks))
    return found.shards, dict(found.tokens_in)


@pytest.fixture(scope="module")
def reference(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Shard], dict[str, int]]:
    folder = tmp_path_factory.mktemp("reference") / "dataset"
    return folder, *pack(spark, folder, documents())


def test_input_order_partitions_and_tasks_give_the_same_files(
    spark: SparkSession, tmp_path: Path, reference: tuple[Path, list[Shard], dict[str, int]]
) -> None:
    shuffled = documents()
    random.Random(1).shuffle(shuffled)

    shards, _ = pack(spark, tmp_path / "other", shuffled, tasks=1, partitions=5)

    assert shards == reference[1]


def test_row_group_size_leaves_the_content_digests(
    spark: SparkSession, tmp_path: Path, reference: tuple[Path, list[Shard], dict[str, int]]
) -> None:
    shards, _ = pack(spark, tmp_path / "other", documents(), groups=9)

    assert [s.content_sha256 for s in shards] == [s.content_sha256 for s in reference[1]]
    assert [s.sha256 for s in shards] != [s.sha256 for s in reference[1]]


def test_tokens_in_are_packed_or_dropped(
    reference: tuple[Path, list[Shard], dict[str, int]],
) -> None:
    _, shards, tokens_in = reference
    dropped = sum(tokens_in.values()) - sum(shard.tokens for shard in shards)

    assert sum(tokens_in.values()) == sum(len(row["input_ids"]) + 1 for row in documents())
    assert 0 < dropped < 16 * len(shards)


def test_pieces_of_each_copy_join_to_its_tokens(
    reference: tuple[Path, list[Shard], dict[str, int]],
) -> None:
    folder, shards, _ = reference
    pieces: dict[tuple[str, int], dict[int, list[int]]] = {}
    for shard in shards:
        for row in pq.read_table(folder / shard.path).to_pylist():
            for s in row["segments"]:
                ids = row["input_ids"][s["row_start"] : s["row_start"] + s["length"]]
                pieces.setdefault((s["doc_id"], s["copy"]), {})[s["doc_start"]] = ids

    joined = {k: [t for start in sorted(v) for t in v[start]] for k, v in pieces.items()}

    whole = {(d["doc_id"], d["copy"]): [*d["input_ids"], 1] for d in documents()}
    differing = [key for key, ids in joined.items() if ids != whole[key]]
    assert all(whole[key][: len(joined[key])] == joined[key] for key in differing)
    assert len(differing) <= len(shards), "only the document at a shard's dropped tail is cut short"


def test_shards_hold_ranges_of_the_hash_of_about_equal_size(
    reference: tuple[Path, list[Shard], dict[str, int]],
) -> None:
    _, shards, _ = reference

    assert [shard.path for shard in shards] == [
        f"train-{i:05d}.parquet" for i in range(len(shards))
    ]
    assert len(shards) == -(-sum(reference[2].values()) // 500)


def test_no_temporary_file_stays(reference: tuple[Path, list[Shard], dict[str, int]]) -> None:
    folder, shards, _ = reference

    assert sorted(p.name for p in folder.iterdir()) == [shard.path for shard in shards]


def test_pairs_of_tokenised_texts_account_for_every_token(
    spark: SparkSession, tmp_path: Path
) -> None:
    config = VocabularyConfig(size=420)
    texts = [f"One fox {n} ran. Two dogs {n} slept! 三只猫{n}坐着。它们走了。" for n in range(30)]
    write_tokenizer(train_bpe(texts, config), tmp_path / "tok", config.sentinels)
    ddl = (
        "doc_id string, source string, is_heldout boolean, text string, "
        "edits array<struct<rank: int, start: int, end: int, replacement: string>>"
    )
    rows = [(f"{n:032x}", "web", False, text, None) for n, text in enumerate(texts)]
    packing = PackingConfig(seq_len=48, layout="next_sentence", word_starts=True)
    tokens = tokenise(spark.createDataFrame(rows, ddl), str(tmp_path / "tok"), packing.marks)
    identity = identify_tokenizer(tmp_path / "tok", relative_path="tok")
    (tmp_path / "out").mkdir()
    job = ShardJob(
        folder=str(tmp_path / "out"),
        prefix="train",
        config=packing,
        special_ids=identity.special_ids,
        pad_last=False,
        seed=1,
    )

    found = collect_shards(write_shards(tokens.withColumn("copy", F.lit(0)), job, 1, 1))

    total = sum(row["num_tokens"] for row in tokens.select("num_tokens").collect())
    shard = found.shards[0]
    assert found.tokens_in["web"] == total
    assert shard.tokens <= total + found.drawn["web"]
    assert shard.tokens + shard.control + shard.padding == shard.rows * 48
    table = pq.read_table(tmp_path / "out" / shard.path)
    assert table.schema.names[4:] == ["word_starts", "segment_b_start", "is_next"]
    tokenizer = load_tokenizer(tmp_path / "tok")
    decoded = [tokenizer.decode(ids) for ids in table.column("input_ids").to_pylist()]
    assert any("One fox" in text and "三只猫" in text for text in decoded)
