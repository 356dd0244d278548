"""What text costs in tokens, against counts made by hand."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from refinery.clean.config import CleanConfig
from refinery.report import token_costs
from refinery.report.tables import Tables
from refinery.report.token_costs import emoji_cost, language_costs
from tests.support.published import published_tables

LEDGER = pa.schema(
    [
        ("doc_id", pa.string()),
        ("lang", pa.string()),
        ("num_chars", pa.int64()),
        ("drop_reason", pa.string()),
        ("counters", pa.map_(pa.string(), pa.int64())),
    ]
)
FETCHES = pa.schema(
    [
        ("doc_id", pa.string()),
        ("payload", pa.binary()),
        ("mime", pa.string()),
        ("charset", pa.string()),
        ("url", pa.string()),
    ]
)


def doc_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def languages_of(
    folder: Path, num_documents: int
) -> tuple[Tables, dict[str, tuple[str, int, int]]]:
    """Documents in three languages and none: (language, tokens, characters) by id."""
    names = ("en", "zh", "de", None)
    documents = {
        doc_id(i): (names[(i * i) % 4 if i % 5 else 2], 3 + i % 7, 10 + i % 11)
        for i in range(num_documents)
    }
    ledger = [
        {"doc_id": key, "lang": lang, "num_chars": chars}
        for key, (lang, _, chars) in documents.items()
    ]
    # Dropped documents are in the ledger and have no tokens.
    ledger.append({"doc_id": doc_id(-1), "lang": "en", "num_chars": 1_000_000})
    tokens = [{"doc_id": key, "num_tokens": count} for key, (_, count, _) in documents.items()]
    tables = published_tables(
        folder,
        {"clean": {"ledger": ledger}, "tokenise": {"tokens": tokens}},
        schemas={"ledger": LEDGER},
    )
    return tables, {key: (lang or "unknown", t, c) for key, (lang, t, c) in documents.items()}


def test_languages_are_summed_over_kept_documents(tmp_path: Path) -> None:
    tables, documents = languages_of(tmp_path, 200)
    expected: dict[str, Counter[str]] = {}
    for language, tokens, chars in documents.values():
        expected.setdefault(language, Counter()).update(documents=1, tokens=tokens, chars=chars)

    costs = language_costs(tables)

    assert {cost.language: cost.model_dump(exclude={"language"}) for cost in costs} == expected
    assert [c.documents for c in costs] == sorted((c.documents for c in costs), reverse=True)


def test_large_corpus_is_sampled_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_costs, "SAMPLED_DOCUMENTS", 100)
    tables, documents = languages_of(tmp_path, 400)
    # A quarter of all ids, which are hexadecimal hashes: those that begin with 0, 1, 2 or 3.
    chosen = [row for key, row in documents.items() if key[0] in "0123"]
    assert 60 < len(chosen) < 140

    costs = language_costs(tables)

    assert sum(cost.documents for cost in costs) == len(chosen)
    assert sum(cost.tokens for cost in costs) == sum(tokens for _, tokens, _ in chosen)
    assert sum(cost.chars for cost in costs) == sum(chars for _, _, chars in chosen)


def test_only_the_commonest_languages_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_costs, "SHOWN_LANGUAGES", 2)
    tables, documents = languages_of(tmp_path, 200)
    counts = Counter(language for language, _, _ in documents.values())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))

    assert [(c.language, c.documents) for c in language_costs(tables)] == ranked[:2]


def character_tokenizer(folder: Path) -> Path:
    """A tokenizer of one token per code point: costs can be counted by hand."""
    tokenizer = Tokenizer(models.WordLevel({"?": 0, "</s>": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def pages_of(
    folder: Path, pages: list[tuple[str, str | None, int]], config: CleanConfig | None = None
) -> Tables:
    """Plain pages as (text, drop reason, runs of emoji that cleaning counted)."""
    fetches: list[dict[str, Any]] = []
    ledger: list[dict[str, Any]] = []
    for number, (text, reason, runs) in enumerate(pages):
        key = doc_id(number)
        fetches.append(
            {"doc_id": key, "payload": text.encode(), "mime": "text/plain", "charset": "utf-8"}
        )
        counters = [("emoji", runs)] if runs else []
        ledger.append({"doc_id": key, "drop_reason": reason, "counters": counters})
    return published_tables(
        folder,
        {"ingest": {"fetches": fetches}, "clean": {"ledger": ledger}},
        settings={"clean": {"clean": (config or CleanConfig()).model_dump(mode="json")}},
        schemas={"ledger": LEDGER, "fetches": FETCHES},
    )


def test_emoji_cost_is_beyond_the_text_around_them(tmp_path: Path) -> None:
    tables = pages_of(
        tmp_path / "store",
        [
            ("A line without any.\nVery good 👍👍👍 indeed.", None, 1),
            ("很好吃😀", None, 1),
            ("no emoji at all", None, 0),
        ],
    )

    cost = emoji_cost(tables, character_tokenizer(tmp_path / "tokenizer"))

    assert cost is not None
    assert (cost.documents, cost.runs) == (2, 2)
    assert cost.tokens_kept == len("👍👍👍") + len("😀")
    # A run of one emoji is named once; Chinese names stand in brackets.
    assert cost.tokens_as_words == len("thumbs up") + len("[嘿嘿]")
    assert cost.style == "words"


def test_dropped_pages_and_pages_without_emoji_do_not_count(tmp_path: Path) -> None:
    tables = pages_of(
        tmp_path / "store", [("dropped 👍", "gopher:words", 1), ("plain text", None, 0)]
    )

    assert emoji_cost(tables, character_tokenizer(tmp_path / "tokenizer")) is None


def test_pages_are_those_of_the_smallest_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_costs, "EMOJI_DOCUMENTS", 2)
    # The page of place i holds i + 1 emoji, each a run of its own.
    texts = [" ".join("😀👍🎉🚀🌍🍎"[j] for j in range(i + 1)) for i in range(6)]
    tables = pages_of(tmp_path / "store", [(text, None, 1) for text in texts])
    smallest = sorted(range(6), key=doc_id)[:2]

    cost = emoji_cost(tables, character_tokenizer(tmp_path / "tokenizer"))

    assert cost is not None
    assert cost.documents == 2
    assert cost.runs == sum(i + 1 for i in smallest)
    assert cost.tokens_kept == cost.runs


def test_run_that_recorded_no_settings_has_no_cost(tmp_path: Path) -> None:
    tables = published_tables(
        tmp_path / "store", {"clean": {"ledger": []}}, schemas={"ledger": LEDGER}
    )

    assert emoji_cost(tables, character_tokenizer(tmp_path / "tokenizer")) is None
