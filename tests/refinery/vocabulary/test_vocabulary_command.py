from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.command.main import main
from jobs.command.vocabulary import sample_texts
from refinery.vocabulary.identity import load_tokenizer
from schemas.errors import SettingsError


def write_jsonl(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    return path


def test_order_of_lines_and_files_does_not_matter(tmp_path: Path) -> None:
    texts = [f"words and {n} more words 数据清洗" for n in range(30)]
    first = write_jsonl(tmp_path / "a.jsonl", texts)
    second = write_jsonl(tmp_path / "b.jsonl", texts[::-1])

    for source, out in ((first, "one"), (second, "two")):
        assert (
            main(
                ["vocabulary", "train", str(source), "--out", str(tmp_path / out), "--size", "400"]
            )
            == 0
        )

    one, two = (tmp_path / out / "tokenizer.json" for out in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert load_tokenizer(tmp_path / "one").get_vocab_size() == 400


def test_budget_takes_distinct_texts_by_hash() -> None:
    texts = [f"{n:03d}" for n in range(100)] * 2

    small, large = sample_texts(iter(texts), 30), sample_texts(iter(texts), 60)

    assert (len(small), len(large)) == (10, 20)
    assert large[:10] == small


def test_line_without_text_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "good"}\n{"body": "bad"}\n')

    with pytest.raises(SettingsError, match=r"a\.jsonl:2: no text in field 'text'"):
        main(["vocabulary", "train", str(path), "--out", str(tmp_path / "out")])

    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]
