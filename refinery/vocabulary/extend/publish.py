"""Extend, prove, and publish the folder: whole and proven, or not at all."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import regex

from refinery.tokenizers.fertility import measure_fertility
from refinery.tokenizers.folder import TokenizerFolder, write_folder
from refinery.vocabulary.config import ExtendConfig
from refinery.vocabulary.extend.append import Extension, count_ids, extend
from refinery.vocabulary.extend.donor import Donor
from refinery.vocabulary.extend.proof_texts import (
    any_unicode,
    donor_lines,
    other_scripts,
    own_pieces,
)
from refinery.vocabulary.extend.proofs import PROOF_NAMES, Case, Samples, prove
from refinery.vocabulary.extend.scripts import NewCharacters, new_characters
from schemas.errors import QualityGateError, SettingsError
from schemas.settings import nearest
from schemas.vocabulary import (
    BaseTokenizer,
    ExtendedVocabulary,
    NewToken,
    Proof,
    write_vocabulary,
)

RANDOM_LINES = 2000
# What taking a donor whole breaks by itself: pieces that no merge reaches, or that the base splits. What it
# does to text of the base is refused all the same.
BROKEN_BY_EXACT = ("reachable", "boundaries", "libraries")
PSEUDO_LINES = 10_000
_NEVER_TRAINED = regex.compile(
    r"<extra_id_\d+>|\[unused\d+\]|<unused_?\d+>|<\|reserved_special_token_\d+\|>|madeupword\d+"
)


@dataclass(frozen=True)
class Texts:
    """The user's lines: of the new language (proofs and fertility) and of the base's."""

    new: Sequence[str] = ()
    base: Sequence[str] = ()


def refuse_unknown_proofs(config: ExtendConfig) -> None:
    """Judge the names of proofs that may fail, which costs nothing, before anything is trained.

    Raises:
        SettingsError: `allow` names no proof.
    """
    for name in config.allow:
        if name not in PROOF_NAMES:
            raise SettingsError(f"--allow {name}: no such proof{nearest(name, set(PROOF_NAMES))}")


def publish_extension(
    base: TokenizerFolder,
    donor: Donor,
    config: ExtendConfig,
    *,
    texts: Texts,
    out: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> ExtendedVocabulary:
    """Write the extended folder `out` after every proof holds.

    Raises:
        SettingsError: `out` exists, or `allow` names no proof.
        QualityGateError: A proof fails that is not allowed; nothing is written.
    """
    if out.exists():
        raise SettingsError(f"--out {out}: exists already")
    refuse_unknown_proofs(config)
    if config.min_gain is not None and not texts.new:
        raise SettingsError(
            "min_gain needs a sample of the new language to count on; give --sample"
        )
    new = new_characters(config.scripts, config.characters)
    tell(
        f"new characters: {len(new.characters):,} ({', '.join(config.scripts)} {config.characters})"
    )
    extension = extend(base, donor.candidates, new=new, config=config, sample=texts.new)
    tell(f"appended {len(extension.tokens):,} tokens behind {base.size:,}; proving")
    case = Case(base, extension, new, _samples(base, extension, new, texts))
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            raw = None if base.model is None else base.model.raw
            write_folder(base.definition, base=base, model_bytes=raw, folder=Path(scratch))
            write_folder(
                extension.definition, base=base, model_bytes=extension.model_bytes, folder=aside
            )
            allow = (*config.allow, *(BROKEN_BY_EXACT if config.exact else ()))
            proofs = prove(case, base_folder=Path(scratch), folder=aside, allow=allow)
        vocabulary = describe(case, donor, config, proofs=proofs, texts=texts)
        _refuse_failures(proofs)
        write_vocabulary(vocabulary, aside)
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return vocabulary


def _samples(
    base: TokenizerFolder, extension: Extension, new: NewCharacters, texts: Texts
) -> Samples:
    own = [token.text for token in extension.tokens if "\ufffd" not in token.text]
    return Samples(
        base=texts.base or own_pieces(base, new, lines=PSEUDO_LINES),
        new=texts.new or donor_lines(own, lines=RANDOM_LINES),
        other=other_scripts(new, lines=RANDOM_LINES),
        random=any_unicode(new, lines=RANDOM_LINES),
    )


def _refuse_failures(proofs: Sequence[Proof]) -> None:
    failed = [proof for proof in proofs if not proof.holds and not proof.allowed]
    if failed:
        lines = [
            f"{p.name}: {p.failures:,} of {p.checked:,} fail ({p.detail}): {'; '.join(p.examples)}"
            for p in failed
        ]
        raise QualityGateError(
            "the extension changes what it must not; nothing was written\n  "
            + "\n  ".join(lines)
            + f"\n  to accept by name: {' '.join(f'--allow {p.name}' for p in failed)}"
        )


def describe(
    case: Case, donor: Donor, config: ExtendConfig, *, proofs: Sequence[Proof], texts: Texts
) -> ExtendedVocabulary:
    """The contents of `vocabulary.json`: tokens, proofs, settings, counts and fertility."""
    base, extension = case.base, case.extension
    frequencies = count_ids(extension.definition, texts.new) if texts.new else Counter[int]()
    tokens = tuple(
        NewToken(
            id=base.size + index,
            text=token.text,
            piece=token.piece,
            origin=token.origin,
            base_ids=tuple(entry.id for entry in base.tokenizer.model.tokenize(_bare(token.piece))),
            frequency=frequencies.get(base.size + index, 0),
            score=token.score,
        )
        for index, token in enumerate(extension.tokens)
    )
    refused = Counter(donor.refused) + Counter(extension.refused)
    support = sum(token.origin == "support" for token in tokens)
    return ExtendedVocabulary(
        kind=base.kind,
        base=BaseTokenizer(name=base.name, size=base.size, fingerprint=base.fingerprint),
        size=base.size + len(tokens),
        unk_id=base.unk_id,
        never_mean=tuple(sorted(n for t, n in base.vocab.items() if _NEVER_TRAINED.fullmatch(t))),
        tokens=tokens,
        proofs=tuple(proofs),
        settings={
            **config.model_dump(mode="json"),
            "donor": donor.name,
            "donor_kind": donor.kind,
            "donor_fingerprint": donor.fingerprint,
        },
        counts={"new": len(tokens) - support, "support": support},
        refused=dict(refused),
        fertility=_fertility(case, texts),
    )


def _bare(piece: str) -> str:
    return piece.removeprefix("##")


def _fertility(case: Case, texts: Texts) -> dict[str, dict[str, dict[str, float]]]:
    named = {"new_language": texts.new, "base_language": texts.base}
    pairs = {"base": case.base.tokenizer, "extended": case.tokenizer}
    return {
        language: {
            name: measure_fertility(tokenizer, lines, unk_id=case.base.unk_id)
            for name, tokenizer in pairs.items()
        }
        for language, lines in named.items()
        if lines
    }
