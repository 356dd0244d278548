"""`refinery vocabulary extend`."""

from __future__ import annotations

import argparse
from collections import Counter

from rich.console import Console
from rich.table import Table

from jobs.command.texts import read_lines
from refinery.tokenizers.folder import read_tokenizer
from refinery.vocabulary.config import ExtendConfig
from refinery.vocabulary.extend.donor import read_donor
from refinery.vocabulary.extend.donor_from_text import (
    choose_lines,
    refuse_small_size,
    train_and_hold_out,
)
from refinery.vocabulary.extend.publish import Texts, publish_extension, refuse_unknown_proofs
from schemas.errors import ContractError, SettingsError
from schemas.terminal import open_console
from schemas.vocabulary import ExtendedVocabulary


def extend_folder(args: argparse.Namespace, config: ExtendConfig) -> int:
    """Extend, prove, write, and print what came out."""
    console = open_console(highlight=False)
    if args.out.exists():
        raise SettingsError(f"--out {args.out}: exists already")
    refuse_unknown_proofs(config)
    base = read_tokenizer(args.base)
    refuse_small_size(config, base, setting="--size")
    sample = choose_lines(read_lines(args.sample, args.field))
    with console.status("reading the donor" if args.donor else "training on the texts"):
        if args.donor:
            donor = read_donor(args.donor, base)
        else:
            lines = set(read_lines(args.train, args.field))
            if not lines:
                raise ContractError(f"--train {', '.join(map(str, args.train))}: no text")
            donor, held_out = train_and_hold_out(lines, base, config)
            sample = sample or held_out
    texts = Texts(new=sample, base=choose_lines(read_lines(args.base_sample, args.field)))
    with console.status("appending and proving"):
        vocabulary = publish_extension(
            base, donor, config, texts=texts, out=args.out, tell=console.log
        )
    print_summary(vocabulary, console)
    console.print(f"{args.out}: {vocabulary.size:,} ids")
    return 0


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
