from __future__ import annotations

import json
import random
from pathlib import Path
from typing import get_args

import pytest
from pyspark.sql import SparkSession

from jobs.command import vocabulary_train
from jobs.command.main import main
from jobs.command.texts import read_lines
from refinery.tokenizers.identity import load_tokenizer
from refinery.vocabulary.config import TrainConfig, TrainKind
from refinery.vocabulary.train.counted_clauses import count_clauses, cut_clauses
from schemas.errors import SettingsError


def write_jsonl(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    return path


def some_texts() -> list[str]:
    chance = random.Random(3)
    words = [
        "some",
        "words",
        "and",
        "more",
        "words",
        "数据",
        "清洗",
        "分词",
        "模型",
        "训练",
        ",",
        "。",
        "12",
    ]
    return [" ".join(chance.choices(words, k=6)) + f" {chr(0x4E00 + n)}" for n in range(300)]


@pytest.mark.parametrize("kind", get_args(TrainKind))
def test_order_of_lines_does_not_matter(kind: str, tmp_path: Path) -> None:
    first = write_jsonl(tmp_path / "a.jsonl", some_texts())
    second = write_jsonl(tmp_path / "b.jsonl", some_texts()[::-1])

    for source, out in ((first, "one"), (second, "two")):
        arguments = ["--out", str(tmp_path / out), "--size", "700", "--kind", kind]
        assert main(["vocabulary", "train", str(source), *arguments]) == 0

    names = sorted(p.name for p in (tmp_path / "one").iterdir())
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("kind", get_args(TrainKind))
def test_control_tokens_in_a_page_stay_text(kind: str, tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "a.jsonl", some_texts())
    arguments = ["--out", str(tmp_path / "out"), "--size", "700", "--kind", kind]
    assert main(["vocabulary", "train", str(source), *arguments]) == 0

    tokenizer = load_tokenizer(tmp_path / "out")
    controls = {tokenizer.token_to_id(t) for t in ("<pad>", "<eos>", "[MASK]", "<extra_id_0>")}
    ids = tokenizer.encode("<pad> a <eos>[MASK] <extra_id_0>", add_special_tokens=False).ids
    assert controls.isdisjoint(ids)


def test_clauses_end_at_signs_and_after_sixteen_characters() -> None:
    assert cut_clauses("中文，好的。 next word 2024") == [
        "中文", "，", "好的", "。", " next", " word", " 2024",
    ]  # fmt: skip
    assert [len(clause) for clause in cut_clauses("字" * 40)] == [16, 16, 8]


def test_pruning_keeps_the_most_frequent() -> None:
    config = TrainConfig(max_clauses=2)

    kept = count_clauses(["甲 乙 丙", "甲 乙 丁"], config)

    assert len(kept) == 2
    assert all(count == 2 for _, count in kept)


def test_spark_counts_what_python_counts(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_jsonl(tmp_path / "a.jsonl", some_texts() * 2)
    base = ["vocabulary", "train", str(source), "--size", "600", "--max-bytes", "9000"]
    weight = ["--weight", "a.jsonl=0.8", "--min-line-chars", "5"]
    assert main([*base, *weight, "--out", str(tmp_path / "python")]) == 0

    monkeypatch.setattr(vocabulary_train, "SPARK_FROM_BYTES", 1)
    assert main([*base, *weight, "--out", str(tmp_path / "spark")]) == 0

    one, two = (tmp_path / out / "tokenizer.json" for out in ("python", "spark"))
    assert one.read_bytes() == two.read_bytes()


BAD_LINES = [
    ('{"body": "bad", "id": 3}', r"a\.jsonl:2: no field 'text', found body, id"),
    ('{"text": 5}', r"a\.jsonl:2: no text in field 'text', found int"),
    ("[1]", r"a\.jsonl:2: expected an object with field 'text', found list"),
    ('{"text": "cut', r"a\.jsonl:2: not JSON: Invalid control"),
]


@pytest.mark.parametrize(("line", "message"), BAD_LINES)
def test_line_without_text_is_named_and_nothing_is_written(
    line: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "good"}}\n{line}\n')

    with pytest.raises(SettingsError, match=message):
        main(["vocabulary", "train", str(path), "--out", str(tmp_path / "out")])

    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize(("line", "message"), BAD_LINES)
def test_spark_names_the_same_line(
    line: str, message: str, spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "good"}}\n{line}\n')

    with pytest.raises(SettingsError, match=message):
        vocabulary_train.parse_jsonl(spark.read.text(str(path)), path, "text")


def test_a_cut_surrogate_is_replaced_in_both_ways(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "cut \\ud83d here"}\n')

    rows = vocabulary_train.parse_jsonl(spark.read.text(str(path)), path, "text").collect()

    assert [row.value for row in rows] == list(read_lines([path], "text")) == ["cut ? here"]
