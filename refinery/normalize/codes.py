"""Write stickers and emoticons that were typed as text in words, where the text is talk.

They are codes of platforms ([doge], /微笑), shortcodes (:smile:), emoticons (":)") and kaomoji. The
lists are our own (`codes.yaml`). A code becomes its meaning in the block's language: in brackets in
Chinese text, as plain words elsewhere. The same signs are indices, slices, field lists, references
and smileys' cousins in code and mathematics: `refinery/normalize/talk.py` tells where those are, and
what stands around a code must fit, too.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import Literal

import emoji

from refinery.normalize.emoji_words import VS16, names, spaced
from refinery.normalize.gate import FACE_CHARS, CharGroup, Scan, is_pair
from refinery.normalize.talk import Block, may_change, split_blocks
from schemas.settings import Settings
from schemas.yaml_files import read_list

_HAN = "\u3000-\u9fff\uff00-\uffef"
_SHORTCODE = re.compile(
    rf"(?<![^\s{_HAN}!?.,~)*:])(?<!::):([a-z][a-z0-9_+\-]+):(?![\w:/`\"'<({{\[=|])"
)
# Behind a letter, digit, bracket or quote stands an index, a reference or a link.
_BRACKET = re.compile(r"(?<![A-Za-z0-9_)}\"'`.\\/\-])\[([^\[\]\s]{1,8})\](?![(:：=\w]*[(:：=])")
_SLASH = re.compile("(?<![\\w/.:])/([\u4e00-\u9fff]{1,4})(?![\\w]*[a-z/])")
# The same without what stands around them: these begin with a sign that is found fast.
_SHORTCODE_LIKE = re.compile(r":(?=([a-z][a-z0-9_+\-]+:))")
_BRACKET_LIKE = re.compile(r"\[([^\[\]\s]{1,8})\]")
_SLASH_LIKE = re.compile("/[\u4e00-\u9fff]")
_ENDS_SENTENCE = '。！？!?.,，~～…"'
# Names of emoji that are names of fields and roles first: at a line's start they are no emoji.
_FIELDS = frozenset(
    [
        "a",
        "b",
        "m",
        "o",
        "v",
        "x",
        "id",
        "ok",
        "on",
        "up",
        "new",
        "end",
        "key",
        "date",
        "link",
        "label",
        "email",
        "phone",
        "telephone",
        "book",
        "books",
        "bookmark",
        "calendar",
        "computer",
        "family",
        "man",
        "woman",
        "person",
        "memo",
        "notebook",
        "notes",
        "star",
        "back",
        "top",
        "free",
        "name",
    ]
)
_NEVER = frozenset(("copyright", "registered", "tm"))


class _Face(Settings):
    """Typed forms of one face, and what it says; `forms` have other meanings, `common` hardly ever."""

    zh: str
    en: str
    forms: tuple[str, ...]
    common: tuple[str, ...] = ()


class _Lists(Settings):
    """The shipped lists; codes of Chinese platforms have a Chinese meaning."""

    codes: dict[str, str]
    emoticons: tuple[_Face, ...]
    kaomoji: tuple[_Face, ...]


@functools.cache
def _lists() -> _Lists:
    return read_list("refinery.normalize", "codes.yaml", _Lists)


@functools.cache
def _codes() -> dict[str, str]:
    """Chinese meaning by lower-case code."""
    return {code.lower(): meaning for code, meaning in _lists().codes.items()}


@functools.cache
def _forms(kind: Literal["emoticons", "kaomoji"]) -> dict[str, tuple[str, str]]:
    """(Chinese, English) meaning by form."""
    faces: tuple[_Face, ...] = getattr(_lists(), kind)
    return {form: (face.zh, face.en) for face in faces for form in (*face.common, *face.forms)}


@functools.cache
def _common_forms() -> frozenset[str]:
    return frozenset(form for face in _lists().emoticons for form in face.common)


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

    Emoticons count only between blanks, Chinese characters or ends of sentences, kaomoji anywhere
    but behind a letter or digit. The text is searched only for forms that hold a pair of characters, or a rare one, that
    the scan has seen.
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
    patterns = []
    if faces:
        patterns.append(f"(?<![A-Za-z0-9_])(?:{_any_of(faces)})")
    if emoticons:
        patterns.append(f'(?<![^\\s{_HAN}.!?,~])(?:{_any_of(emoticons)})(?=[\\s{_HAN}.!?,~"]|$)')
    return re.compile("|".join(patterns))


@functools.cache
def _shortcodes() -> dict[str, str]:
    """Emoji by shortcode, aliases of the chat programs included."""
    sequences: dict[str, str] = {}
    for sequence, entry in emoji.EMOJI_DATA.items():
        for code in (entry["en"], *entry.get("alias", ())):
            sequences.setdefault(code, sequence.replace(VS16, ""))
    return sequences


class _Codes:
    """Replaces the codes of one block; its language is determined only if there are any."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self.count = 0

    @functools.cached_property
    def language(self) -> str:
        return self._block.language

    def say(self, match: re.Match[str], pair: tuple[str, str]) -> str:
        said = spaced(pair[0 if self.language == "zh" else 1], match, self.language)
        self.count += said != match[0]
        return said

    def bracket(self, match: re.Match[str]) -> str:
        """A sticker of a Chinese platform; short and Latin ones may be labels outside of talk."""
        code = match[1].lower()
        meaning = _codes().get(code)
        if meaning is None or self.language != "zh":
            return match[0]
        if not self._block.is_talk and (len(code) == 1 or (code.isascii() and code != "doge")):
            return match[0]
        return self.say(match, (meaning, meaning))

    def slash(self, match: re.Match[str]) -> str:
        """Replace the longest known name behind a slash; what follows it is text."""
        name = match[1]
        at_end = len(name) > 1 and not _line_around(match)[1].strip()
        if self.language != "zh" or not (self._block.is_talk or at_end):
            return match[0]
        for size in range(len(name), 0, -1):
            meaning = _codes().get(name[:size])
            # One character and more behind it is the beginning of another word.
            if meaning and (size > 1 or len(name) == 1):
                return self.say(match, (meaning, meaning)) + name[size:]
        return match[0]

    def shortcode(self, match: re.Match[str]) -> str:
        code = match[1]
        name = names(self.language).get(_shortcodes().get(match[0]) or "")
        if not name or code in _NEVER:
            return match[0]
        before, after = _line_around(match)
        if not before.strip(" *-"):
            fits = self._block.is_talk and code not in _FIELDS
        else:
            # Ordinary words need talk around them; 😂 as :joy: says enough.
            fits = self._block.is_talk or not after.strip() or code not in _FIELDS
        return self.say(match, (name, name)) if fits else match[0]

    def face(self, match: re.Match[str]) -> str:
        kaomoji = _forms("kaomoji").get(match[0])
        if kaomoji is None and not self._is_face(match):
            return match[0]
        return self.say(match, kaomoji or _forms("emoticons")[match[0]])

    def _is_face(self, match: re.Match[str]) -> bool:
        """Whether what stands around an emoticon is talk: it comments on words before it."""
        before, after = _line_around(match)
        before, after = before.rstrip(), after.lstrip()
        if _closes_bracket(match[0], before):
            return False
        if not before:
            return not after and self._block.is_talk
        at_end = not after or after[0] in _ENDS_SENTENCE
        if match[0] not in _common_forms():
            return self._block.is_talk and at_end
        if self._block.is_talk:
            return True
        return at_end and (before[-1].isalpha() or before[-1] in _ENDS_SENTENCE)


