"""Stickers and emoticons typed as text: platform codes, shortcodes, emoticons and kaomoji.

The lists are our own (`codes.yaml`). A code becomes its meaning in the document's language: in
brackets in Chinese text, as plain words elsewhere.
"""

from __future__ import annotations

import functools
import re
from importlib.resources import files
from typing import Any

import emoji
import yaml

from refinery.normalize.emoji_words import VS16, language_of, names, spaced

# What must be in the text for any code to be there.
_GATE = re.compile(
    r"\[[^\[\]\s]{1,8}\]|/[\u4e00-\u9fff]|:[a-z0-9_+\-]{2,}:|[:;=]['\-]?[()DPp]|_|ω|[（(]"
)
_SHORTCODE = re.compile(r"(?<![\w:/])(:[a-z][a-z0-9_+\-]+:)(?![\w:/])")
_BRACKET = re.compile(r"\[([^\[\]\s]{1,8})\]")


@functools.cache
def _lists() -> dict[str, Any]:
    text = files("refinery.normalize").joinpath("codes.yaml").read_text("utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return data


@functools.cache
def _bracket_codes() -> dict[str, tuple[str, str]]:
    """(Chinese, English) meaning by lower-case code."""
    return {str(code).lower(): (zh, en) for code, (zh, en) in _lists()["codes"].items()}


@functools.cache
def _slash_pattern() -> re.Pattern[str]:
    codes = sorted((c for c in _bracket_codes() if not c.isascii()), key=len, reverse=True)
    return re.compile(
        "(?<![\\w/.:\u4e00-\u9fff])/(" + "|".join(map(re.escape, codes)) + ")(?![a-z/])"
    )


@functools.cache
def _typed() -> dict[str, tuple[str, str]]:
    return {
        form: (row["zh"], row["en"])
        for row in (*_lists()["emoticons"], *_lists()["kaomoji"])
        for form in row["forms"]
    }


@functools.cache
def _typed_pattern() -> re.Pattern[str]:
    """Emoticons stand between blanks or Chinese; kaomoji are unlike anything else."""
    emoticons = [form for row in _lists()["emoticons"] for form in row["forms"]]
    kaomoji = [form for row in _lists()["kaomoji"] for form in row["forms"]]
    plain = "|".join(map(re.escape, sorted(emoticons, key=len, reverse=True)))
    faces = "|".join(map(re.escape, sorted(kaomoji, key=len, reverse=True)))
    han = "\u3000-\u9fff\uff00-\uffef"
    return re.compile(f"(?:(?<![^\\s{han}])(?:{plain})(?=[\\s{han}]|$)|(?:{faces}))")


@functools.cache
def _shortcodes() -> dict[str, str]:
    """Sequence by shortcode, aliases of the chat programs included."""
    found: dict[str, str] = {}
    for sequence, entry in emoji.EMOJI_DATA.items():
        for code in (entry["en"], *entry.get("alias", ())):
            found.setdefault(code, sequence.replace(VS16, ""))
    return found


def replace_codes(text: str) -> tuple[str, int]:
    """Text with every known code replaced by its meaning, and their number."""
    if not _GATE.search(text):
        return text, 0
    language = language_of(text)
    count = 0

    def meaning(found: re.Match[str], pair: tuple[str, str] | None) -> str:
        nonlocal count
        if pair is None:
            return found[0]
        said = spaced(pair[0 if language == "zh" else 1], found, language)
        count += said != found[0]
        return said

    def shortcode(found: re.Match[str]) -> str:
        sequence = _shortcodes().get(found[1])
        name = names(language).get(sequence) if sequence else None
        return meaning(found, (name, name) if name else None)

    text = _BRACKET.sub(lambda found: meaning(found, _bracket_codes().get(found[1].lower())), text)
    text = _slash_pattern().sub(lambda found: meaning(found, _bracket_codes()[found[1]]), text)
    if ":" in text:
        text = _SHORTCODE.sub(shortcode, text)
    text = _typed_pattern().sub(lambda found: meaning(found, _typed()[found[0]]), text)
    return text, count
