"""Write stickers and emoticons that were typed as text in words, where the text is talk.

They are codes of platforms ([doge], /微笑), shortcodes (:smile:), emoticons (":)") and kaomoji. The
lists are our own (`codes.yaml`). A code becomes its meaning in the block's language: in brackets in
Chinese text, as plain words elsewhere. The same signs are indices, slices, field lists, references
and smileys' cousins in code and mathematics: `refinery/normalize/talk.py` tells where those are, and
what stands around a code must fit, too.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections.abc import Iterable
from typing import Literal

import emoji

from refinery.normalize.emoji_words import VS16, names, spaced
from refinery.normalize.gate import FACE_CHARS, CharGroup, Scan, is_pair
from refinery.normalize.talk import Block, is_code, is_code_as_a_whole, split_runs
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
def _by_pair() -> dict[str, list[tuple[str, int]]]:
    """Emoticons and kaomoji by a pair of characters in them, and where it stands there; without those of rare characters."""
    forms: dict[str, list[tuple[str, int]]] = {}
    for form in (*_forms("emoticons"), *_forms("kaomoji")):
        if not _is_rare(form):
            pairs = map("".join, itertools.pairwise(form))
            at, pair = next((at, pair) for at, pair in enumerate(pairs) if is_pair(pair))
            forms.setdefault(pair, []).append((form, at))
    return forms


@functools.cache
def _rare_forms() -> tuple[str, ...]:
    return tuple(form for form in _forms("kaomoji") if _is_rare(form))


def _is_rare(form: str) -> bool:
    return any(char in FACE_CHARS for char in form)


def _any_of(forms: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(forms, key=lambda form: (-len(form), form))))


def _typed(text: str, seen: Scan) -> tuple[re.Pattern[str] | None, list[int]]:
    """A pattern of the emoticons and kaomoji in a text, and where it matches; None for the usual text, which has none.

    Emoticons count only between blanks, Chinese characters or ends of sentences, kaomoji anywhere
    but behind a letter or digit. `seen` is the scan of the text.
    """
    by_pair, forms, starts = _by_pair(), set[str](), set[int]()
    for offset in seen.pairs:
        for form, at in by_pair.get(text[offset : offset + 2], ()):
            if at <= offset and text.startswith(form, offset - at):
                forms.add(form)
                starts.add(offset - at)
    for form in _rare_forms() if CharGroup.FACE in seen.groups else ():
        start = text.find(form)
        while start >= 0:
            forms.add(form)
            starts.add(start)
            start = text.find(form, start + 1)
    if not forms:
        return None, []
    known = _forms("emoticons")
    patterns = []
    if faces := forms - known.keys():
        patterns.append(f"(?<![A-Za-z0-9_])(?:{_any_of(faces)})")
    if emoticons := forms & known.keys():
        patterns.append(f'(?<![^\\s{_HAN}.!?,~])(?:{_any_of(emoticons)})(?=[\\s{_HAN}.!?,~"]|$)')
    pattern = re.compile("|".join(patterns))
    return pattern, [start for start in starts if pattern.match(text, start)]


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

    @property
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

    `seen` is the scan of the text. Most texts that hold what looks like a code hold it in code alone, or none that says
    something there: only blocks with a known code are judged, and only if one changes, the text as a whole.
    """
    typed, faces = _typed(text, seen)
    known = [*faces, *_known_codes(text)]
    if not known:
        return text, 0
    runs = split_runs(text)
    starts = [run.start for run in runs]
    parts = [run.text for run in runs]
    count = 0
    for index in sorted({bisect.bisect_right(starts, offset) - 1 for offset in known}):
        if not is_code(runs[index], typed):
            parts[index], num_changed = _replace_in(Block(parts[index]), typed)
            count += num_changed
    if not count or is_code_as_a_whole(runs, typed):
        return text, 0
    return "".join(parts), count


def _replace_in(block: Block, typed: re.Pattern[str] | None) -> tuple[str, int]:
    codes = _Codes(block)
    text = _BRACKET.sub(codes.bracket, block.text)
    text = _SLASH.sub(codes.slash, text)
    text = _SHORTCODE.sub(codes.shortcode, text)
    if typed is not None:
        text = typed.sub(codes.face, text)
    return text, codes.count


def _known_codes(text: str) -> list[int]:
    """Offsets of what has the form of a code that is known; no code goes over the end of a line."""
    codes, emoji_codes = _codes(), _shortcodes()
    found = [
        like.start()
        for like in _BRACKET_LIKE.finditer(text)
        if like[1].lower() in codes and _BRACKET.match(text, like.start())
    ]
    found += [
        like.start() for like in _SLASH_LIKE.finditer(text) if _SLASH.match(text, like.start())
    ]
    found += [
        like.start()
        for like in _SHORTCODE_LIKE.finditer(text)
        if f":{like[1]}" in emoji_codes and _SHORTCODE.match(text, like.start())
    ]
    return found
