"""`refinery vocabulary train`: a byte-level BPE from text files, as the recipe's stage makes it.

The bytes of the result depend on the set of texts alone, not on their order or on threads.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from refinery.vocabulary.bpe import train_bpe, write_tokenizer
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.identity import identify_tokenizer
from schemas.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    train = actions.add_parser("train", help="train a byte-level BPE")
    train.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".txt, .jsonl, also .gz")
    train.add_argument("--out", type=Path, required=True, help="folder of the tokenizer")
    train.add_argument("--size", type=int, default=16_384, help="ids, control tokens included")
    train.add_argument("--sentinels", type=int, default=100)
    train.add_argument("--max-bytes", type=int, default=50_000_000, help="of text, by hash of it")
    train.add_argument("--field", default="text", help="field of JSONL lines")


def run(args: argparse.Namespace) -> int:
    """Train, write aside, rename."""
    config = VocabularyConfig(size=args.size, sentinels=args.sentinels, train_bytes=args.max_bytes)
    if args.out.exists():
        raise SettingsError(f"--out {args.out}: exists already")
    texts = sample_texts(read_texts(args.files, args.field), config.train_bytes)
    if not texts:
        raise SettingsError(f"no text in {', '.join(map(str, args.files))}")
    aside = args.out.with_name(f".{args.out.name}.{uuid.uuid4().hex}")
    try:
        write_tokenizer(train_bpe(texts, config), aside, config.sentinels)
        identity = identify_tokenizer(aside, relative_path=args.out.name)
        aside.rename(args.out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if identity.vocab_size < args.size:
        print(f"warning: the text gives {identity.vocab_size:,} ids, {args.size:,} were asked for")
    print(f"{args.out}: {identity.vocab_size:,} ids, sha256 {identity.sha256}")
    return 0


def read_texts(files: list[Path], field: str) -> Iterator[str]:
    """The texts of JSONL lines, and text files whole.

    Raises:
        SettingsError: A file that cannot be read, or a line without that field.
    """
    for path in files:
        opener = gzip.open if path.suffix == ".gz" else open
        try:
            with opener(path, "rt", encoding="utf-8") as stream:
                if ".jsonl" not in path.suffixes:
                    yield stream.read()
                    continue
                for number, line in enumerate(stream, 1):
                    yield _field(line, field, f"{path}:{number}")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}: cannot be read: {error}") from error


def _field(line: str, field: str, where: str) -> str:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{where}: not JSON: {error}") from error
    value = record.get(field) if isinstance(record, dict) else None
    if not isinstance(value, str):
        raise SettingsError(f"{where}: no text in field '{field}'")
    return value


def sample_texts(texts: Iterator[str], max_bytes: int) -> list[str]:
    """Distinct texts in the order of their hashes, up to the byte budget."""
    by_hash = {hashlib.sha256(text.encode()).digest(): text for text in texts if text}
    chosen, size = [], 0
    for key in sorted(by_hash):
        if size >= max_bytes:
            break
        chosen.append(by_hash[key])
        size += len(by_hash[key].encode())
    return chosen
