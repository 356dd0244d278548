"""What the founding studies read: English and Chinese text, and sentences with a sentiment. A function of the files alone.

Held-out documents are of texts that training never sees: three English books in pieces, and Chinese pages and
histories, one piece of each. Sentences are those of SST-2; the sentiment is written as one word.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpora.packed_text import write_dataset
from benchmarks.corpora.text_files import read_texts
from refinery.supervised.pack import pack_pairs
from refinery.supervised.tasks import PairsRecipe, TaskConfig
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.manifest import read_manifest

SENTINELS = 100
SEQ_LEN, PAIR_TOKENS = 256, 64
BOOKS, CHINESE = "books-en.jsonl.gz", ("docs-zh.jsonl.gz", "history-zh.jsonl.gz")
_TOKENIZER = "tokenizer"
_PIECE_CHARS = {BOOKS: 3000, **dict.fromkeys(CHINESE, 1500)}
_HELDOUT_BOOKS = 3
# Files of SST-2 in the order of the splits: sentence, tab, 0 or 1.
_PAIRS = {"labels": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"}
_SENTIMENTS = {"0": "bad", "1": "good"}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is read. The defaults are those of the studies; tests read less.

    Attributes:
        vocabulary: Ids of the tokenizer, sentinels among them.
        english_bytes: Of training text, as are `chinese_bytes`.
        heldout: Documents of each language.
        pairs: Sentences of each split: labels, dev, test.
    """

    vocabulary: int = 4096
    english_bytes: int = 2_600_000
    chinese_bytes: int = 1_700_000
    heldout: int = 60
    pairs: tuple[int, int, int] = (1000, 200, 1000)


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The datasets of the studies.

    Attributes:
        text: Folder of the packed text.
        pairs: Folder of the sentences, by split: labels, dev, test.
        root: Root hash of the text.
    """

    text: Path
    pairs: dict[str, Path]
    root: str


def write_corpus(folder: Path, *, texts: Path, sst2: Path, sizes: Sizes | None = None) -> Corpus:
    """Write tokenizer, text and sentences, unless they are there.

    Raises:
        OSError: A file of the texts is not there.
    """
    sizes = sizes or Sizes()
    text = write_text(folder, texts=texts, sizes=sizes)
    pairs = {split: folder / split for split in _PAIRS}
    for (split, out), count in zip(pairs.items(), sizes.pairs, strict=True):
        _write_pairs(sst2 / _PAIRS[split], out, folder / _TOKENIZER, count)
    return Corpus(text=text, pairs=pairs, root=read_manifest(text).root)


def write_text(folder: Path, *, texts: Path, sizes: Sizes) -> Path:
    """Write tokenizer and text, unless they are there; the folder of the text.

    Raises:
        OSError: A file of the texts is not there.
    """
    text, tokenizer = folder / "text", folder / _TOKENIZER
    if not (text / "packed.json").is_file():
        train, heldout = _split(texts, sizes)
        config = VocabularyConfig(size=sizes.vocabulary, sentinels=SENTINELS)
        write_tokenizer(train_bpe(train, config), tokenizer, SENTINELS)
        write_dataset(
            text, name="text", train=train, heldout=heldout, tokenizer=tokenizer, seq_len=SEQ_LEN
        )
    return text


def _split(texts: Path, sizes: Sizes) -> tuple[list[str], list[str]]:
    """Training pieces of both languages in an order by hash, and held-out documents."""
    books = list(read_texts(texts / BOOKS))
    each = -(-sizes.heldout // _HELDOUT_BOOKS)
    # The smallest books that have so many pieces, so that most of the text is left to training.
    books.sort(key=lambda book: (len(book) < each * _PIECE_CHARS[BOOKS], len(book)))
    own, others = books[:_HELDOUT_BOOKS], books[_HELDOUT_BOOKS:]
    english = _by_hash(_pieces(others, BOOKS))
    heldout = [piece for book in own for piece in _by_hash(_pieces([book], BOOKS))[:each]]
    pages = [text for name in CHINESE for text in read_texts(texts / name)]
    pages = _by_hash(page for page in pages if len(page) >= _PIECE_CHARS[CHINESE[0]])
    heldout += [page[: _PIECE_CHARS[CHINESE[0]]] for page in pages[: sizes.heldout]]
    chinese = _by_hash(_pieces(pages[sizes.heldout :], CHINESE[0]))
    train = _until(english, sizes.english_bytes) + _until(chinese, sizes.chinese_bytes)
    return train, heldout


def _pieces(texts: Sequence[str], name: str) -> Iterator[str]:
    size = _PIECE_CHARS[name]
    for text in texts:
        yield from (text[start : start + size] for start in range(0, len(text), size))


def _by_hash(texts: Iterator[str] | Sequence[str]) -> list[str]:
    return sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())


def _until(pieces: Sequence[str], most_bytes: int) -> list[str]:
    taken, size = [], 0
    for piece in pieces:
        if size >= most_bytes:
            break
        taken.append(piece)
        size += len(piece.encode())
    return taken


def _write_pairs(table: Path, out: Path, tokenizer: Path, count: int) -> None:
    rows = out.with_suffix(".jsonl")
    if not rows.is_file():
        with table.open(encoding="utf-8") as lines:
            found = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        found.sort(key=lambda row: hashlib.sha256(row[0].encode()).digest())
        kept = [{"text": text, "label": label} for text, label in found[:count]]
        rows.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    task = TaskConfig(
        name="sentiment", files=(str(rows),), input="{text} sentiment:", target="{label}", labels=_SENTIMENTS
    )  # fmt: skip
    pack_pairs(
        PairsRecipe(
            name="sentiment", output=str(out), tokenizer=str(tokenizer), tasks=(task,), seq_len=PAIR_TOKENS,
            target_tokens=8, heldout_fraction=0.0, lanes=1,
        )
    )  # fmt: skip
