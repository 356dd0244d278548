"""The outcome race: corpora without overlap, runs that are trained once, tables by evaluation text, a page from records."""

from __future__ import annotations

import gzip
import json
import math
import random
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.corpora import web_and_manuals as corpora
from benchmarks.corpora.packed_text import write_dataset
from benchmarks.outcome import __main__ as module
from benchmarks.outcome.arms import DATATROVE, OURS, RAW, WITHOUT, Work, recipes
from benchmarks.outcome.commonness import training_documents, weights_of, write_commonness
from benchmarks.outcome.page import markdown, render
from benchmarks.outcome.runs import run_outcome
from benchmarks.outcome.studies import (
    STUDIES,
    OutcomeStudy,
    keys,
    missing_arms,
    plan,
    tokens_of_documents,
)
from benchmarks.outcome.tables import outcome_table
from benchmarks.train.run_records import Records, RunRecord, read_records
from refinery.ablation.decisions import arm_without
from refinery.recipe import RefineSettings
from refinery.tokenizers.identity import load_tokenizer
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import sha256_hex
from schemas.manifest import MANIFEST_NAME, read_manifest
from schemas.settings import parse_settings
from train.statistics.paired import NOT_TOLD_APART
from train.studies.claims import AskedToStopError
from train.studies.outcome import Documents
from train.studies.verdicts import BETTER

WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in ("n", "sk", "l", "m")]


