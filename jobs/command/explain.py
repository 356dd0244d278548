"""`refinery explain FILE...`: what the clean stage makes of single files; `explain RUN URL...`: of a run's.

The same functions, settings and guarded child as the job, without Spark; one JSON line per document,
also for one that is rejected. Of a WARC, JSONL, Parquet or CSV file, `--record` or `--url` names the
document. With the folder of a run, addresses or ids follow: values, bounds, verdicts, edits, the pair
of a duplicate, contamination.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from jobs.command.explain_file import explain_file
from jobs.command.explain_run import explain_run
from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig
from refinery.datasets.runs import is_run
from refinery.publish import storage
from refinery.publish.fetched import input_path
from refinery.publish.runs import stages_of
from refinery.quality.classifier import ModelFiles, card_name, model_name
from refinery.quality.config import QUALITY
from refinery.quality.scorers import HeadModel, local_models
from refinery.recipe import RefineSettings, load_recipe
from refinery.sources.config import SourceConfig
from schemas.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("files", nargs="+", metavar="FILE",
                        help="HTML, text, WARC, JSONL, Parquet or CSV files; or a run's folder or URI, "
                        "followed by addresses or ids of documents")  # fmt: skip
    parser.add_argument("--record", type=int, metavar="N",
                        help="of a file of several documents: which one, from 0")  # fmt: skip
    parser.add_argument(
        "--json", action="store_true", help="of a run: JSON lines, also on a terminal"
    )
    parser.add_argument("--recipe", type=input_path, help="settings file; without it, the defaults")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="override one setting of the recipe, e.g. recipe.clean.normalize.emoji=keep",
    )  # fmt: skip
    parser.add_argument("--url",
                        help="address of the file, where rules on URLs shall see one; of a file of "
                        "several documents: which one")  # fmt: skip
    parser.add_argument("--charset", help="charset that the server declared")
    parser.add_argument("--html", metavar="OUT", help="also write a page with highlights")
    parser.add_argument(
        "--model",
        type=input_path,
        help="folder of quality.bin and its card; default: the recipe's run",
    )


def run(args: argparse.Namespace) -> int:
    """Explain each file on stdout, or documents of a run."""
    first, *others = args.files
    if not storage.is_file(first) and is_run(first):
        if not others:
            raise SettingsError(f"explain {first}: name an address or id of a document of this run")
        return explain_run(first, others, as_json=args.json or not sys.stdout.isatty())
    missing = [name for name in args.files if not storage.exists(name)]
    if missing:
        raise SettingsError(f"{missing[0]}: no such file, and no run")
    settings = _settings(args)
    config = settings.recipe.clean if settings else CleanConfig()
    given = settings.recipe.given_heads if settings else {}
    models = {**_models(args.model, settings), **local_models(given)}
    rows = []
    with Cleaner(config, models) as cleaner:
        for name in args.files:
            found = explain_file(
                cleaner, name, url=args.url, charset=args.charset, record=args.record,
                source=_source_of(settings, name),
            )  # fmt: skip
            print(json.dumps(found.row, ensure_ascii=False, sort_keys=False), flush=True)
            rows.append(found)
    if args.html:
        from jobs.command.explain_page import render_page

        storage.replace(args.html, render_page(rows, config.extract).encode())
        print(f"wrote {args.html}", file=sys.stderr)
    return 0


def _source_of(settings: RefineSettings | None, name: str) -> SourceConfig | None:
    """The recipe's source whose folder holds a file, or that is the file."""
    if settings is None:
        return None

    def inside(source: SourceConfig) -> bool:
        _, folder = storage.file_system(source.uri)
        _, path = storage.file_system(name)
        return path == folder or path.startswith(folder.rstrip("/") + "/")

    return next(filter(inside, settings.recipe.sources), None)


def _settings(args: argparse.Namespace) -> RefineSettings | None:
    if args.recipe is None:
        if args.overrides:
            raise SettingsError("--set changes a recipe; give one with --recipe")
        return None
    return load_recipe(args.recipe, tuple(args.overrides))


def _models(folder: Path | None, settings: RefineSettings | None) -> dict[str, HeadModel]:
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
    published = stages_of(settings.runtime.output, settings.runtime.tables)
    store, record = published.store, published.find("quality")
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
