"""HTML pages of any volume: real page skeletons with resampled sentences, as WARC files.

    python -m benchmarks.corpora.pages LABELLED.parquet [LABELLED.parquet ...] --output FOLDER --mb 400

Plain copies of a page would leave as exact duplicates and measure nothing. So the markup of each
labelled page stays as it is, and every longer run of text is filled with sentences of the labelled
main texts, drawn by a hash of (seed, number of the page): two pages of one skeleton share their short
labels and next to no five-word shingle (Jaccard below 0.3, checked by the tests). A stated share of
pages repeats an earlier one with some words changed. A page is a function of its number, so 4x the
volume begins with the same pages.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from rich.progress import Progress

LONG_TEXT_CHARS = 40
FILE_BYTES = 48 << 20
NEAR_DUPLICATES = 0.1
CHANGED_WORDS = 0.02
# A run of text between tags; what stands in scripts and styles is markup here.
_SCRIPT = re.compile(r"<(script|style)\b.*?</\1\s*>", re.I | re.S)
_TEXT = re.compile(rf"(?<=>)[^<>\0]{{{LONG_TEXT_CHARS},}}(?=<)")
_SENTENCE = re.compile(r"[^.!?。！？\n]{15,400}[.!?。！？]+")
_HAN = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Skeleton:
    """Markup around the runs of text that are filled anew, the length of each, and the script of the page."""

    pieces: tuple[str, ...]
    lengths: tuple[int, ...]
    is_chinese: bool


class PageSource:
    """Makes page `number` from skeletons and sentences."""

    def __init__(self, pages: Sequence[str], texts: Sequence[str], seed: int) -> None:
        self._skeletons = [make_skeleton(page) for page in pages]
        sentences = [s.strip() for text in texts for s in _SENTENCE.findall(text)]
        unique = sorted(set(sentences))
        self._pools = {
            is_chinese: [s for s in unique if bool(_HAN.search(s)) == is_chinese]
            for is_chinese in (False, True)
        }
        self._seed = seed

    def page(self, number: int) -> str:
        """HTML of one page; one of ten repeats an earlier one with two words of a hundred changed."""
        generator = np.random.default_rng((self._seed, number))
        if number and generator.random() < NEAR_DUPLICATES:
            return self._changed(self._original(int(generator.integers(number))), generator)
        return self._original(number)

    def _original(self, number: int) -> str:
        generator = np.random.default_rng((self._seed, number, 1))
        skeleton = self._skeletons[int(generator.integers(len(self._skeletons)))]
        pool = self._pools[skeleton.is_chinese] or self._pools[False]
        parts = [skeleton.pieces[0]]
        for length, piece in zip(skeleton.lengths, skeleton.pieces[1:], strict=True):
            parts += [self._fill(pool, length, generator), piece]
        return "".join(parts)

    def _fill(self, pool: Sequence[str], length: int, generator: np.random.Generator) -> str:
        chosen: list[str] = []
        size = 0
        while size < length:
            sentence = pool[int(generator.integers(len(pool)))]
            chosen.append(sentence)
            size += len(sentence)
        return " ".join(chosen).replace("<", "(").replace(">", ")")

    def _changed(self, page: str, generator: np.random.Generator) -> str:
        def change(match: re.Match[str]) -> str:
            words = match.group().split(" ")
            for index in np.flatnonzero(generator.random(len(words)) < CHANGED_WORDS):
                words[index] = f"edited{int(generator.integers(1 << 20))}"
            return " ".join(words)

        return _TEXT.sub(change, page)


def make_skeleton(page: str) -> Skeleton:
    """Cut a page at its longer runs of text; scripts and styles stay as they are."""
    masked = _SCRIPT.sub(lambda match: "\0" * len(match.group()), page.replace("\0", " "))
    spans = [match.span() for match in _TEXT.finditer(masked)]
    borders = [0, *(edge for span in spans for edge in span), len(page)]
    pieces = tuple(page[borders[i] : borders[i + 1]] for i in range(0, len(borders), 2))
    lengths = tuple(end - start for start, end in spans)
    return Skeleton(pieces, lengths, len(_HAN.findall(page)) > len(page) / 50)


def read_labelled(paths: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Pages and main texts of labelled Parquet files (columns `html` and `main_content`)."""
    pages: list[str] = []
    texts: list[str] = []
    for path in paths:
        names = pq.read_schema(path).names
        text = next(name for name in ("main_content", "text", "content") if name in names)
        table = pq.read_table(path, columns=["html", text])
        for row in table.to_pylist():
            html = row["html"]
            pages.append(html.decode("utf-8", "replace") if isinstance(html, bytes) else html)
            texts.append(row[text] or "")
    return pages, texts


def warc_record(url: str, body: bytes) -> bytes:
    """One response as a gzip member."""
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{zlib.crc32(url.encode()):032x}>\r\n"
        f"WARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Target-URI: {url}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n", compresslevel=1, mtime=0)


def write_warcs(source: PageSource, folder: Path, num_bytes: int) -> dict[str, int]:
    """Fill `folder` with files of about 48 MiB of HTML each; returns pages and bytes."""
    folder.mkdir(parents=True)
    written = number = 0
    with Progress() as progress:
        task = progress.add_task("pages", total=num_bytes)
        for file in _files(folder):
            in_file = 0
            with file.open("wb") as out:
                while in_file < FILE_BYTES and written < num_bytes:
                    body = source.page(number).encode()
                    out.write(warc_record(f"https://site{number % 997}.example.org/{number}", body))
                    number, written, in_file = number + 1, written + len(body), in_file + len(body)
                    progress.update(task, completed=written)
            if written >= num_bytes:
                return {"pages": number, "bytes": written}
    raise AssertionError("the loop over files has no end")


def _files(folder: Path) -> Iterator[Path]:
    number = 0
    while True:
        yield folder / f"pages-{number:04d}.warc.gz"
        number += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labelled", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--mb", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    source = PageSource(*read_labelled(args.labelled), args.seed)
    print(json.dumps(write_warcs(source, args.output, args.mb * 1_000_000)))


if __name__ == "__main__":
    main()
