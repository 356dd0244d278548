"""From texts to a trained step: rows of noised sentences, and rows of pairs, counted anew."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from jobs.pipeline.runner import RefineRun
from refinery.datasets.verify import verify_dataset
from refinery.supervised.pack import pack_pairs
from refinery.supervised.tasks import PairsRecipe
from refinery.tokenizers.identity import load_tokenizer
from schemas.manifest import Manifest, read_manifest
from tests.support.whole import refine, settings, table
from train.loop.run import pretrain
from train.settings import TrainSettings

SEQ_LEN, ROOM = 64, 64 - 3  # [CLS] and two [SEP] have room in a row of sentences
# A full stop ends a sentence unless a small letter follows.
END = re.compile(r"\.(?=\s+[^a-z\s])")
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def run(whole_root: Path) -> RefineRun:
    """Sentences, some documents in several copies, all but the first under noise."""
    noise = {"spelling": 0.03, "bpe_dropout": 0.1}
    return refine(
        settings(
            whole_root,
            vocabulary={"train": {"kind": "byte_level_bpe", "size": 500, "sentinels": 20}},
            mixture={"weights": {"rows": 1.0}, "budget_tokens": 70_000},
            packing={"seq_len": SEQ_LEN, "layout": "sentences", "noise": noise},
        )
    )


@pytest.fixture(scope="module")
def dataset(run: RefineRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: the next run over the same texts takes the place of this one."""
    made = Path(run.settings.runtime.output) / "dataset"
    return shutil.copytree(made, tmp_path_factory.mktemp("noised") / "dataset")


def rows_of(folder: Path, manifest: Manifest) -> Rows:
    return [
        row for s in manifest.train.shards for row in pq.read_table(folder / s.path).to_pylist()
    ]


def copies_of(rows: Rows) -> dict[tuple[str, int], Rows]:
    """Rows of each copy of each document, in the order of the document."""
    found: dict[tuple[str, int], Rows] = defaultdict(list)
    for row in rows:
        (segment,) = row["segments"]
        found[segment["doc_id"], segment["copy"]].append(row)
    for of_copy in found.values():
        of_copy.sort(key=lambda row: row["segments"][0]["doc_start"])
    return found


def sentence_lengths(tokenizer: Tokenizer, ids: list[int], eos: int) -> list[int]:
    """Tokens of each sentence, by what the tokens spell one by one; the texts are ASCII."""
    assert ids[-1] == eos
    pieces = [tokenizer.decode([token], skip_special_tokens=False) for token in ids[:-1]]
    text = "".join(pieces)
    stops = [match.end() for match in END.finditer(text)]
    firsts = [0, *(len(text) - len(text[stop:].lstrip()) for stop in stops)]
    starts, place, wanted = [], 0, iter(firsts)
    at = next(wanted)
    for number, piece in enumerate(pieces):
        place += len(piece)
        while place > at:
            starts.append(number)
            at = next(wanted, len(text) + 1)
    ends = [*starts[1:], len(ids)]
    return [end - start for start, end in zip(starts, ends, strict=True)]


def rows_needed(sentences: list[int]) -> int:
    """Rows of whole sentences, one longer than a row cut; a plain walk."""
    num_rows, filled = 0, 0
    for tokens in sentences:
        if filled + tokens > ROOM and filled:
            num_rows, filled = num_rows + 1, 0
        filled += tokens
        while filled > ROOM:
            num_rows, filled = num_rows + 1, filled - ROOM
    return num_rows + (filled > 0)


