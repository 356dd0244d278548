"""Sentence pairs for translation out of gettext catalogues: what programs say, in two languages.

A Debian system holds them at `/usr/share/locale/LANGUAGE/LC_MESSAGES/*.mo`, and every package of a large
program has its own. Messages are short and come with marks for menus, formats and markup; what a translator
left as it was, or what is no sentence, is no example. Programs repeat themselves and each other, so the split is
by package, and what the training part says is taken out of the others.
"""

from __future__ import annotations

import hashlib
import html
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.errors import ContractError

SplitName = Literal["train", "dev", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")
# A catalogue of a desktop has some megabytes; a header that promises more entries than bytes is damaged.
MOST_BYTES = 64 * 2**20
_MAGIC = 0x950412DE
_CONTEXT, _PLURAL = "\x04", "\x00"
# "File(_F)" and "File (&F)" in scripts without the letter, then the mark before a letter: "_File".
_ACCELERATOR_BEHIND = re.compile(r"\s*[(（]\s*[_&][A-Za-z0-9]\s*[)）]")
_ACCELERATOR = re.compile(r"(?<![\w&])[_&](?=\w)")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
# With its semicolon: "&copy" is the menu's "Copy".
_ENTITY = re.compile(r"&#?\w{1,10};")
_CHARSET = re.compile(r"charset=([\w.:-]+)", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
# Formats of C, Python, Qt, KDE and braces.
_FORMAT = re.compile(r"%(?:\d+\$|\(\w+\))?[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]+|%\d+|\{\w*\}|\$\{?\w+\}?")
_WORD = re.compile(r"[A-Za-z]{2,}")
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, kw_only=True)
class PairRules:
    """Which messages are examples.

    Attributes:
        min_words: English words of a source at least: fewer are buttons.
        max_chars: Characters of either side at most.
        max_ratio: How many times as long as the other a side may be; against a script of ideographs it is
            held after one of those counts as three characters.
        keeps_formats: Whether messages with formats ("%s files") are taken; both sides must have as many.
    """

    min_words: int = 4
    max_chars: int = 1_000
    max_ratio: float = 3.0
    keeps_formats: bool = True

    def __post_init__(self) -> None:
        if self.min_words < 1 or self.max_chars < 1 or self.max_ratio < 1:
            raise ValueError(f"need min_words, max_chars and max_ratio of 1 at least, got {self}")


@dataclass(frozen=True, kw_only=True)
class SentencePair:
    """A message of a package and its translation."""

    source: str
    target: str
    package: str


@dataclass(frozen=True, kw_only=True)
class SplitPairs:
    """Pairs by split, and what became of the other messages.

    Attributes:
        left_out: Number of messages by the reason why they are no example.
        packages: Split of each package.
    """

    pairs: dict[SplitName, list[SentencePair]]
    left_out: Counter[str]
    packages: dict[str, SplitName]


def read_catalogue(path: Path) -> Iterator[tuple[str, str]]:
    """(message, translation) of a compiled catalogue; of plurals the singular and its first form.

    Raises:
        ContractError: It is no catalogue, or it is cut.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ContractError(f"{path}: {size:,} bytes, expected {MOST_BYTES:,} at most")
    data = path.read_bytes()
    order = {_MAGIC.to_bytes(4, "little"): "<", _MAGIC.to_bytes(4, "big"): ">"}.get(data[:4])
    if order is None:
        raise ContractError(f"{path}: no compiled catalogue (.mo); it begins with {data[:4]!r}")
    try:
        _, count, messages, translations = struct.unpack_from(f"{order}4I", data, 4)
        charset = "utf-8"
        for index in range(min(count, size)):
            message = _entry(data, messages + 8 * index, order)
            translation = _entry(data, translations + 8 * index, order)
            if not message:  # the header, which comes first, says how the others are written
                named = _CHARSET.search(translation.decode("ascii", "replace"))
                charset = charset if named is None else named[1]
            yield _text(message, charset), _text(translation, charset)
    except (struct.error, UnicodeDecodeError, LookupError) as error:
        raise ContractError(f"{path}: a damaged catalogue ({error})") from error


def _entry(data: bytes, at: int, order: str) -> bytes:
    length, offset = struct.unpack_from(f"{order}2I", data, at)
    if offset + length > len(data):
        raise IndexError(f"text at byte {offset} ends behind the file")
    return data[offset : offset + length]


def _text(entry: bytes, charset: str) -> str:
    """The text of a message without its context, in the singular."""
    return entry.decode(charset).split(_CONTEXT, 1)[-1].split(_PLURAL, 1)[0]


def plain_message(text: str) -> str:
    """A message as a person reads it: no menu marks, no markup, single spaces."""
    written = _ENTITY.sub(lambda found: html.unescape(found[0]), _TAG.sub("", text))
    bare = _ACCELERATOR.sub("", _ACCELERATOR_BEHIND.sub("", written))
    return _SPACE.sub(" ", bare).strip()


def reason_against(source: str, target: str, language: str, rules: PairRules) -> str | None:
    """Why a message with its translation is no example; None where it is one.

    Args:
        source: The message, plain.
        target: The translation, plain.
        language: Its locale, such as de or zh_CN.
        rules: The bounds.
    """
    formats = Counter(_FORMAT.findall(source)), Counter(_FORMAT.findall(target))
    is_chinese = language.startswith("zh")
    lengths = [len(text) + 2 * len(_HAN.findall(text)) for text in (source, target)]
    checks = {
        "untranslated": not target or source == target,
        "few words": len(_WORD.findall(_FORMAT.sub(" ", source))) < rules.min_words,
        "long": max(len(source), len(target)) > rules.max_chars,
        "formats differ": sum(formats[0].values()) != sum(formats[1].values()),
        "formats": not rules.keeps_formats and bool(formats[0]),
        "lengths differ": max(lengths) > rules.max_ratio * min(lengths),
        "no Han": is_chinese and not _HAN.search(target),
    }
    return next((reason for reason, holds in checks.items() if holds), None)


def split_catalogues(
    packages: Iterable[tuple[str, Sequence[Path]]],
    language: str,
    *,
    rules: PairRules | None = None,
    seed: int = 0,
    share: float = 0.1,
) -> SplitPairs:
    """Read the catalogues of all packages and divide the packages among the splits.

    A message is taken once, in its first package by name. The order of the packages given does not matter.

    Args:
        packages: Name of each package, and its catalogues.
        language: Locale of the translations.
        rules: Which messages are examples.
        seed: Decides, with a package's name, which split it goes to.
        share: Expected share of the packages in dev, and in test.

    Raises:
        ContractError: A catalogue is damaged.
    """
    rules = rules or PairRules()
    found = SplitPairs(pairs={name: [] for name in SPLITS}, left_out=Counter(), packages={})
    by_split: dict[SplitName, list[tuple[str, Sequence[Path]]]] = {name: [] for name in SPLITS}
    for name, paths in sorted(packages):
        split = split_of(name, seed=seed, share=share)
        found.packages[name] = split
        by_split[split].append((name, paths))
    seen: set[str] = set()
    # Training first: what it says is then no question of dev and test.
    for split in SPLITS:
        for name, paths in by_split[split]:
            for path in sorted(paths):
                for message, translation in read_catalogue(path):
                    _take(found, split, seen, (message, translation, name), language, rules)
    return found


def _take(
    found: SplitPairs,
    split: SplitName,
    seen: set[str],
    entry: tuple[str, str, str],
    language: str,
    rules: PairRules,
) -> None:
    """Add a message to its split, or count why it is none."""
    message, translation, package = entry
    if not message:
        return  # the header of the catalogue
    source, target = plain_message(message), plain_message(translation)
    reason = reason_against(source, target, language, rules)
    key = source.casefold()
    if reason is None and key in seen:
        reason = "said before"
    if reason is not None:
        found.left_out[reason] += 1
        return
    seen.add(key)
    found.pairs[split].append(SentencePair(source=source, target=target, package=package))


def split_of(package: str, *, seed: int, share: float) -> SplitName:
    """The split of a package, by the hash of its name alone: a new package moves no other."""
    digest = hashlib.sha256(f"{seed}\x1f{package}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    return "test" if position < share else "dev" if position < 2 * share else "train"
