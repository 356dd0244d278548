"""Gopher's rules as four published programs compute them, for comparison with their corpora.

The programs agree on the thresholds of Rae et al. 2021 and differ in the formulas of the values, so
one may keep a page that another one drops. These are conformance modes: one document at a
time in plain Python, true to the published formulas, not fast. The clean stage's own rules are in
`values.py`.

Followed: datatrove 0.10 (`gopher_repetition_filter`, `gopher_quality_filter`), dolma's tagger
`gopher_v1`, DCLM (`content_filters` with `refinedweb.yaml`), NeMo Curator (`heuristic_filter`,
`repetition_filter`). Bounds are in `gopher_variants.yaml`. Known departures: English words of
datatrove come from spaCy, here from a pattern that follows its splitting (`words.py`); where NeMo
picks among equally frequent n-grams by the order of a set, here the first in the text is taken.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from refinery.filters.config import GopherVariant
from refinery.filters.repetition import DUPLICATE_NGRAMS, TOP_NGRAMS
from refinery.filters.values import STOP_WORDS, Floats
from refinery.filters.words import break_words, jieba_words, syntactic_words

GOPHER_VARIANTS_VERSION = 1

# Characters that datatrove takes for marks; the full-width digit one is among them by mistake.
_DATATROVE_SYMBOLS = frozenset(
    string.punctuation
    + "«´»–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～"
    + "".join(map(chr, [*range(9), 11, 12, *range(13, 32), *range(127, 160)]))
)
_NEMO_ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
_NEMO_BULLETS = tuple("•‣⁃⁌⁍∙○●◘◦⦾⦿")
_DCLM_ELLIPSES = ("...", ". . .", "…")
_HASHES = re.compile("#+")

Words = Sequence[str]
Values = dict[str, float]


def variant_values(
    texts: Sequence[str], languages: Sequence[str], variant: GopherVariant
) -> dict[str, Floats]:
    """[D] arrays of a variant's values, named `variant.value`."""
    compute = _VARIANTS[variant]
    rows = [compute(text, language) for text, language in zip(texts, languages, strict=True)]
    names = rows[0] if rows else {}
    return {f"{variant}.{name}": np.array([row[name] for row in rows], float) for name in names}


def _datatrove(text: str, language: str) -> Values:
    """Values by datatrove: later copies, over the length of the text; a hit consumes its n words."""
    words = jieba_words(text) if language == "zh" else syntactic_words(text)
    words = [word for word in words if word.strip()]
    real = [word for word in words if not _DATATROVE_SYMBOLS.issuperset(word)]
    lines = text.splitlines()
    values = {
        "words": float(len(real)),
        "mean_word_chars": _share(sum(map(len, real)), len(real)),
        "hash_ratio": _share(text.count("#"), len(words)),
        "ellipsis_ratio": _share(text.count("...") + text.count("…"), len(words)),
        "bullet_line_fraction": _lines(lines, lambda line: line.lstrip().startswith(("•", "-"))),
        "ellipsis_line_fraction": _lines(lines, lambda line: line.rstrip().endswith(("...", "…"))),
        "alpha_word_fraction": _alpha(words),
        "stop_words": float(len(set(STOP_WORDS).intersection(words))),
    }
    for name, pieces in (
        ("paragraph", re.split(r"\n{2,}", text.strip())),
        ("line", re.split(r"\n+", text)),
    ):
        copies = _later_copies(pieces)
        values[f"dup_{name}_fraction"] = _share(len(copies), len(pieces))
        values[f"dup_{name}_chars"] = _share(sum(map(len, copies)), len(text))
    for n in TOP_NGRAMS:
        grams = Counter(" ".join(gram) for gram in _grams(words, n))
        top, times = next(iter(grams.most_common(1)), ("", 0))
        values[f"top_{n}gram_chars"] = _share(len(top) * times, len(text))
    for n in DUPLICATE_NGRAMS:
        values[f"dup_{n}gram_chars"] = _share(_skipping_copies(words, n), len(text))
    return values


