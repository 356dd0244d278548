"""Write stickers and emoticons that were typed as text in words.

They are codes of platforms ([doge], /微笑), shortcodes (:smile:), emoticons (":)") and kaomoji. The
lists are our own (`codes.yaml`). A code becomes its meaning in the document's language: in brackets
in Chinese text, as plain words elsewhere.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import Literal

import emoji

from refinery.normalize.emoji_words import VS16, language_of, names, spaced
from refinery.normalize.gate import FACE_CHARS, CharGroup, Scan, is_pair
from schemas.settings import Settings
from schemas.yaml_files import read_list

_SHORTCODE = re.compile(r":[a-z][a-z0-9_+\-]+:(?![\w:/])")
_BRACKET = re.compile(r"\[([^\[\]\s]{1,8})\]")
_SLASH = re.compile("/([\u4e00-\u9fff]{1,4})(?![a-z/])")
_HAN = "\u3000-\u9fff\uff00-\uffef"


class _Face(Settings):
    """Typed forms of one face, and what it says."""

    zh: str
    en: str
    forms: tuple[str, ...]


class _Lists(Settings):
    """The shipped lists; codes have a Chinese and an English meaning."""

    codes: dict[str, tuple[str, str]]
    emoticons: tuple[_Face, ...]
    kaomoji: tuple[_Face, ...]


@functools.cache
def _lists() -> _Lists:
    return read_list("refinery.normalize", "codes.yaml", _Lists)


@functools.cache
def _bracket_codes() -> dict[str, tuple[str, str]]:
    """(Chinese, English) meaning by lower-case code."""
    return {code.lower(): meaning for code, meaning in _lists().codes.items()}


@functools.cache
def _forms(kind: Literal["emoticons", "kaomoji"]) -> dict[str, tuple[str, str]]:
    """(Chinese, English) meaning by form."""
    faces: tuple[_Face, ...] = getattr(_lists(), kind)
    return {form: (face.zh, face.en) for face in faces for form in face.forms}


@functools.cache
def _by_pair() -> dict[str, list[str]]:
    """Emoticons and kaomoji by a pair of characters in them, without those of rare characters."""
    forms: dict[str, list[str]] = {}
    for form in (*_forms("emoticons"), *_forms("kaomoji")):
        if not _is_rare(form):
            pair = next(filter(is_pair, map("".join, itertools.pairwise(form))))
            forms.setdefault(pair, []).append(form)
    return forms


@functools.cache
def _rare_forms() -> tuple[str, ...]:
    return tuple(form for form in _forms("kaomoji") if _is_rare(form))


def _is_rare(form: str) -> bool:
    return any(char in FACE_CHARS for char in form)


def _any_of(forms: list[str]) -> str:
    return "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))


def _typed(text: str, seen: Scan) -> re.Pattern[str] | None:
    """A pattern of the emoticons and kaomoji in the text; None for the usual text, which has none.

    Emoticons count only between blanks or Chinese characters; kaomoji are unlike anything else and
    count anywhere. The text is searched only for forms that hold a pair of characters, or a rare
    one, that the scan has seen.
    """
    by_pair = _by_pair()
    likely = [form for pair in seen.pairs if pair in by_pair for form in by_pair[pair]]
    if CharGroup.FACE in seen.groups:
        likely += _rare_forms()
    known = _forms("emoticons")
    forms = [form for form in likely if form in text]
    if not forms:
        return None
    emoticons = [form for form in forms if form in known]
    faces = [form for form in forms if form not in known]
    bounded = f"(?<![^\\s{_HAN}])(?:{_any_of(emoticons)})(?=[\\s{_HAN}]|$)"
    return re.compile(
        "|".join([*([_any_of(faces)] if faces else []), *([bounded] if emoticons else [])])
    )


@functools.cache
def _shortcodes() -> dict[str, str]:
    """Emoji by shortcode, aliases of the chat programs included."""
    sequences: dict[str, str] = {}
    for sequence, entry in emoji.EMOJI_DATA.items():
        for code in (entry["en"], *entry.get("alias", ())):
            sequences.setdefault(code, sequence.replace(VS16, ""))
    return sequences


class _Codes:
    """Replaces the codes of one text; the text's language is determined only if there are any."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.count = 0

    @functools.cached_property
    def language(self) -> str:
        return language_of(self._text)

    def say(self, match: re.Match[str], pair: tuple[str, str]) -> str:
        said = spaced(pair[0 if self.language == "zh" else 1], match, self.language)
        self.count += said != match[0]
        return said

    def bracket(self, match: re.Match[str]) -> str:
        pair = _bracket_codes().get(match[1].lower())
        return self.say(match, pair) if pair else match[0]

    def slash(self, match: re.Match[str]) -> str:
        """Replace the longest known name behind a slash; what follows it is text."""
        before = match.string[match.start() - 1 : match.start()]
        if before and (before.isalnum() or before in "/.:"):
            return match[0]
        for size in range(len(match[1]), 0, -1):
            if pair := _bracket_codes().get(match[1][:size]):
                return self.say(match, pair) + match[1][size:]
        return match[0]

    def shortcode(self, match: re.Match[str]) -> str:
        before = match.string[match.start() - 1 : match.start()]
        sequence = None if before and (before.isalnum() or before in "_:/") else match[0]
        name = names(self.language).get(_shortcodes().get(sequence or "") or "")
        return self.say(match, (name, name)) if name else match[0]

    def face(self, match: re.Match[str]) -> str:
        return self.say(match, _forms("emoticons").get(match[0]) or _forms("kaomoji")[match[0]])


def replace_codes(text: str, seen: Scan) -> tuple[str, int]:
    """The text with every known code replaced by its meaning, and their number.

    `seen` is the scan of the text.
    """
    codes, done = _Codes(text), text
    if "[" in done:
        done = _BRACKET.sub(codes.bracket, done)
    if "/" in done:
        done = _SLASH.sub(codes.slash, done)
    if done.count(":") > 1:
        done = _SHORTCODE.sub(codes.shortcode, done)
    if (pattern := _typed(done, seen)) is not None:
        done = pattern.sub(codes.face, done)
    return done, codes.count
