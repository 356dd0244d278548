"""Train a donor on the user's text: only clauses that hold the new characters are counted."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from refinery.tokenizers.folder import TokenizerFolder
from refinery.vocabulary.config import ExtendConfig, TrainConfig, TrainKind
from refinery.vocabulary.extend.donor import Donor, read_donor
from refinery.vocabulary.extend.scripts import new_characters
from refinery.vocabulary.extend.select_candidates import normalise
from refinery.vocabulary.train.counted_clauses import clause_hash, count_clauses
from refinery.vocabulary.train.train import MIN_CLAUSES, train_tokenizer
from schemas.errors import ContractError, SettingsError

# More ids are trained than wanted: those that the base has already, and those without a new
# character, are left out again.
SURPLUS = 1.35
MAX_SAMPLE_LINES = 10_000
HELD_OUT_OF = (
    20  # one of so many training lines is held out as the sample, where the user gives none
)
_KINDS: dict[str, TrainKind] = {
    "sentencepiece_bpe": "sentencepiece_bpe",
    "byte_level_bpe": "sentencepiece_bpe",
    "sentencepiece_unigram": "sentencepiece_unigram",
    "wordpiece": "wordpiece",
}


def refuse_small_size(config: ExtendConfig, base: TokenizerFolder, *, setting: str) -> None:
    """Refuse a number of ids that leaves no room for a new one.

    Args:
        setting: What people wrote the size as: a flag or a key of the recipe.

    Raises:
        SettingsError: The size does not exceed the base's.
    """
    if config.size is not None and config.size <= base.size:
        raise SettingsError(
            f"{setting} {config.size:,}: the base {base.name} has {base.size:,} ids; expected more"
        )


def choose_lines(lines: Iterable[str]) -> list[str]:
    """Distinct lines by hash, as many as the proofs read."""
    return sorted({line for line in lines if line.strip()}, key=_hash)[:MAX_SAMPLE_LINES]


def train_and_hold_out(
    lines: set[str], base: TokenizerFolder, config: ExtendConfig
) -> tuple[Donor, list[str]]:
    """A donor trained on most lines, and the lines by hash that it did not see.

    Raises:
        ContractError: Too little text of the new scripts to train on.
    """
    held = {line for line in lines if _hash(line)[0] * HELD_OUT_OF < 256}
    return donor_from_texts(sorted(lines - held), base, config), choose_lines(held)


def _hash(line: str) -> bytes:
    return hashlib.sha256(line.encode()).digest()


def donor_from_texts(lines: Sequence[str], base: TokenizerFolder, config: ExtendConfig) -> Donor:
    """Train on lines; the order of the lines does not matter.

    Raises:
        ContractError: No text of the new scripts, or too little for a single token.
    """
    new = new_characters(config.scripts, config.characters)
    wanted = (config.size or base.size + 10_000) - base.size
    kind = _KINDS[base.kind]
    counted = count_clauses(
        (normalise(line, base) for line in lines), TrainConfig(max_clauses=2_000_000)
    )
    clauses = [(clause, count) for clause, count in counted if new.held_by(clause)]
    if len(clauses) < MIN_CLAUSES:
        raise ContractError(
            f"vocabulary: {len(clauses)} distinct clauses of {', '.join(config.scripts)} in "
            f"{len(lines):,} lines; expected {MIN_CLAUSES} or more"
        )
    characters = {character for clause, _ in clauses for character in clause}
    # SentencePiece trains no fewer ids than there are characters; those beyond `size` leave again.
    size = max(int(wanted * SURPLUS) + len(characters - new.characters), len(characters) + 100)
    settings = TrainConfig(
        kind=kind,
        size=max(300, size),
        sentinels=0,
        character_coverage=1,
        byte_fallback=False,
        split_digits=kind != "wordpiece",  # BERT keeps a number whole
    )
    clauses.sort(key=lambda pair: clause_hash(pair[0]))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "donor"
        train_tokenizer(clauses, settings, folder)
        donor = read_donor(folder, base)
    if base.kind != "byte_level_bpe":
        # Single characters come first: one that is left out costs [UNK] or three bytes.
        ordered = sorted(donor.candidates, key=lambda candidate: len(candidate.text.strip()) > 1)
        donor = replace(donor, candidates=tuple(ordered))
    return donor
