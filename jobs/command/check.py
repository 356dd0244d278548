"""`refinery check RECIPE`: every mistake that can be found before a run, and a look into each source."""

from __future__ import annotations

import argparse

from jobs.pipeline.arguments import add_recipe_arguments, read_settings
from refinery.preflight.checks import check_settings
from refinery.preflight.first_documents import FirstDocument, check_first_document, table_note
from refinery.preflight.runs import find_runs
from refinery.sources.binary_files import needs_spark
from refinery.sources.config import SourceConfig
from refinery.sources.listing import is_empty

SHOWN_CHARS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Refuse what cannot work; print the first document of each source."""
    settings = read_settings(args)
    check_settings(settings)
    for source in settings.recipe.sources:
        if source.format == "run":
            print("\n".join(_run_lines(source)))
            continue
        if (note := table_note(source)) is not None:
            print(f"note: source {source.name}: {note}")
        if settings.recipe.new_files_only and not needs_spark(source) and is_empty(source):
            print(f"{source.name}: nothing at {source.uri} yet")
            continue
        found = check_first_document(source)
        if found is None:
            print(f"{source.name}: {source.uri} is read by Spark's connectors; nothing was opened")
        else:
            print("\n".join(_lines(found, source.format)))
    if settings.recipe.dedup.keep_index and settings.recipe.vocabulary.tokenizer is None:
        print(
            "note: each run trains a vocabulary of its own; name vocabulary.tokenizer, e.g. the "
            "dataset/tokenizer of the first run, where their datasets belong together"
        )
    print(f"{args.recipe or args.recipe_option}: no mistake found")
    return 0


def _run_lines(source: SourceConfig) -> list[str]:
    """The runs of a source with what they kept, and what a pattern passes over."""
    found = find_runs(source)
    count = sum(texts.num_documents for texts in found.texts.values())
    runs = "1 run" if len(found.texts) == 1 else f"{len(found.texts):,} runs"
    lines = [f"{source.name}: {runs}, {count:,} kept documents: {', '.join(sorted(found.texts))}"]
    if found.unfinished:
        lines.append(f"  passed over, since they kept nothing: {', '.join(found.unfinished)}")
    return lines


def _lines(found: FirstDocument, declared: str) -> list[str]:
    """What one source holds, for people."""
    files = "1 file" if found.num_files == 1 else f"{found.num_files:,} files"
    lines = [f"{found.source}: {files}, format {declared}; opened {found.file}"]
    if found.fields is not None:
        lines.append(f"  fields: {', '.join(found.fields.names) or 'none'}")
    document = found.document
    if document is None:
        return [*lines, "  no document among its first records"]
    if document.url:
        lines.append(f"  url: {document.url}")
    text = document.payload[: 4 * SHOWN_CHARS].decode(document.charset or "utf-8", "replace")
    text = text.rstrip("\ufffd")  # the cut end of a character
    shown = " ".join(text.split())[:SHOWN_CHARS]
    return [*lines, f"  first document, {len(document.payload):,} bytes: {shown}"]
