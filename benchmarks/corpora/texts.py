"""Seeded documents of any volume: Zipfian words or Chinese characters, with planted duplicates.

A document is a function of (seed, number), so 4x the corpus holds the 1x corpus and every run and
every machine gets the same bytes. Of 100 documents, about 10 are edited copies (1 to 15 % of words
changed) of another one of their block of 1,000, two are exact copies, and one in 1,000 is one of 20
boilerplate pages with one word changed, so some clusters grow with the corpus. Sizes are lognormal
with a mean of about 3 kB, as web text after cleaning is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BLOCK = 1000
VOCABULARY, CHARACTERS = 60_000, 4_000
MEAN_WORDS = 520


@dataclass(frozen=True)
class Document:
    """One document of the generated corpus."""

    doc_id: str
    lang: str
    text: str


def _vocabulary() -> list[str]:
    """Words of 2 to 12 letters; frequent ones are short."""
    generator = np.random.Generator(np.random.PCG64(7))
    syllables = [c + v for c in "bcdfghklmnprstvwz" for v in ("a", "e", "i", "o", "u", "ea", "ou")]
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        most = 1 + min(3, len(words) // 100)
        picks = generator.integers(0, len(syllables), int(generator.integers(1, most + 2)))
        words.setdefault("".join(syllables[i] for i in picks))
    return list(words)


class Writer:
    """Makes documents of one seed and language (`en` or `zh`)."""

    def __init__(self, seed: int, lang: str) -> None:
        self.seed, self.lang = seed, lang
        self.units = _vocabulary() if lang == "en" else [chr(0x4E00 + i) for i in range(CHARACTERS)]
        weights = 1.0 / (np.arange(len(self.units)) + 2.7)
        self.shares = np.cumsum(weights / weights.sum())
        self.pages = [self._words(self._generator(-1 - i), MEAN_WORDS) for i in range(20)]

    def block(self, number: int) -> list[Document]:
        """The documents of one block of 1,000."""
        generator = self._generator(number)
        sizes = np.clip(generator.lognormal(5.9, 0.85, BLOCK), 40, 20_000).astype(int)
        whole = self._words(generator, int(sizes.sum()))
        bounds = np.concatenate(([0], np.cumsum(sizes)))
        words = [whole[a:b] for a, b in pairwise(bounds)]
        for index, roll in enumerate(generator.random(BLOCK)):
            if index == 0 or roll >= 0.121:
                continue
            other = words[int(generator.integers(0, index))]
            if roll < 0.001:
                page = self.pages[int(generator.integers(0, len(self.pages)))]
                words[index] = self._edited(page, generator, 1)
            elif roll < 0.021:
                words[index] = other
            else:
                share = generator.uniform(0.002, 0.05)
                words[index] = self._edited(other, generator, int(np.ceil(share * len(other))))
        return [
            Document(self._id(number * BLOCK + i), self.lang, self._text(w))
            for i, w in enumerate(words)
        ]

    def _generator(self, number: int) -> np.random.Generator:
        key = f"{self.seed}/{self.lang}/{number}".encode()
        return np.random.Generator(
            np.random.PCG64(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))
        )

    def _id(self, number: int) -> str:
        return hashlib.sha256(f"{self.seed}/{self.lang}/{number}".encode()).hexdigest()[:32]

    def _words(self, generator: np.random.Generator, count: int) -> np.ndarray:
        return np.searchsorted(self.shares, generator.random(count)).astype(np.int32)

    def _edited(self, words: np.ndarray, generator: np.random.Generator, count: int) -> np.ndarray:
        edited = words.copy()
        indices = generator.integers(0, len(words), count)
        edited[indices] = self._words(generator, count)
        return edited

    def _text(self, words: np.ndarray) -> str:
        """Sentences of 17 words, paragraphs of five sentences."""
        units = [self.units[i] for i in words.tolist()]
        blank, stop = (" ", ". ") if self.lang == "en" else ("", "。")
        sentences = [blank.join(units[i : i + 17]) for i in range(0, len(units), 17)]
        paragraphs = [stop.join(sentences[i : i + 5]) for i in range(0, len(sentences), 5)]
        return (stop.strip() + "\n").join(paragraphs) + stop.strip()


def documents(*, seed: int, lang: str, num_bytes: int) -> Iterator[list[Document]]:
    """Blocks until the UTF-8 bytes are reached."""
    writer, size, number = Writer(seed, lang), 0, 0
    while size < num_bytes:
        block = writer.block(number)
        yield block
        size += sum(len(document.text.encode()) for document in block)
        number += 1


SCHEMA = pa.schema(
    [
        ("doc_id", pa.string()),
        ("source", pa.string()),
        ("lang", pa.string()),
        ("text", pa.string()),
        ("num_chars", pa.int32()),
    ]
)


def write_parquet(folder: Path, *, seed: int, num_bytes: dict[str, int], blocks: int = 10) -> int:
    """Write files of `blocks` blocks each, a language in each file; returns the documents."""
    folder.mkdir(parents=True)
    count = 0
    for lang, size in num_bytes.items():
        writer: pq.ParquetWriter | None = None
        for number, block in enumerate(documents(seed=seed, lang=lang, num_bytes=size)):
            if number % blocks == 0:
                if writer is not None:
                    writer.close()
                path = folder / f"{lang}-{number // blocks:04}.parquet"
                writer = pq.ParquetWriter(path, SCHEMA, compression="zstd")
            assert writer is not None, "the first block opens a file"
            rows = [
                {
                    "doc_id": d.doc_id,
                    "source": f"web-{lang}",
                    "lang": lang,
                    "text": d.text,
                    "num_chars": len(d.text),
                }
                for d in block
            ]
            writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
            count += len(rows)
        if writer is not None:
            writer.close()
    return count
