"""`refinery explain FILE...`: what the clean stage makes of single files, without Spark.

The same functions, settings and guarded child as the job; one JSON line per file, also for a file
that is rejected or cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.clean.pages import CleanDocument, Payload, Rejected
from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.quality.classifier import ModelFiles, card_name, local_models, model_name
from refinery.quality.config import QUALITY
from refinery.recipe import RefineSettings, load_recipe
from refinery.sources.record import document_id, short_message, to_valid_text
from refinery.text.edits import apply_edits
from schemas.errors import SettingsError

HTML_ENDINGS = (".html", ".htm", ".xhtml", ".shtml")
UNREADABLE = "file:unreadable"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="HTML or text files")
    parser.add_argument("--recipe", type=Path, help="settings file; without it, the defaults")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override one setting of the recipe, e.g. recipe.clean.normalize.emoji=keep",
    )  # fmt: skip
    parser.add_argument("--url", help="address of the file, where rules on URLs shall see one")
    parser.add_argument("--charset", help="charset that the server declared")
    parser.add_argument(
        "--html", type=Path, metavar="OUT", help="also write a page with highlights"
    )
    parser.add_argument(
        "--model", type=Path, help="folder of quality.bin and its card; default: the recipe's run"
    )


def run(args: argparse.Namespace) -> int:
    """Explain each file on stdout."""
    settings = _settings(args)
    config = settings.recipe.clean if settings else CleanConfig()
    models = _models(args.model, settings)
    rows = []
    with Cleaner(config, models) as cleaner:
        for path in args.files:
            found = explain_file(cleaner, path, url=args.url, charset=args.charset)
            print(json.dumps(found.row, ensure_ascii=False, sort_keys=False), flush=True)
            rows.append(found)
    if args.html:
        from jobs.command.explain_page import render_page

        storage.replace(str(args.html), render_page(rows).encode())
        print(f"wrote {args.html}", file=sys.stderr)
    return 0


class MadeEdit(TypedDict):
    """An edit of the text, in code points before all edits."""

    start: int
    end: int
    replacement: str
    reason: str


class Verdict(TypedDict):
    """What cleaning says about one file; `message` is for rejected ones."""

    title: str | None
    extracted_text: str | None
    text: str | None
    lang: str | None
    lang_score: float | None
    scores: dict[str, float]
    domain: str | None
    values: dict[str, float]
    counters: dict[str, int]
    edits: list[MadeEdit]
    reasons: list[str]
    drop_reason: str | None
    rejected: bool
    message: str | None


class ExplainedRow(Verdict):
    """One line of the answer."""

    path: str
    doc_id: str | None


@dataclass(frozen=True)
class Explained:
    """The JSON row of a file, and the document behind it where there is one."""

    row: ExplainedRow
    payload: bytes
    document: CleanDocument | None


def _settings(args: argparse.Namespace) -> RefineSettings | None:
    if args.recipe is None:
        if args.overrides:
            raise SettingsError("--set changes a recipe; give one with --recipe")
        return None
    return load_recipe(args.recipe, tuple(args.overrides))


def _models(folder: Path | None, settings: RefineSettings | None) -> dict[str, ModelFiles]:
    """The classifiers of a folder, or the newest ones that a run of the recipe published."""
    heads = list(settings.recipe.trained_heads) if settings is not None else []
    if folder is not None:
        files = {h: (folder / model_name(h), folder / card_name(h)) for h in heads or [QUALITY]}
        for path in (path for pair in files.values() for path in pair):
            if not path.is_file():
                raise SettingsError(f"--model {folder}: no file '{path.name}' there")
        return {head: ModelFiles(str(model), str(card)) for head, (model, card) in files.items()}
    if settings is None or not heads:
        return {}
    store = Store(storage.join_uri(settings.runtime.output, "tables"))
    record = _newest_record(store, "quality")
    if record is None:
        print("note: the recipe trains a classifier that no run has published; no score",
              file=sys.stderr)  # fmt: skip
        return {}
    return local_models(
        {
            head: ModelFiles(
                store.artefact_uri(record, model_name(head)),
                store.artefact_uri(record, card_name(head)),
            )
            for head in heads
        }
    )


def explain_file(
    cleaner: Cleaner, path: Path, *, url: str | None = None, charset: str | None = None
) -> Explained:
    """Clean one file as the job would."""
    name = str(path)
    try:
        payload = path.read_bytes()
    except OSError as error:
        verdict = _rejected(UNREADABLE, short_message(error))
        return Explained({"path": name, "doc_id": None, **verdict}, b"", None)
    doc_id = document_id(url, payload)
    mime = "text/html" if path.suffix.lower() in HTML_ENDINGS else "text/plain"
    result = next(iter(cleaner.clean([Payload(payload, mime, charset, url, doc_id)])))
    if isinstance(result, Rejected):
        verdict = _rejected(result.reason, result.message)
        return Explained({"path": name, "doc_id": doc_id, **verdict}, payload, None)
    return Explained({"path": name, "doc_id": doc_id, **_cleaned(result)}, payload, result)


def _rejected(reason: str, message: str) -> Verdict:
    return {
        "title": None, "extracted_text": None, "text": None, "lang": None, "lang_score": None,
        "scores": {}, "domain": None, "values": {}, "counters": {}, "edits": [],
        "reasons": [reason], "drop_reason": reason, "rejected": True,
        "message": to_valid_text(message),
    }  # fmt: skip


def _cleaned(document: CleanDocument) -> Verdict:
    page = document.page
    return {
        "title": page.title,
        "extracted_text": page.extracted_text,
        "text": apply_edits(page.text, [marked.edit for marked in document.edits]),
        "lang": document.lang,
        "lang_score": round(document.lang_score, 6),
        "scores": document.scores,
        "domain": document.domain,
        "values": {name: round(value, 6) for name, value in document.values.items()},
        "counters": page.counters,
        "edits": [
            {
                "start": marked.edit.start,
                "end": marked.edit.end,
                "replacement": marked.edit.replacement,
                "reason": marked.reason,
            }
            for marked in document.edits
        ],
        "reasons": document.reasons,
        "drop_reason": document.drop_reason,
        "rejected": False,
        "message": None,
    }


def _newest_record(store: Store, stage: str) -> StageRecord | None:
    """The record that was published last for a stage, or None."""
    system, folder = storage.file_system(storage.join_uri(store.root, stage))
    names = [Path(str(path)).stem for path in system.glob(f"{folder}/*.json")]
    records = [found for found in (store.record(stage, name) for name in names) if found]
    return max(records, key=lambda record: record.started_at, default=None)
