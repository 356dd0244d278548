"""`refinery init FOLDER`: a commented recipe from a folder's files."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

from schemas.errors import SettingsError

ENDINGS = {
    ".warc": "warc", ".warc.gz": "warc", ".html": "html", ".htm": "html", ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl", ".jsonl.zst": "jsonl", ".txt": "text", ".md": "text",
}  # fmt: skip

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
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("recipe.yaml"))


def _find_sources(folder: Path) -> dict[str, tuple[Path, str]]:
    """Sources by name: each direct subfolder, or the folder itself, by its commonest format.

    Raises:
        SettingsError: No file has a known ending; lists what was found.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder}: no such folder")
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    sources = {}
    for path in [*inner, folder]:
        files = path.rglob("*") if path in inner else path.glob("*")
        kinds = Counter(kind for file in files if file.is_file() and (kind := _kind(file.name)))
        if kinds:
            name = re.sub(r"[^a-z0-9_-]+", "-", path.name.lower()).strip("-_") or "documents"
            sources[name] = (path, min(kinds, key=lambda kind: (-kinds[kind], kind)))
    if not sources:
        found = Counter("".join(file.suffixes[-2:]) for file in folder.rglob("*") if file.is_file())
        raise SettingsError(
            f"{folder}: no file of {sorted(ENDINGS)}; found {dict(found.most_common(5))}"
        )
    return sources


def _kind(name: str) -> str | None:
    lower = name.lower()
    return next((kind for ending, kind in ENDINGS.items() if lower.endswith(ending)), None)


def run(args: argparse.Namespace) -> int:
    """Write the recipe; an existing file is never overwritten."""
    sources = _find_sources(args.folder)
    lines = "\n".join(
        f"    - {{name: {name}, uri: {path}, format: {kind}}}"
        for name, (path, kind) in sources.items()
    )
    weights = ", ".join(f"{name}: {1 / len(sources):.2f}" for name in sources)
    name = (
        re.sub(r"[^a-z0-9_-]+", "-", args.folder.absolute().name.lower()).strip("-_") or "dataset"
    )
    try:
        with args.out.open("x", encoding="utf-8") as file:
            file.write(RECIPE.format(name=name, sources=lines, weights=weights))
    except FileNotFoundError as error:
        raise SettingsError(f"--out {args.out}: there is no folder {args.out.parent}") from error
    except FileExistsError as error:
        raise SettingsError(f"{args.out} is there already; choose another with --out") from error
    print(f"{args.out}: {len(sources)} sources; next: refinery refine --recipe {args.out}")
    return 0