def _line_around(match: re.Match[str]) -> tuple[str, str]:
    """The line before and behind a match."""
    text = match.string
    start = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    return text[start : match.start()], text[match.end() : end if end >= 0 else len(text)]


def _closes_bracket(form: str, before: str) -> bool:
    """Whether a form that ends in a bracket closes one that was opened before it on the line."""
    opening = {")": "(", "]": "["}.get(form[-1])
    return opening is not None and before.count(opening) > before.count(form[-1])


def replace_codes(text: str, seen: Scan) -> tuple[str, int]:
    """The text with every known code in talk replaced by its meaning, and their number.

    `seen` is the scan of the text.
    """
    typed = _typed(text, seen)
    if typed is None and not _may_hold_code(text):
        return text, 0
    if not may_change(text, typed, functools.partial(_holds_code, typed)):
        return text, 0
    done, count = [], 0
    for block in split_blocks(text, typed):
        if block.is_code:
            done.append(block.text)
            continue
        codes, part = _Codes(block), block.text
        part = _BRACKET.sub(codes.bracket, part)
        part = _SLASH.sub(codes.slash, part)
        part = _SHORTCODE.sub(codes.shortcode, part)
        if typed is not None:
            part = typed.sub(codes.face, part)
        done.append(part)
        count += codes.count
    return ("".join(done), count) if count else (text, 0)


def _holds_code(typed: re.Pattern[str] | None, part: str) -> bool:
    """Whether a block holds what has the form of a code."""
    return bool(
        (_BRACKET_LIKE.search(part) and _BRACKET.search(part))
        or (_SLASH_LIKE.search(part) and _SLASH.search(part))
        or (_SHORTCODE_LIKE.search(part) and _SHORTCODE.search(part))
        or (typed is not None and typed.search(part))
    )


def _may_hold_code(text: str) -> bool:
    """Whether any known code stands anywhere; most texts end here, before they are split."""
    codes, known = _codes(), _shortcodes()
    if any(match[1].lower() in codes for match in _BRACKET_LIKE.finditer(text)) and any(
        match[1].lower() in codes for match in _BRACKET.finditer(text)
    ):
        return True
    if _SLASH_LIKE.search(text) and _SLASH.search(text):
        return True
    return any(f":{match[1]}" in known for match in _SHORTCODE_LIKE.finditer(text)) and any(
        match[0] in known for match in _SHORTCODE.finditer(text)
    )
