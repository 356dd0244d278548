"""A donor trained on fresh text: only clauses that hold the new characters are counted."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from refinery.vocabulary.clauses import clause_hash, count_clauses
from refinery.vocabulary.config import ExtendConfig, TrainConfig, TrainKind
from refinery.vocabulary.donors import Donor, read_donor
from refinery.vocabulary.folder import TokenizerFolder
from refinery.vocabulary.scripts import NewCharacters, new_characters
from refinery.vocabulary.select import normalise
from refinery.vocabulary.training import MIN_CLAUSES, train_tokenizer
from schemas.errors import ContractError

# Pieces that the base has already, and those without a new character, leave the donor again.
SURPLUS = 1.35
_KINDS: dict[str, TrainKind] = {
    "sentencepiece_bpe": "sentencepiece_bpe",
    "byte_level_bpe": "sentencepiece_bpe",
    "sentencepiece_unigram": "sentencepiece_unigram",
    "wordpiece": "wordpiece",
}


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
    settings = TrainConfig(
        kind=kind,
        size=max(300, int(wanted * SURPLUS) + _num_known(clauses, base, new)),
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
        # A character left out costs [UNK] or three bytes, so characters come first.
        ordered = sorted(donor.candidates, key=lambda candidate: len(candidate.text.strip()) > 1)
        donor = replace(donor, candidates=tuple(ordered))
    return donor


def _num_known(
    clauses: Sequence[tuple[str, int]], base: TokenizerFolder, new: NewCharacters
) -> int:
    """Characters of the text that a trainer must take beside the wanted pieces."""
    return len({character for clause, _ in clauses for character in clause} - new.characters)
