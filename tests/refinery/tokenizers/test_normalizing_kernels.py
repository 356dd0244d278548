"""Normalised texts against the library's normalisers, and the kernel on broken bytes."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from tokenizers import Regex, normalizers, pre_tokenizers

from refinery.text.utf8 import Texts
from refinery.tokenizers.characters import (
    ITSELF,
    JOINS,
    NOT_ASKED,
    CharacterMap,
    joins_neighbours,
)
from refinery.tokenizers.normalizing import (
    BEGINS_AS_IS,
    BEGINS_WITH_MARK,
    BEGINS_WITH_ONE_MARK,
    MARK,
    SpaceRules,
    TextNormalizer,
    normalize,
)

# Spaces that NFKC makes blanks and others, a control character that is no space, a mark, characters that
# become others (one of them eighteen), and some that compose.
ALPHABET = (
    *"   aB\u3000\u00a0\u2028\x85\x1c\n今\u2581ﬁ\u00a8\ufdfa",
    "e\u0301",
    "\u1100\u1161",
    "e",
)


def _texts(seed: int) -> list[str]:
    source = random.Random(seed)
    texts = ["".join(source.choices(ALPHABET, k=source.randrange(12))) for _ in range(40)]
    return [*texts, "", " ", "   ", " a ", MARK, f" {MARK}"]


def _library(rules: SpaceRules) -> normalizers.Normalizer:
    steps: list[normalizers.Normalizer] = [normalizers.NFKC()]
    if rules.strips_left or rules.strips_right:
        steps.append(normalizers.Strip(rules.strips_left, rules.strips_right))
    if rules.joins_blanks:
        steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    if rules.beginning == BEGINS_WITH_MARK:
        steps.append(normalizers.Prepend(MARK))
    if rules.marks_blanks:
        steps.append(normalizers.Replace(" ", MARK))
    return normalizers.Sequence(steps)


@pytest.mark.parametrize("beginning", [BEGINS_AS_IS, BEGINS_WITH_MARK])
def test_texts_are_normalized_as_by_the_library(beginning: int) -> None:
    characters = CharacterMap(normalizers.NFKC().normalize_str, joins_neighbours)
    for seed, flags in enumerate(itertools.product((False, True), repeat=4)):
        rules = SpaceRules(*flags, beginning)
        library, texts = _library(rules), _texts(seed)

        found = TextNormalizer(characters, rules, library.normalize_str).apply(Texts.of(texts))

        assert list(found.strings()) == [library.normalize_str(text) for text in texts], rules


def test_the_spaces_that_are_stripped_are_those_of_the_library() -> None:
    library = normalizers.Strip()
    rules = SpaceRules(strips_left=True, strips_right=True)
    codes = [*range(0x3100), 0xFEFF, 0x1F600]
    texts = [f"{chr(code)}a{chr(code)}" for code in codes]

    found = TextNormalizer(CharacterMap.of_itself(), rules, str).apply(Texts.of(texts))

    assert list(found.strings()) == [library.normalize_str(text) for text in texts]


def test_a_mark_is_put_before_texts_without_one_as_by_the_pre_tokenizer() -> None:
    library = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    rules = SpaceRules(marks_blanks=True, beginning=BEGINS_WITH_ONE_MARK)
    texts = _texts(1)

    found = TextNormalizer(CharacterMap.of_itself(), rules, str).apply(Texts.of(texts))

    expected = ["".join(piece for piece, _ in library.pre_tokenize_str(text)) for text in texts]
    assert list(found.strings()) == expected


def test_only_texts_whose_characters_join_are_given_to_the_library_whole() -> None:
    asked: list[str] = []

    def whole(text: str) -> str:
        asked.append(text)
        return text.upper()

    characters = CharacterMap(str.lower, joins_neighbours)

    found = TextNormalizer(characters, SpaceRules(), whole).apply(
        Texts.of(["Ab", "e\u0301", "", "Ö"])
    )

    assert list(found.strings()) == ["ab", "E\u0301", "", "ö"]
    assert asked == ["e\u0301"]


def test_a_text_may_become_many_times_as_long() -> None:
    library = normalizers.NFKC()
    characters = CharacterMap(library.normalize_str, joins_neighbours)
    texts = Texts.of(["\ufdfa" * 200, "a"])

    found = TextNormalizer(characters, SpaceRules(), library.normalize_str).apply(texts)

    assert list(found.strings()) == [library.normalize_str("\ufdfa") * 200, "a"]


def test_states_say_which_texts_were_written() -> None:
    characters = CharacterMap(str, joins_neighbours)
    characters.learn("a\u0301")
    states = np.full(4, 99, np.int32)

    data, bounds = normalize(
        *Texts.of(["a", "a今", "a\u0301", "aa"]), characters.arrays(), SpaceRules(), states
    )

    assert states.tolist() == [ITSELF, NOT_ASKED, JOINS, ITSELF]
    assert list(Texts(data, bounds).strings()) == ["a", "", "", "aa"]


@pytest.mark.parametrize("seed", range(3))
def test_broken_bytes_are_written_within_their_bounds(seed: int) -> None:
    source = np.random.default_rng(seed)
    data = source.choice(np.array([0, 32, 97, 0x80, 0xC3, 0xE4, 0xF4, 0xFF], np.uint8), 200)
    bounds = np.array([0, 1, 1, 120, 199, 200], np.int64)
    states = np.zeros(5, np.int32)

    out, out_bounds = normalize(
        data, bounds, CharacterMap.of_itself().arrays(), SpaceRules(), states
    )

    assert states.tolist() == [ITSELF] * 5
    assert out.tolist() == data.tolist()
    assert out_bounds.tolist() == bounds.tolist()
