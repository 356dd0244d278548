"""`refinery vocabulary extend`."""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from jobs.command.texts import read_lines
from refinery.vocabulary.config import ExtendConfig
from refinery.vocabulary.donors import Donor, read_donor
from refinery.vocabulary.folder import TokenizerFolder, read_tokenizer
from refinery.vocabulary.from_text import donor_from_texts
from refinery.vocabulary.publish import Texts, publish_extension
from schemas.errors import ContractError, SettingsError
from schemas.vocabulary import ExtendedVocabulary

MAX_SAMPLE_LINES = 10_000
HELD_OUT_OF = 20  # of the training lines, one in so many is the sample where none is given


def extend_folder(args: argparse.Namespace, config: ExtendConfig) -> int:
    """Extend, prove, write, and print what came out."""
    console = Console(highlight=False)
    if args.out.exists():
        raise SettingsError(f"--out {args.out}: exists already")
    base = read_tokenizer(args.base)
    if config.size is not None and config.size <= base.size:
        raise SettingsError(
            f"--size {config.size:,}: the base {base.name} has {base.size:,} ids; expected more"
        )
    sample = choose_lines(read_lines(args.sample, args.field))
    with console.status("reading the donor" if args.donor else "training on the texts"):
        if args.donor:
            donor = read_donor(args.donor, base)
        else:
            donor, held_out = _train_donor(args, config, base)
            sample = sample or held_out
    texts = Texts(new=sample, base=choose_lines(read_lines(args.base_sample, args.field)))
    with console.status("appending and proving"):
        vocabulary = publish_extension(
            base, donor, config, texts=texts, out=args.out, tell=console.log
        )
    print_summary(vocabulary, console)
    console.print(f"{args.out}: {vocabulary.size:,} ids")
    return 0


def _train_donor(
    args: argparse.Namespace, config: ExtendConfig, base: TokenizerFolder
) -> tuple[Donor, list[str]]:
    lines = set(read_lines(args.train, args.field))
    if not lines:
        raise ContractError(f"--train {', '.join(map(str, args.train))}: no text")
    held = {line for line in lines if _hash(line)[0] * HELD_OUT_OF < 256}
    donor = donor_from_texts(sorted(lines - held), base, config)
    return donor, choose_lines(held)


def choose_lines(lines: Iterable[str]) -> list[str]:
    """Distinct lines by hash, as many as the proofs read."""
    return sorted({line for line in lines if line.strip()}, key=_hash)[:MAX_SAMPLE_LINES]


def _hash(line: str) -> bytes:
    return hashlib.sha256(line.encode()).digest()


def print_summary(vocabulary: ExtendedVocabulary, console: Console) -> None:
    """Proofs, refusals, fertility, and the new tokens met most often."""
    proofs = Table("proof", "holds", "checked", "failures", "what", title="proofs")
    for proof in vocabulary.proofs:
        word = "yes" if proof.holds else "allowed" if proof.allowed else "NO"
        proofs.add_row(proof.name, word, f"{proof.checked:,}", f"{proof.failures:,}", proof.detail)
    console.print(proofs)
    if vocabulary.fertility:
        console.print(_fertility(vocabulary))
    reasons = sorted(vocabulary.refused.items(), key=lambda item: -item[1])
    for reason, count in reasons:
        if count:
            console.print(f"left out: {count:>7,}  {reason}")
    counts = Counter(token.origin for token in vocabulary.tokens)
    console.print(f"new tokens {counts['new']:,}, support tokens {counts['support']:,}")
    frequent = sorted(vocabulary.tokens, key=lambda token: (-token.frequency, token.id))[:12]
    if vocabulary.tokens and frequent[0].frequency:
        shown = "  ".join(f"{token.text!r} {token.frequency:,}" for token in frequent)
        console.print(f"most frequent: {shown}", markup=False)


def _fertility(vocabulary: ExtendedVocabulary) -> Table:
    keys = ("tokens_per_character", "tokens_per_word", "bytes_per_token", "unknown_fraction")
    table = Table("text", "tokenizer", *(key.replace("_", " ") for key in keys), title="fertility")
    for language, pair in vocabulary.fertility.items():
        for name, values in pair.items():
            table.add_row(language, name, *(f"{values[key]:.4f}" for key in keys))
    return table
