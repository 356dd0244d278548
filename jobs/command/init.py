"""`refinery init FOLDER`: a commented recipe from a folder's files; what it leaves out, it says."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from refinery.sources.folder_sources import FoundSource, find_sources
from refinery.sources.store_paths import AnyPath, StorePath, any_path
from refinery.sources.yaml_text import yaml_text
from schemas.errors import SettingsError

RECIPE = """\
# Written by `refinery init`; every setting that is left out has a safe default (docs/recipes.md).
recipe:
  name: {name}
  seed: 0
  # Of two documents that resemble each other, the one of the earlier source stays.
  sources:
{sources}
  # sample_fraction: 0.01        # a small run first: the same documents are in every larger one
  # exclude: {{domains: [example.com]}}
  clean:
    language:
      languages: null            # e.g. [en, zh]; null keeps all
  dedup:
    threshold: 0.8               # measured Jaccard similarity of five-word shingles
  # decontaminate:
  #   benchmarks:
  #     - {{name: gsm8k, path: gsm8k.jsonl, fields: [question, answer]}}
  vocabulary:
    size: 32768                  # or tokenizer: a folder with tokenizer.json
  # mixture:
  #   weights: {{{weights}}}
  #   budget_tokens: 1000000000
  packing:
    seq_len: 2048
runtime:
  output: runs/{name}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="a folder, or the URI of one on an object store")
    parser.add_argument("--out", type=Path, default=Path("recipe.yaml"))


def run(args: argparse.Namespace) -> int:
    """Write the recipe; an existing file is never overwritten."""
    folder = any_path(args.folder.rstrip("/") or "/")
    found = find_sources(folder)
    lines = "\n".join(_entry(source) for source in found.sources)
    weights = ", ".join(
        f"{yaml_text(source.name)}: {1 / len(found.sources):.2f}" for source in found.sources
    )
    name = re.sub(r"[^a-z0-9_-]+", "-", _name_of(folder).lower()).strip("-_")
    text = RECIPE.format(name=yaml_text(name or "dataset"), sources=lines, weights=weights)
    try:
        with args.out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileNotFoundError as error:
        raise SettingsError(f"--out {args.out}: there is no folder {args.out.parent}") from error
    except FileExistsError as error:
        raise SettingsError(f"{args.out} is there already; choose another with --out") from error
    for note in found.notes:
        print(f"note: {note}")
    sources = "1 source" if len(found.sources) == 1 else f"{len(found.sources)} sources"
    print(f"{args.out}: {sources}; next: refinery check {args.out}")
    return 0


def _name_of(folder: AnyPath) -> str:
    return folder.name if isinstance(folder, StorePath) else folder.absolute().name


def _entry(source: FoundSource) -> str:
    """One source of the recipe, and what is known of its files, as a comment."""
    keys = {"name": source.name, "uri": source.uri, "format": source.format}
    lines = [f"    # {source.comment}"]
    shown = ", ".join(f"{key}: {yaml_text(value)}" for key, value in keys.items())
    if source.pattern is not None:
        shown += f", pattern: {yaml_text(source.pattern)}"
    if source.fields:
        fields = ", ".join(f"{key}: {yaml_text(value)}" for key, value in source.fields.items())
        shown += f", fields: {{{fields}}}"
    if source.spark:
        shown += f", spark: {json.dumps(source.spark)}"
    return "\n".join([*lines, f"    - {{{shown}}}"])
