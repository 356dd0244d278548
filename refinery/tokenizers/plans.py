"""Which tokenizers compiled loops can stand for, by what their `tokenizer.json` says.

A definition is taken only where each of its parts is one that is known here: anything else changes ids in
ways that no loop here has.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tokenizers import Tokenizer, normalizers

from refinery.text.utf8 import Texts
from refinery.tokenizers.byte_level import ByteLevelModel
from refinery.tokenizers.characters import CharacterMap, joins_neighbours
from refinery.tokenizers.cutting import GPT2, PATTERNS
from refinery.tokenizers.encoded import Encoded
from refinery.tokenizers.normalizing import (
    BEGINS_AS_IS,
    BEGINS_WITH_MARK,
    BEGINS_WITH_ONE_MARK,
    MARK,
    SpaceRules,
    TextNormalizer,
)
from refinery.tokenizers.sentencepiece_bpe import CharacterBpeModel, byte_ids_of
from refinery.tokenizers.special_tokens import guarding_splits
from refinery.tokenizers.unigram import UnigramModel
from refinery.tokenizers.wordpiece import WordPieceModel


class Model(Protocol):
    """Ids of normalised texts."""

    def encode(self, texts: Texts) -> Encoded: ...


@dataclass(frozen=True)
class Plan:
    """How compiled loops encode.

    Attributes:
        normalizer: What is done to a text first.
        model: What makes ids of it.
        literals: A text with one of these is left to the library.
        is_byte_level: Whether each token spells its bytes of the text.
    """

    normalizer: TextNormalizer | None
    model: Model
    literals: tuple[bytes, ...]
    is_byte_level: bool = False


@dataclass(frozen=True)
class _SpaceSteps:
    """The pre-tokenizer of a SentencePiece model."""

    cuts_words: bool
    marks_blanks: bool
    beginning: int


def plan_of(definition: Mapping[str, Any], tokenizer: Tokenizer) -> Plan | None:
    """The plan for a tokenizer; None where the library has to encode all texts."""
    model = definition["model"]
    guards = guarding_splits(definition)
    steps = _steps(definition.get("pre_tokenizer"), "pretokenizers")
    rest = [step for step in steps if not _is_guard(step, guards)]
    found_first = [t["content"] for t in definition.get("added_tokens") or () if not t["special"]]
    # The library looks for some added tokens in the normalised text, after it normalised them, too.
    normalize = tokenizer.normalizer.normalize_str if tokenizer.normalizer else str
    literals = {*found_first, *map(normalize, found_first)}
    if len(steps) > len(rest):
        literals.update(guards.values())
    if "" in literals:
        return None
    listed = tuple(sorted(literal.encode() for literal in literals))
    match model.get("type"):
        case "BPE":
            return _byte_level(definition, rest, tokenizer, listed) or _character_bpe(
                definition, rest, tokenizer, listed
            )
        case "Unigram":
            return _unigram(definition, rest, tokenizer, listed)
        case "WordPiece" if rest == [{"type": "BertPreTokenizer"}] and len(steps) == 1:
            return _wordpiece(definition, tokenizer, listed)
    return None


def _steps(part: Mapping[str, Any] | None, name: str) -> list[Mapping[str, Any]]:
    if part is None:
        return []
    return list(part[name]) if part["type"] == "Sequence" else [part]


def _is_guard(step: Mapping[str, Any], guards: Mapping[str, str]) -> bool:
    if step["type"] != "Split" or step["behavior"] != "Isolated" or step["invert"]:
        return False
    return step["pattern"].get("Regex") in guards


def _has_plain_merges(model: Mapping[str, Any]) -> bool:
    """Whether nothing but merges makes the ids of a piece."""
    beyond = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")
    return not any(model.get(name) for name in beyond)


def _byte_level(
    definition: Mapping[str, Any], steps: list[Any], tokenizer: Tokenizer, literals: tuple[bytes, ...]
) -> Plan | None:  # fmt: skip
    model = definition["model"]
    if not _has_plain_merges(model) or model.get("unk_token") or model.get("byte_fallback"):
        return None
    match steps:
        case [{"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}]:
            pattern = GPT2
        case [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
        ] if pattern in PATTERNS:  # fmt: skip
            pass
        case _:
            return None
    normalizer = None
    if definition.get("normalizer"):
        if definition["normalizer"] != {"type": "NFC"}:
            return None
        normalize = tokenizer.normalizer.normalize_str
        normalizer = TextNormalizer(
            CharacterMap(normalize, joins_neighbours), SpaceRules(), normalize
        )
    byte_level = ByteLevelModel(model, PATTERNS[pattern])
    return Plan(normalizer, byte_level, literals, is_byte_level=True)


def _character_bpe(
    definition: Mapping[str, Any], steps: list[Any], tokenizer: Tokenizer, literals: tuple[bytes, ...]
) -> Plan | None:  # fmt: skip
    model = definition["model"]
    if not _has_plain_merges(model) or model.get("ignore_merges") or not model["byte_fallback"]:
        return None
    spaces = _space_steps(steps)
    if byte_ids_of(model["vocab"]) is None or spaces is None or spaces.cuts_words:
        return None
    normalizer = _sentencepiece_normalizer(definition, spaces, tokenizer)
    return Plan(normalizer, CharacterBpeModel(model), literals) if normalizer else None


def _unigram(
    definition: Mapping[str, Any], steps: list[Any], tokenizer: Tokenizer, literals: tuple[bytes, ...]
) -> Plan | None:  # fmt: skip
    model = definition["model"]
    if model.get("unk_id") is None:
        return None
    vocab = {piece: number for number, (piece, _) in enumerate(model["vocab"])}
    if model.get("byte_fallback") and byte_ids_of(vocab) is None:
        return None
    spaces = _space_steps(steps)
    if spaces is None:
        return None
    normalizer = _sentencepiece_normalizer(definition, spaces, tokenizer)
    if normalizer is None:
        return None
    return Plan(normalizer, UnigramModel(model, cuts_words=spaces.cuts_words), literals)


def _space_steps(steps: Sequence[Mapping[str, Any]]) -> _SpaceSteps | None:
    """What the pre-tokenizer of a SentencePiece model does with marks and blanks."""
    match steps:
        case []:
            return _SpaceSteps(cuts_words=False, marks_blanks=False, beginning=BEGINS_AS_IS)
        case [{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": cuts}]:  # fmt: skip
            beginning = BEGINS_AS_IS if scheme == "never" else BEGINS_WITH_ONE_MARK
            return _SpaceSteps(cuts_words=bool(cuts), marks_blanks=True, beginning=beginning)
    return None


def _sentencepiece_normalizer(
    definition: Mapping[str, Any], before_model: _SpaceSteps, tokenizer: Tokenizer
) -> TextNormalizer | None:
    """The normaliser with what the pre-tokenizer does; None where a step is not known, or in another order."""
    characters = CharacterMap.of_itself()
    rules: dict[str, Any] = {"beginning": before_model.beginning}
    last_order = 0
    for step in _steps(definition.get("normalizer"), "normalizers"):
        match step:
            case {"type": "Precompiled", "precompiled_charsmap": charsmap}:
                order = 1
                alone = normalizers.Precompiled(base64.b64decode(charsmap))
                characters = CharacterMap(alone.normalize_str, joins_neighbours)
            case {"type": "Strip", "strip_left": left, "strip_right": right}:
                order = 2
                rules |= {"strips_left": bool(left), "strips_right": bool(right)}
            case {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " " | "\u2581"}:
                order = 3
                rules["joins_blanks"] = True
            case {"type": "Prepend", "prepend": "\u2581"} if not before_model.marks_blanks:
                order = 4
                rules["beginning"] = BEGINS_WITH_MARK
            case {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}:
                order = 5
                rules["marks_blanks"] = True
            case _:
                return None
        if order <= last_order:
            return None
        last_order = order
    if not rules.get("marks_blanks") and not before_model.marks_blanks:
        return None
    rules["marks_blanks"] = True
    whole = tokenizer.normalizer.normalize_str if tokenizer.normalizer else str
    if before_model.marks_blanks:
        whole = _then_mark(whole, before_model.beginning)
    return TextNormalizer(characters, SpaceRules(**rules), whole)


def _then_mark(normalize: Callable[[str], str], beginning: int) -> Callable[[str], str]:
    """Normalise, and put marks as the pre-tokenizer does."""

    def run(text: str) -> str:
        marked = normalize(text).replace(" ", MARK)
        needs_mark = marked and beginning == BEGINS_WITH_ONE_MARK and not marked.startswith(MARK)
        return MARK + marked if needs_mark else marked

    return run


def _wordpiece(
    definition: Mapping[str, Any], tokenizer: Tokenizer, literals: tuple[bytes, ...]
) -> Plan | None:
    normalizer = definition.get("normalizer")
    if not normalizer or normalizer["type"] != "BertNormalizer":
        return None
    normalize = tokenizer.normalizer.normalize_str
    characters = CharacterMap(normalize, _stays_in_order)
    model = WordPieceModel(definition["model"])
    return Plan(TextNormalizer(characters, SpaceRules(), normalize), model, literals)


def _stays_in_order(character: str) -> bool:
    """Whether decomposing may move a character that is no accent: those with a class of their own."""
    category = unicodedata.category(character)
    return category == "Cn" or (category != "Mn" and unicodedata.combining(character) > 0)
