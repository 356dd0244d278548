"""Ids of texts, exactly those of a tokenizer, at a multiple of its speed.

Byte-level BPE (GPT-2, LLaMA 3, Qwen), BPE and Unigram of SentencePiece (LLaMA, T5) and BERT's WordPiece are
encoded by compiled loops. The library encodes with tokenizers that are put together in another way, and
texts in which it looks for more than pieces: added tokens that are not special, spellings of special ones.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Encoding, Tokenizer

from refinery.text.utf8 import Offsets, Texts
from refinery.tokenizers.byte_level import spelled_ends
from refinery.tokenizers.encoded import Encoded
from refinery.tokenizers.identity import cached_tokenizer
from refinery.tokenizers.piece_table import Ids
from refinery.tokenizers.plans import Plan, plan_of

# An encoding of the library holds ten times the bytes of its text.
_LIBRARY_CHARS = 1 << 19


class EncodedWithEnds(NamedTuple):
    """Ids of texts, and [T] one past the last code point of each token in its text."""

    encoded: Encoded
    ends_T: Offsets

    def ends(self, document: int) -> Offsets:
        bounds_D = self.encoded.bounds_D
        return self.ends_T[bounds_D[document] : bounds_D[document + 1]]


class Encoder:
    """Ids of texts, exactly those of a tokenizer.

    Args:
        tokenizer: As `load_tokenizer` gives it; special tokens written in a text are text.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        definition = json.loads(tokenizer.to_str())
        self._plan: Plan | None = None
        if tokenizer.encode_special_tokens:
            self._plan = plan_of(definition, tokenizer)
        self._sizes_V = _num_bytes(tokenizer) if self._plan and self._plan.is_byte_level else None

    @property
    def is_compiled(self) -> bool:
        """Whether compiled loops encode the most of texts."""
        return self._plan is not None

    def encode(self, texts: Texts) -> Encoded:
        """Ids of each text, without special tokens."""
        plan = self._plan
        if plan is None:
            return self._by_library(texts)
        normalized = plan.normalizer.apply(texts) if plan.normalizer else texts
        left = _documents_with(plan.literals, texts)
        if plan.normalizer:
            left |= _documents_with(plan.literals, normalized)
        encoded = plan.model.encode(normalized)
        if not left:
            return encoded
        rows = list(encoded)
        where = sorted(left)
        found = self._by_library(Texts.of([texts.text(document) for document in where]))
        for document, ids in zip(where, found, strict=True):
            rows[document] = ids
        return Encoded.of(rows)

    def encode_with_ends(self, texts: Texts) -> EncodedWithEnds:
        """Ids of each text, and where each token ends in it."""
        if self._sizes_V is None:
            return self._ends_by_library(texts)
        encoded = self.encode(texts)
        ends_T = np.empty(len(encoded.ids_T), np.int64)
        is_spelled_D = np.zeros(len(encoded), np.uint8)
        spelled_ends(*texts, encoded.ids_T, encoded.bounds_D, self._sizes_V, ends_T, is_spelled_D)
        # The bytes of the ids add up to those of the text, unless the tokenizer normalised it.
        for document in np.flatnonzero(is_spelled_D == 0).tolist():
            encoding = self.tokenizer.encode(texts.text(document), add_special_tokens=False)
            start = encoded.bounds_D[document]
            ends_T[start : start + len(encoding)] = _ends([encoding])
        return EncodedWithEnds(encoded, ends_T)

    def _by_library(self, texts: Texts) -> Encoded:
        rows: list[Ids] = []
        for group in _groups(texts):
            encodings = self.tokenizer.encode_batch_fast(group, add_special_tokens=False)
            rows += [np.asarray(encoding.ids, np.int32) for encoding in encodings]
        return Encoded.of(rows)

    def _ends_by_library(self, texts: Texts) -> EncodedWithEnds:
        rows: list[Ids] = []
        ends = [np.zeros(0, np.int64)]
        for group in _groups(texts):
            encodings = self.tokenizer.encode_batch(group, add_special_tokens=False)
            rows += [np.asarray(encoding.ids, np.int32) for encoding in encodings]
            ends.append(_ends(encodings))
        return EncodedWithEnds(Encoded.of(rows), np.concatenate(ends))


def _groups(texts: Texts) -> list[list[str]]:
    """The texts in groups of some hundred thousand characters."""
    groups: list[list[str]] = [[]]
    size = 0
    for document in range(len(texts.bounds_D) - 1):
        text = texts.text(document)
        if groups[-1] and size + len(text) > _LIBRARY_CHARS:
            groups.append([])
            size = 0
        groups[-1].append(text)
        size += len(text)
    return groups if groups[-1] else []


def _documents_with(literals: Sequence[bytes], texts: Texts) -> set[int]:
    """The documents in which one of the literals stands."""
    found: set[int] = set()
    if not literals:
        return found
    data = texts.data_B.tobytes()
    for literal in literals:
        offset = data.find(literal)
        while offset >= 0:
            document = int(np.searchsorted(texts.bounds_D, offset, side="right")) - 1
            if offset + len(literal) <= texts.bounds_D[document + 1]:
                found.add(document)
                offset = data.find(literal, int(texts.bounds_D[document + 1]))
            else:
                offset = data.find(literal, offset + 1)
    return found


def _num_bytes(tokenizer: Tokenizer) -> Ids:
    """[V] bytes that each token of a byte-level BPE spells."""
    vocabulary = tokenizer.get_vocab()
    sizes = np.zeros(1 + max(vocabulary.values()), np.int32)
    for name, token in vocabulary.items():
        sizes[token] = len(name)
    for token, added in tokenizer.get_added_tokens_decoder().items():
        sizes[token] = len(added.content.encode())
    return sizes


def _ends(encodings: Sequence[Encoding]) -> Offsets:
    # An array of a list of tuples would take twice the time.
    pairs = itertools.chain.from_iterable(encoding.offsets for encoding in encodings)
    flat = itertools.chain.from_iterable(pairs)
    return np.fromiter(flat, np.int64)[1::2]


@functools.cache
def cached_encoder(folder: Path) -> Encoder:
    """Load once per process; its table grows with what it sees."""
    return Encoder(cached_tokenizer(folder))
