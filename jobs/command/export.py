"""`refinery export RUN --out FILE`: the kept documents for other programs.

As text with their origin (JSONL or Parquet, by the name's ending; a folder for the Hugging Face Hub), or as
token ids (Megatron's `.bin` and `.idx`, numpy's `.npy`). Small tables are streamed in this process; text
above a size is written by Spark, as a folder of parts.
"""

from __future__ import annotations

import argparse
import os
import uuid
from pathlib import Path

from jobs.command.export_with_spark import export_with_spark, refuse_existing
from jobs.pipeline.arguments import NamedRun, add_run_arguments, named_run
from refinery.datasets.kept_texts import KeptTexts, find_kept_texts
from refinery.datasets.publish import TOKENIZER_FOLDER, dataset_uri
from refinery.export.rows import export_rows
from refinery.export.text_files import (
    COMPRESSIONS,
    TEXT_ENDINGS,
    write_hub_folder,
    write_text,
)
from refinery.export.token_files import SPLITS, documents, write_megatron, write_npy
from refinery.publish import storage
from refinery.publish.fetched import output_path
from refinery.publish.runs import stages_of
from schemas.errors import ContractError, SettingsError

SPARK_ABOVE_BYTES = 4_000_000_000
FORMATS = ("text", "huggingface", "megatron", "npy")
TOKEN_WRITERS = {"megatron": write_megatron, "npy": write_npy}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument(
        "--out",
        required=True,
        help=f"a file that ends in {', '.join(TEXT_ENDINGS)}; a new folder where the format has several "
        "files, or where Spark writes",
    )
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="what to write (default %(default)s)"
    )
    parser.add_argument(
        "--compression",
        choices=COMPRESSIONS,
        default="zstd",
        help="of Parquet (default %(default)s)",
    )
    parser.add_argument(
        "--end-id", type=int, metavar="ID", help="token id behind each document (megatron, npy)"
    )
    parser.add_argument(
        "--spark-above",
        type=int,
        metavar="BYTES",
        default=SPARK_ABOVE_BYTES,
        help="size of the `cleaned` table from which Spark does it (default %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Export what the newest finished tokenising kept."""
    if args.format == "text" and not args.out.endswith(TEXT_ENDINGS):
        raise SettingsError(f"--out {args.out}: expected a name that ends in {_or(TEXT_ENDINGS)}")
    if args.end_id is not None and args.format not in TOKEN_WRITERS:
        raise SettingsError(f"--end-id: only for {_or(tuple(TOKEN_WRITERS))}, not {args.format}")
    named = named_run(args)
    published = stages_of(named.runtime.output, named.runtime.tables)
    kept = find_kept_texts(published)
    with output_path(args.out) as out:
        if args.format in TOKEN_WRITERS:
            count = _export_tokens(args, out, kept, named)
        elif args.format == "text" and kept.text_bytes > args.spark_above:
            count = export_with_spark(named.runtime, out, kept, args.compression)
        else:
            count = _export_text(args, out, kept, named.name)
    if count != kept.num_documents:
        raise ContractError(
            f"{args.out}: {count} documents written, {kept.num_documents} were kept"
        )
    print(f"{args.out}: {count:,} documents")
    return 0


def _or(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _export_text(args: argparse.Namespace, out: Path, kept: KeptTexts, name: str) -> int:
    """Stream into a file or folder beside the target, then rename."""
    batches = export_rows(
        cleaned_uri=kept.cleaned,
        tokens_uri=kept.tokens,
        edit_uris=list(kept.edits),
        fetches_uri=kept.fetches,
    )
    if args.format == "huggingface":
        refuse_existing(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    # The ending stays: it says the compression.
    aside = out.with_name(f".{uuid.uuid4().hex}.{out.name}")
    try:
        with storage.disk_full_as_error(str(out)):
            if args.format == "huggingface":
                count = write_hub_folder(aside, batches, name=name, compression=args.compression)
            else:
                count = write_text(aside, batches, args.compression)
        os.replace(aside, out)
    finally:
        if aside.is_file():
            aside.unlink()
    return count


def _export_tokens(args: argparse.Namespace, out: Path, kept: KeptTexts, run: NamedRun) -> int:
    """A folder with a file, or a pair of them, for each split."""
    from refinery.tokenizers.identity import load_tokenizer

    refuse_existing(out)
    uri = storage.join_uri(dataset_uri(run.runtime.output), TOKENIZER_FOLDER)
    if not storage.exists(uri):
        raise SettingsError(f"{uri}: no tokenizer there; ids are exported from a finished run")
    vocab_size = load_tokenizer(storage.local_copy(uri)).get_vocab_size(with_added_tokens=True)
    out.mkdir(parents=True)
    count = 0
    for split in SPLITS:
        ids = documents(kept.tokens, split, end_id=args.end_id, vocab_size=vocab_size)
        with storage.disk_full_as_error(str(out)):
            count += TOKEN_WRITERS[args.format](out / split, ids, vocab_size)
    return count
