"""The arms: datasets of one raw corpus, refined by nobody, by datatrove, by us, and by us without single decisions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.corpora.packed_text import write_dataset
from benchmarks.corpora.web_and_manuals import (
    BOOKS,
    HISTORY,
    LABELLED,
    MANUALS,
    WEB,
    read_evaluation,
)
from benchmarks.outcome.commonness import write_commonness
from benchmarks.record import ROOT
from jobs.spark.java import find_java
from schemas.fingerprints import sha256_hex
from schemas.manifest import read_manifest

RAW, DATATROVE, OURS, ALL_TEXT = "raw", "datatrove", "ours", "ours, all text"
COMMONNESS = "ours, weighted by commonness"
VOCABULARY, SENTINELS, SEQ_LEN = 4096, 100, 256
SHARD_TOKENS = 200_000
# Documents of each evaluation text that every run is measured on: some 250,000 tokens together.
EVALUATED = {LABELLED: 150, BOOKS: 75, HISTORY: 75}
EVALUATED_CHARS = 3000
# Decisions of ours that are judged one by one and in groups: names of `refinery ablate --without`.
WITHOUT = (
    "dedup", "language", "rules", "rules.gopher", "rules.repetition", "rules.fineweb", "rules.symbols",
    "rules+language", "rules+language+dedup",
)  # fmt: skip
# More copies than this no document gets for being rare.
MOST_COPIES = 4.0
# Softer choices beside the removal of duplicates: names and settings of `refinery ablate --arm`.
SOFT = {
    "rehydrated": ("mixture.rehydrate={factors: {1: 1, 2: 2, 3: 3, 10: 1}}",),
}


@dataclass(frozen=True, kw_only=True)
class Work:
    """Where the arms lie.

    Attributes:
        corpus: Folder that `benchmarks.corpora.web_and_manuals` wrote.
        folder: Of runs, datasets and studies.
    """

    corpus: Path
    folder: Path

    @property
    def tokenizer(self) -> Path:
        """Trained on the raw text, so that it favours no way of refining."""
        return self.folder / "raw" / "dataset" / "tokenizer"

    @property
    def commonness(self) -> Path:
        """Weights of the documents of `without dedup`."""
        return self.folder / "commonness.parquet"

    @property
    def evaluation(self) -> Path:
        """Dataset whose held-out split judges all arms."""
        return self.folder / "evaluation"

    def manifest(self, arm: str) -> Path:
        """The dataset of an arm."""
        if arm in (RAW, DATATROVE, ALL_TEXT, COMMONNESS):
            return self.folder / _slug(arm) / "dataset"
        folder = "base" if arm == OURS else arm.replace(" ", "-")
        return self.folder / "ours" / "ablation" / "arms" / folder / "dataset"


def _slug(arm: str) -> str:
    return arm.replace(", ", "-").replace(" ", "-")


def recipes(work: Work) -> dict[str, dict[str, Any]]:
    """The recipes of the arms that read pages, by arm; the raw one trains the tokenizer of all."""
    everything = {
        "clean": {
            "extract": {"engine": "plain"},
            "language": {"min_score": None},
            "rules": {"enabled": False},
        },
        "dedup": {"mode": "mark"},
    }
    shared = {"vocabulary": {"tokenizer": str(work.tokenizer)}}
    weight = {"score": "rarity", "high": MOST_COPIES, "at_one": MOST_COPIES}
    soft = {
        "dedup": {"mode": "mark"},
        "heads": {"rarity": {"table": str(work.commonness), "column": "weight"}},
        "mixture": {"weight_by": weight},
    }
    kept = {"sources": [_source("kept", work.folder / "datatrove-texts" / "kept", "jsonl")]}
    return {
        RAW: _recipe(work, RAW, everything, vocabulary={"size": VOCABULARY, "sentinels": SENTINELS}),
        OURS: _recipe(work, OURS, shared),
        ALL_TEXT: _recipe(work, ALL_TEXT, shared, clean={"extract": {"engine": "plain"}}),
        COMMONNESS: _recipe(work, COMMONNESS, shared, **soft),
        DATATROVE: _recipe(work, DATATROVE, everything, **shared, **kept),
    }  # fmt: skip


def _recipe(work: Work, arm: str, parts: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    sources = [_source(name, work.corpus / name, "warc") for name in (WEB, MANUALS)]
    return {
        "recipe": {
            "name": _slug(arm),
            "seed": 1,
            "sources": sources,
            "split": {"heldout_fraction": 0.005},  # judged elsewhere
            "packing": {"seq_len": SEQ_LEN, "shard_tokens": SHARD_TOKENS},
            **parts,
            **more,
        },
        "runtime": {"output": str(work.folder / _slug(arm)), "partitions": 4},
    }


def _source(name: str, folder: Path, form: str) -> dict[str, str]:
    return {"name": name, "uri": str(folder), "format": form}


def build_arms(work: Work, *, peer: Path | None) -> None:
    """Make what is not there yet, the arms of the race first; without a peer, the arm of datatrove stays out.

    Raises:
        subprocess.CalledProcessError: A run failed; its own message was printed.
    """
    work.folder.mkdir(parents=True, exist_ok=True)
    _refine(work, RAW)
    write_evaluation(work)
    _refine(work, OURS)
    if peer is not None:
        _run_peer(work, peer)
        _refine(work, DATATROVE)
    arguments = [part for name in WITHOUT for part in ("--without", name)]
    for name, settings in SOFT.items():
        arguments += ["--arm", name, *settings]
    _refinery("ablate", str(work.folder / f"{OURS}.json"), *arguments)
    _refine(work, ALL_TEXT)
    write_commonness(work.manifest("without dedup"), work.commonness)
    _refine(work, COMMONNESS)


def _refine(work: Work, arm: str) -> None:
    path = work.folder / f"{_slug(arm)}.json"
    path.write_text(json.dumps(recipes(work)[arm], indent=1))
    _refinery("refine", str(path))


def write_evaluation(work: Work) -> None:
    """Pack the evaluation texts; the training split, which a dataset must have, is two of them and is never read."""
    texts = [text for _, text in evaluation_texts(work)]
    write_dataset(
        work.evaluation, name="evaluation", train=texts[:2], heldout=texts, tokenizer=work.tokenizer,
        seq_len=SEQ_LEN,
    )  # fmt: skip


def evaluation_texts(work: Work) -> list[tuple[str, str]]:
    """(kind, text) of what every run is measured on: the first of each kind, each up to some characters."""
    taken: dict[str, int] = {}
    found = []
    for kind, text in read_evaluation(work.corpus):
        taken[kind] = taken.get(kind, 0) + 1
        if taken[kind] <= EVALUATED[kind]:
            found.append((kind, text[:EVALUATED_CHARS]))
    return found


def arm_facts(work: Work) -> dict[str, Any]:
    """The corpus, the evaluation documents, and what each arm holds and costs, without a path."""
    arms = {}
    for arm in (
        RAW,
        DATATROVE,
        OURS,
        ALL_TEXT,
        COMMONNESS,
        *(f"without {name}" for name in WITHOUT),
        *SOFT,
    ):
        folder = work.manifest(arm)
        if not (folder / "manifest.json").is_file():
            continue
        train = read_manifest(folder).train
        arms[arm] = {
            "documents": sum(source.documents for source in train.sources.values()),
            "tokens": sum(source.tokens for source in train.sources.values()),
            "text_bytes": sum(source.text_bytes for source in train.sources.values()),
            "packed_tokens": train.account.packed,
            "root": read_manifest(folder).root,
        }
    ablation = work.folder / "ours" / "ablation" / "ablation.json"
    made = json.loads(ablation.read_text("utf-8"))["arms"] if ablation.is_file() else []
    decisions = [{k: v for k, v in one.items() if k not in ("manifest", "root")} for one in made]
    peer = work.folder / "datatrove-texts" / "done.json"
    report = work.folder / OURS / "report" / "report.json"
    reasons = json.loads(report.read_text("utf-8"))["drop_reasons"] if report.is_file() else {}
    kinds = {
        sha256_hex(text.encode())[:32]: {"kind": kind, "bytes": len(text.encode())}
        for kind, text in evaluation_texts(work)
    }  # as `write_dataset` names documents
    return {
        "corpus": json.loads((work.corpus / "counts.json").read_text("utf-8")),
        "arms": arms,
        "decisions": decisions,
        "reasons": dict(sorted(reasons.items(), key=lambda one: (-one[1], one[0]))),
        "datatrove": json.loads(peer.read_text("utf-8")) if peer.is_file() else None,
        "evaluation": kinds,
    }


def _refinery(*arguments: str) -> None:
    environment = {**os.environ, "JAVA_HOME": str(find_java().home)}
    subprocess.run(
        [sys.executable, "-m", "jobs.command.main", *arguments],
        check=True,
        env=environment,
        cwd=ROOT,
    )


def _run_peer(work: Work, peer: Path) -> None:
    """datatrove over each source, in its own environment; its tokens are not used."""
    done = work.folder / "datatrove-texts" / "done.json"
    if done.is_file():
        return
    answers = {}
    for name in (WEB, MANUALS):
        out = work.folder / "datatrove-texts" / name
        answer = subprocess.run(
            [str(peer), "-m", "benchmarks.races.pipeline_datatrove", str(work.corpus / name), str(out),
             str(work.tokenizer / "tokenizer.json"), "--workers", "2"],
            check=True, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
        answers[name] = json.loads(answer.stdout.splitlines()[-1])
    target = work.folder / "datatrove-texts" / "kept"
    target.mkdir(parents=True, exist_ok=True)
    for name in (WEB, MANUALS):
        for file in sorted((work.folder / "datatrove-texts" / name / "kept").glob("*.jsonl.gz")):
            (target / f"{name}-{file.name}").write_bytes(file.read_bytes())
    done.write_text(json.dumps(answers, indent=1))