def test_noised_sentences_fill_as_many_rows_as_a_plain_walk(run: RefineRun, dataset: Path) -> None:
    manifest = read_manifest(dataset)
    tokenizer, eos = load_tokenizer(dataset / "tokenizer"), manifest.tokenizer.special_ids.eos
    copies = copies_of(rows_of(dataset, manifest))
    planned = {r["doc_id"]: r["copies"] for r in table(run, "mixture", "mixture") if r["copies"]}
    known = {row["doc_id"]: row["input_ids"] for row in table(run, "tokenise", "tokens")}

    assert set(copies) == {(d, c) for d, n in planned.items() for c in range(n)}
    changed = 0
    for (doc_id, copy), rows in copies.items():
        lengths = [row["segments"][0]["length"] for row in rows]
        ids = [t for row, n in zip(rows, lengths, strict=True) for t in row["input_ids"][:n]]
        sentences = sentence_lengths(tokenizer, ids, eos)
        assert len(rows) == rows_needed(sentences)
        assert sum(sum(row["sentence_starts"]) for row in rows) == len(sentences)
        assert (ids[:-1] == known[doc_id]) == (copy == 0)
        changed += tokenizer.decode(ids[:-1]) != tokenizer.decode(known[doc_id])
    num_noised = sum(copy > 0 for _, copy in copies)
    assert num_noised > 40
    assert changed == num_noised, "misspelt, not only cut in another way"
    assert manifest.train.rows == sum(map(len, copies.values()))
    tokens = sum(row["segments"][0]["length"] for rows in copies.values() for row in rows)
    account = manifest.train.account
    assert (account.tokens_in, account.packed, account.dropped) == (tokens, tokens, 0)
    assert verify_dataset(dataset).differences == ()


def test_t5_learns_from_noised_sentences(dataset: Path, tmp_path: Path) -> None:
    assert_learns(dataset, tmp_path / "t5", {"name": "span_corruption"})


@pytest.fixture(scope="module")
def pairs(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """Two tasks of text to text in the tokens of the run."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = [{"word": f"bun{n}", "next": f"lask{n + 1}", "side": n % 2} for n in range(80)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    files = [str(folder / "rows.jsonl")]
    recipe = {
        "name": "pairs",
        "output": str(folder / "out"),
        "tokenizer": str(dataset / "tokenizer"),
        "seq_len": SEQ_LEN,
        "target_tokens": 16,
        "heldout_fraction": 0.2,
        "tasks": [
            {"name": "next", "files": files, "input": "next: {word}", "target": "{next}"},
            {"name": "side", "files": files, "input": "side: {word}", "target": "{side}",
             "labels": {"0": "left", "1": "right"}},
        ],
    }  # fmt: skip
    return folder / "out", pack_pairs(PairsRecipe.model_validate(recipe))


def test_pairs_are_the_rows_of_the_tables_once(pairs: tuple[Path, Manifest]) -> None:
    folder, manifest = pairs
    tokenizer = load_tokenizer(folder / "tokenizer")
    eos = manifest.tokenizer.special_ids.eos
    splits = (*manifest.train.shards, *manifest.heldout.shards)
    found: Counter[tuple[str, str]] = Counter()
    for row in [row for s in splits for row in pq.read_table(folder / s.path).to_pylist()]:
        (segment,) = row["segments"]
        ids, start = row["input_ids"][: segment["length"]], row["target_start"]
        assert (ids[start - 1], ids[-1]) == (eos, eos)
        found[tokenizer.decode(ids[: start - 1]), tokenizer.decode(ids[start:-1])] += 1

    expected = [(f"next: bun{n}", f"lask{n + 1}") for n in range(80)]
    expected += [(f"side: bun{n}", ("left", "right")[n % 2]) for n in range(80)]
    assert found == Counter(expected)
    assert manifest.train.rows + manifest.heldout.rows == 160
    assert 0.1 < manifest.heldout.rows / 160 < 0.3
    assert verify_dataset(folder).differences == ()


def test_t5_learns_from_pairs(pairs: tuple[Path, Manifest], tmp_path: Path) -> None:
    assert_learns(pairs[0], tmp_path / "t5", {"name": "text_to_text"})


def assert_learns(dataset: Path, output: Path, objective: dict[str, Any]) -> None:
    """Some steps: the first loss is about that of guessing, the last one lower."""
    plain = {
        "manifest": str(dataset),
        "output": str(output),
        "model": {"preset": "t5-test"},
        "objective": objective,
        "batch": {"sequences": 8, "microbatch": 4},
        "stop": {"steps": 8},
        "schedule": {"peak_lr": 0.01, "warmup": 2},
        "checkpoint": {"every_steps": 100, "export": False},
        "threads": 1,
        "precision": {"compute": "fp32"},
    }

    assert pretrain(TrainSettings.model_validate(plain)) == 0

    metrics = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in metrics] == list(range(8))
    guess = math.log(read_manifest(dataset).tokenizer.vocab_size)
    assert metrics[0]["loss"] == pytest.approx(guess, abs=1.5)
    assert metrics[-1]["loss"] < metrics[0]["loss"] - 0.5