def _text(number: int, sentences: int = 12) -> str:
    draw = random.Random(number)
    return "\n".join(f"The {' '.join(draw.choices(WORDS, k=9))}." for _ in range(sentences))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Labelled pages of 24 domains, manuals, books and histories in the form of the real ones."""
    rows = [
        {
            "url": f"https://www.site{n}.org/a",
            "html": f"<html><body><nav>Home</nav><main><p>{_text(n)}</main></body></html>".encode(),
            "main_content": _text(n),
        }
        for n in range(24)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "labelled.parquet")
    for folder, ending in corpora.FOLDERS.items():
        target = tmp_path / "manuals" / "usr/share" / folder
        target.mkdir(parents=True, exist_ok=True)
        (target / f"page{ending}").write_text(f"<html><body><p>{_text(99)} {folder}</body></html>")
    for name, text in (
        ("books-en", _text(500, 200)),
        ("history-zh", "".join(map(chr, range(0x4E00, 0x5A00)))),
    ):
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write(json.dumps({"text": text}) + "\n")
    return tmp_path


def test_evaluation_texts_lie_in_no_page_and_on_other_domains(sources: Path) -> None:
    leaked = sources / "labelled.parquet"
    rows = pq.read_table(leaked).to_pylist()
    train, held = corpora.web_pages(leaked)
    # A page of a training domain that repeats what a held-out one says.
    copied = {**rows[0], "url": train[0].url + "/copy", "html": f"<p>{held[0]}".encode()}
    pq.write_table(pa.Table.from_pylist([*rows, copied]), leaked)

    counts = corpora.write_corpus(
        sources / "corpus", manuals=sources / "manuals", labelled=leaked, texts=sources
    )

    found = list(corpora.read_evaluation(sources / "corpus"))
    assert len(train) + len(held) == 24
    assert 0 < len(held) < 12
    assert counts["labelled"] == {
        "documents": len(held) - 1, "left_out": 1,
        "text_bytes": sum(len(text.encode()) for kind, text in found if kind == "labelled"),
    }  # fmt: skip
    assert held[0] not in [text for _, text in found]
    assert counts["web"]["pages"] == len(train) + 1
    assert counts["manuals"]["pages"] == len(corpora.FOLDERS)
    assert {kind for kind, _ in found} == set(corpora.EVALUATION)


def test_shares_are_those_of_sets_of_words() -> None:
    documents = ["one two three four five six seven", "alpha beta gamma delta epsilon zeta"]
    pages = ["zero one two three four five six eight", "nothing of all that is in here at all"]

    def grams(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    found = corpora.shares_in_pages(documents, pages)

    wanted = [
        max(len(grams(text) & grams(page)) / len(grams(text)) for page in pages)
        for text in documents
    ]
    assert found.tolist() == pytest.approx(wanted)
    assert 0 < found[0] < 1


def test_a_missing_package_is_named(sources: Path) -> None:
    (sources / "manuals/usr/share/libreoffice/help/zh-CN/text/page.html").unlink()

    with pytest.raises(OSError, match="libreoffice/help/zh-CN/text: no pages"):
        corpora.manual_pages(sources / "manuals")


def test_the_arms_are_recipes_that_differ_as_they_say(tmp_path: Path) -> None:
    work = Work(corpus=tmp_path / "corpus", folder=tmp_path / "work")
    made = {
        arm: parse_settings(RefineSettings, recipe, where=arm).recipe
        for arm, recipe in recipes(work).items()
    }

    assert made[RAW].vocabulary.tokenizer is None
    assert {one.vocabulary.tokenizer for arm, one in made.items() if arm != RAW} == {
        str(work.tokenizer)
    }
    assert made[RAW].clean.extract.engine == "plain"
    assert not made[RAW].dedup.removes
    assert made[OURS].clean == type(made[OURS].clean)()
    assert len({one.packing.seq_len for one in made.values()}) == 1
    for name in WITHOUT:
        arm_without(name, made[OURS])


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """Two packed arms and an evaluation, in the folders of the real ones."""
    work = Work(corpus=Path("unused"), folder=tmp_path_factory.mktemp("outcome"))
    texts = [_text(number) for number in range(60)]
    tokenizer = work.folder / "tokenizer"
    write_tokenizer(train_bpe(texts, VocabularyConfig(size=420, sentinels=4)), tokenizer, 4)
    for folder, chosen in ((work.manifest(RAW), texts), (work.manifest(OURS), texts[:40])):
        write_dataset(
            folder, name="arm", train=chosen, heldout=chosen[:2], tokenizer=tokenizer, seq_len=64
        )
    held = [_text(number) for number in range(900, 906)]
    write_dataset(
        work.evaluation, name="held", train=held[:2], heldout=held, tokenizer=tokenizer, seq_len=64
    )
    return work


def _toy() -> OutcomeStudy:
    return replace(STUDIES[0], tokens=64 * 2 * 4, seeds=2)


def test_documents_are_put_together_again_and_common_ones_weigh_less(tmp_path: Path) -> None:
    common = _text(7)
    copies = [f"{common} {n}" for n in range(12)]
    texts = [*copies, *(_text(number) for number in range(100, 130))]
    tokenizer = tmp_path / "tokenizer"
    write_tokenizer(train_bpe(texts, VocabularyConfig(size=420, sentinels=4)), tokenizer, 4)
    write_dataset(
        tmp_path / "dataset", name="arm", train=texts, heldout=texts[:2], tokenizer=tokenizer, seq_len=64
    )  # fmt: skip

    documents = training_documents(tmp_path / "dataset")
    write_commonness(tmp_path / "dataset", tmp_path / "found.parquet")

    found = {row["doc_id"]: row for row in pq.read_table(tmp_path / "found.parquet").to_pylist()}
    encode = load_tokenizer(tokenizer).encode
    for text in texts:
        own = documents.get(sha256_hex(text.encode())[:32])
        if own is not None:  # the last document is cut with the last row
            whole = encode(text, add_special_tokens=False).ids
            assert own[1:].tolist() == whole[: len(own) - 1]
    of_copies = {sha256_hex(text.encode())[:32] for text in copies}
    assert len(of_copies & found.keys()) >= 11
    of_common = [row["weight"] for name, row in found.items() if name in of_copies]
    of_others = [row["weight"] for name, row in found.items() if name not in of_copies]
    assert max(of_common) <= min(of_others)  # one group may hold some of both
    assert 3 * fmean(of_common) < fmean(of_others)
    sizes = [len(documents[name]) for name in found]
    mean = sum(size * row["weight"] for size, row in zip(sizes, found.values(), strict=True)) / sum(
        sizes
    )
    assert mean == pytest.approx(1)


def test_weights_are_inverse_to_the_commonness_of_groups() -> None:
    common = np.repeat([0.1, 0.2, 0.4, 0.8], 5)
    sizes = np.full(20, 10)

    found = weights_of(common, sizes)

    assert (found * common).tolist() == pytest.approx([found[0] * common[0]] * 20)
    assert found.mean() == pytest.approx(1)


@pytest.mark.slow
def test_a_recorded_run_is_never_trained_again(arms: Work, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"

    with pytest.raises(AskedToStopError):
        run_outcome(_toy(), arms, path=path, most_runs=1)
    first = read_records(path)
    assert run_outcome(_toy(), arms, path=path) is None
    lines = path.read_text().splitlines()
    fresh = replace(arms, folder=tmp_path / "fresh")
    fresh.folder.mkdir()
    for one in arms.folder.iterdir():
        if one.name != "studies":
            (fresh.folder / one.name).symlink_to(one)
    run_outcome(_toy(), fresh, path=path)

    assert [run.run for run in first.of_study("pilot")] == ["raw-seed-1"]
    done = read_records(path).of_study("pilot")
    assert sorted(run.run for run in done) == [
        "ours-seed-1",
        "ours-seed-2",
        "raw-seed-1",
        "raw-seed-2",
    ]
    assert path.read_text().splitlines() == lines, "another machine trained a recorded run"
    assert {run.tokens for run in done} == {64 * 2 * 4}
    assert len({run.key for run in done}) == 4
    assert keys(plan(_toy(), fresh), fresh) == keys(plan(_toy(), arms), arms)


@pytest.mark.slow
def test_a_run_that_another_study_has_is_taken_from_there(arms: Work, tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    run_outcome(replace(_toy(), name="first"), arms, path=path)

    assert run_outcome(replace(_toy(), name="second"), arms, path=path, most_runs=0) == 0

    records = read_records(path)
    first, second = records.of_study("first"), records.of_study("second")
    assert [run.value for run in second] == [run.value for run in first]
    assert [run.key for run in second] == [run.key for run in first]
    assert {run.cpu_seconds for run in second} == {0.0}


def test_runs_at_equal_documents_read_as_many_tokens_as_those_hold(
    arms: Work, tmp_path: Path
) -> None:
    manifest = read_manifest(arms.manifest(RAW))
    (source,) = (
        manifest.train.sources.values()
    )  # `write_dataset` calls all of its texts one document
    of_sixty = {"arm": source.model_copy(update={"documents": 60})}
    split = manifest.train.model_copy(update={"sources": of_sixty})
    counted = manifest.model_copy(update={"train": split})
    (tmp_path / MANIFEST_NAME).write_text(counted.model_dump_json())

    read = tokens_of_documents(tmp_path, 30, 128)

    assert manifest.train.account.packed / 2 - 128 < read <= manifest.train.account.packed / 2
    assert read % 128 == 0
    with pytest.raises(SettingsError, match="60 documents; the study reads 61 of each arm"):
        tokens_of_documents(tmp_path, 61, 128)


def test_an_arm_that_is_not_built_is_left_for_later(arms: Work) -> None:
    study = replace(_toy(), arms=(RAW, DATATROVE, OURS), seeds=1)

    assert missing_arms(study, arms) == [DATATROVE]
    assert [run.arm for run in plan(study, arms).runs] == [RAW, OURS]
    with pytest.raises(ContractError, match="no manifest there"):
        plan(replace(study, arms=(DATATROVE, RAW)), arms)


def test_missing_minimal_pairs_are_said_before_a_run_is_trained(tmp_path: Path) -> None:
    study = next(one for one in STUDIES if one.pairs is not None)

    with pytest.raises(SettingsError, match="no minimal pairs there"):
        run_outcome(study, Work(corpus=tmp_path, folder=tmp_path), data=tmp_path)


KINDS: dict[str, Any] = {
    "a": {"kind": "labelled", "bytes": 10},
    "b": {"kind": "labelled", "bytes": 30},
    "c": {"kind": "books", "bytes": 20},
}


TOKENS = 300_032


def _records(*runs: tuple[str, int, float]) -> Records:
    """Runs whose documents lose as many nats as bits per byte times their bytes."""
    documents = Documents(root="r", names=("a", "b", "c"), labels=(3, 9, 6), losses=(0.0,) * 3)
    made = [
        RunRecord(
            study="pilot", run=f"{arm}-seed-{seed}", arm=arm, seed=seed, key="k", state="done", value=value,
            why=None, parameters=300_000, tokens=TOKENS, cpu_seconds=36.0, figures={}, documents="d",
            losses=tuple(value * math.log(2) * size for size in (10, 30, 20)),
        )
        for arm, seed, value in runs
    ]  # fmt: skip
    return Records(runs={("pilot", run.run): run for run in made}, documents={"d": documents})


NOISE = (0.001, 0.004, -0.004, -0.001)
APART = _records(
    *((RAW, seed, 2.6 + noise) for seed, noise in enumerate(NOISE, 1)),
    *((OURS, seed, 2.5 - noise / 2) for seed, noise in enumerate(NOISE, 1)),
)


@pytest.mark.parametrize("kind", [None, "labelled", "books"])
def test_an_arm_is_judged_on_all_texts_and_on_each(kind: str | None) -> None:
    found = outcome_table(STUDIES[0], APART, KINDS, kind=kind)

    raw, ours = found.lines
    assert ours.difference is not None
    assert ours.difference.value == pytest.approx(-0.1, abs=0.002)
    assert (raw.verdict, ours.verdict) == ("", BETTER)
    assert ours.documents is not None
    assert found.freedom == 3
    assert found.cpu_hours == pytest.approx(8 * 36 / 3600)
    assert found.tokens == {RAW: TOKENS, OURS: TOKENS}


def test_more_minimal_pairs_are_better() -> None:
    runs = {
        key: replace(run, figures={"blimp": 0.5 + (run.arm == OURS) * 0.1 + 0.001 * run.seed})
        for key, run in APART.runs.items()
    }
    records = replace(APART, runs=runs)

    found = outcome_table(STUDIES[0], records, KINDS, figure="blimp")

    assert found.lines[1].difference is not None
    assert found.lines[1].difference.value == pytest.approx(0.1)
    assert found.lines[1].verdict == BETTER
    text = markdown(records, FACTS, NONE)
    assert "| ours | 0.6025 +0.1000 (" in text
    assert "zhoblimp" in text
    assert "Minimal pairs" not in markdown(APART, FACTS, NONE)


def test_noise_alone_is_not_told_apart() -> None:
    noise = _records(
        *((RAW, seed, 2.6 + one) for seed, one in enumerate(NOISE, 1)),
        *((OURS, seed, 2.6 + one) for seed, one in enumerate(reversed(NOISE), 1)),
    )

    assert outcome_table(STUDIES[0], noise, KINDS).lines[1].verdict == NOT_TOLD_APART


NONE = Records(runs={}, documents={})
FACTS: dict[str, Any] = {
    "corpus": {"web": {"pages": 5, "text_bytes": 9_000_000}, "labelled": {"documents": 3, "text_bytes": 60}},
    "arms": {RAW: {"documents": 5, "text_bytes": 9_000_000, "tokens": 80, "packed_tokens": 75_008},
             OURS: {"documents": 4, "text_bytes": 4_000_000, "tokens": 40, "packed_tokens": 150_016}},
    "decisions": [{"arm": "without dedup", "more_documents": 1, "more_tokens": 9, "fewer_documents": 0,
                   "rows": 10, "shared_rows": 5, "cpu_seconds": 2.0, "cost_of": "stage dedup"}],
    "reasons": {"gopher:words": 1138, "language:unsure": 7},
    "evaluation": KINDS,
}  # fmt: skip


def test_the_page_says_what_the_records_say() -> None:
    text = markdown(APART, FACTS, NONE)

    assert "**better than raw: *ours*.** held-out bits per byte, 300,000 parameters" in text
    assert "8 of 8 runs" in text
    assert "Pairing runs of equal seeds is not seen to save variance" in text
    assert "| ours | 2.5000 | -0.1000 |" in text
    assert "| 4 | 2.00 |" in text, "passes over the arm's tokens"
    assert "| without dedup | 1 | 9 | 0 | 50% | 2.0 | stage dedup |" in text
    assert "`gopher:words` 1,138, `language:unsure` 7." in text
    assert "Not run yet" in text
    html = render(APART, FACTS, NONE)
    assert "better than raw: ours" in html
    assert "<script" in html
    assert "Not run yet" in markdown(NONE, {}, NONE)


def test_cost_and_smallest_effect_are_said_before_the_first_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "read_records", lambda path: APART)

    assert module.main(["plan", "pilot", "rules"]) == 0
    assert module.main(["table", "pilot"]) == 0

    shown = capsys.readouterr().out
    assert "pilot" in shown
    assert "deviations of a run" in shown
    assert "-0.1000" in shown


def test_the_published_page_is_that_of_the_records() -> None:
    from benchmarks.outcome.contamination import RECORD as DOSES_RECORD
    from benchmarks.outcome.page import PAGE
    from benchmarks.outcome.runs import RECORD, read_facts

    assert PAGE.read_text("utf-8") == markdown(
        read_records(RECORD), read_facts(), read_records(DOSES_RECORD)
    )