def _later_copies(pieces: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    copies = []
    for piece in pieces:
        if piece in seen:
            copies.append(piece)
        seen.add(piece)
    return copies


def _skipping_copies(words: Words, n: int) -> int:
    """Characters of n-grams that were seen before; the next one begins behind such a hit."""
    seen: set[str] = set()
    start = chars = 0
    while start + n <= len(words):
        gram = "".join(words[start : start + n])
        if gram in seen:
            chars += len(gram)
            start += n
        else:
            seen.add(gram)
            start += 1
    return chars


def _dolma(text: str, language: str) -> Values:
    """Values by dolma: all occurrences of what repeats, over the characters of words; medians."""
    del language  # one formula for all: words are what white space separates
    words = text.split()
    lines = text.split("\n")
    chars = sum(map(len, words))
    repeated = {line: times for line, times in Counter(lines).items() if times > 1}
    repeated_chars = sum(len(line) * times for line, times in repeated.items())
    values = {
        "words": float(len(words)),
        "median_word_chars": float(median(map(len, words))) if words else 0.0,
        "symbol_ratio": _share(sum("#" in word or "…" in word for word in words), len(words)),
        "bullet_line_fraction": _lines(lines, lambda line: line.startswith(("*", "-"))),
        "ellipsis_line_fraction": _lines(lines, lambda line: line.endswith("…")),
        "alpha_word_fraction": _alpha(words),
        "stop_words": float(sum(word in STOP_WORDS for word in words)),
        "dup_line_fraction": _share(sum(repeated.values()), len(lines)),
        "dup_line_chars": _share(repeated_chars, chars),
    }
    for n in TOP_NGRAMS:
        top, times = next(iter(Counter(_grams(words, n)).most_common(1)), ((), 0))
        values[f"top_{n}gram_chars"] = _share(times * sum(map(len, top)), chars)
    for n in DUPLICATE_NGRAMS:
        counts = Counter(_grams(words, n))
        sizes = {gram: times * sum(map(len, gram)) for gram, times in counts.items()}
        twice = sum(size for gram, size in sizes.items() if counts[gram] > 1)
        values[f"dup_{n}gram_chars"] = _share(twice, sum(sizes.values()))
    return values


def _dclm(text: str, language: str) -> Values:
    """Values by DCLM: words inside repeated n-grams count once; words end as UAX 29 says."""
    del language
    spaced = text.split()
    words = [word for word in break_words(text) if word[0].isalnum()]
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    symbols = sum(text.count(symbol) for symbol in ("#", *_DCLM_ELLIPSES))
    bullets = ("●", "•", "*", "-")
    values = {
        "words": float(len(words)),
        "mean_word_chars": _share(sum(map(len, spaced)), len(spaced)),
        "symbol_ratio": _share(symbols, len(spaced)),
        "bullet_line_fraction": _lines(lines, lambda line: line.startswith(bullets)),
        "ellipsis_line_fraction": _lines(lines, lambda line: line.endswith(_DCLM_ELLIPSES)),
        "no_alpha_word_fraction": 1.0 - _alpha(spaced) if spaced else 1.0,
        "stop_words": float(sum(word.lower() in STOP_WORDS for word in spaced)),
    }
    for name, pieces in (("line", lines), ("paragraph", _stripped(text.split("\n\n")))):
        repeated = {piece: times for piece, times in Counter(pieces).items() if times > 1}
        chars = sum(len(piece) * times for piece, times in repeated.items())
        values[f"dup_{name}_fraction"] = _share(sum(repeated.values()), len(pieces))
        values[f"dup_{name}_chars"] = _share(chars, sum(map(len, pieces)))
    total = sum(map(len, words))
    for n in TOP_NGRAMS:
        counts = Counter(_grams(words, n))
        most = max(counts.values(), default=0)
        longest = max((sum(map(len, g)) for g, times in counts.items() if times == most), default=0)
        values[f"top_{n}gram_chars"] = _share(longest * most, total) if most > 1 else 0.0
    for n in DUPLICATE_NGRAMS:
        grams = _grams(words, n)
        counts = Counter(grams)
        inside = {i + k for i, gram in enumerate(grams) if counts[gram] > 1 for k in range(n)}
        values[f"dup_{n}gram_chars"] = _share(sum(len(words[i]) for i in inside), total)
    return values


def _nemo(text: str, language: str) -> Values:
    """Values by NeMo: shares of distinct lines and paragraphs; n-grams with blanks, over the text."""
    words = jieba_words(text.strip()) if language == "zh" else text.split()
    lines = [line for line in text.split("\n") if line.strip()]
    values = {
        "words": float(len(words)),
        "mean_word_chars": _share(sum(map(len, words)), len(words)),
        "symbol_ratio": _share(sum(map(_is_nemo_symbol, words)), len(words)),
        "bullet_line_fraction": _lines(lines, lambda line: line.strip().startswith(_NEMO_BULLETS)),
        "ellipsis_line_fraction": _lines(
            lines, lambda line: line.strip().lower().endswith(_NEMO_ELLIPSES)
        ),
        "alpha_word_fraction": _alpha(words),
        "stop_words": float(sum(word in STOP_WORDS for word in text.split())),
    }
    for name, pieces in (("line", lines), ("paragraph", text.split("\n\n"))):
        unique = set(pieces)
        values[f"unique_{name}_fraction"] = _share(len(unique), len(pieces))
        chars = sum(map(len, pieces))
        values[f"unique_{name}_chars"] = _share(sum(map(len, unique)), chars)
    for n in TOP_NGRAMS:
        top = next(iter(Counter(_grams(words, n)).most_common(1)), None)
        # A text of fewer than n words has the value 1.
        values[f"top_{n}gram_chars"] = 1.0 if top is None else _taken_out(text, " ".join(top[0]))
    for n in DUPLICATE_NGRAMS:
        values[f"dup_{n}gram_chars"] = _with_blanks(text, words, n)
    return values


def _is_nemo_symbol(word: str) -> bool:
    # NeMo counts runs of "#", not their characters.
    return word in _NEMO_ELLIPSES or len(_HASHES.findall(word)) > 0.5 * len(word)


def _taken_out(text: str, gram: str) -> float:
    return _share(len(text) - len(text.replace(gram, "")), len(text))


def _with_blanks(text: str, words: Words, n: int) -> float:
    """Characters of later copies that no copy before covered, with the blanks between words."""
    if len(words) < n:
        return 1.0
    seen: set[tuple[str, ...]] = set()
    chars = covered = 0
    for gram in _grams(words, n):
        if gram in seen:
            chars += sum(map(len, gram[covered:])) + min(n - covered, n - 1)
            covered = n
        seen.add(gram)
        covered = max(covered - 1, 0)
    return _share(chars, len(text))


def _stripped(pieces: Sequence[str]) -> list[str]:
    return [piece.strip() for piece in pieces if piece.strip()]


def _grams(words: Words, n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(n)), strict=False))


def _lines(lines: Sequence[str], is_it: Callable[[str], bool]) -> float:
    return _share(sum(map(is_it, lines)), len(lines))


def _alpha(words: Words) -> float:
    return _share(sum(any(map(str.isalpha, word)) for word in words), len(words))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


_VARIANTS: dict[GopherVariant, Callable[[str, str], Values]] = {
    "datatrove": _datatrove,
    "dolma": _dolma,
    "dclm": _dclm,
    "nemo": _nemo,
}
