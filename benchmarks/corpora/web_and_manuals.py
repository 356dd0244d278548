"""A raw corpus that anybody can rebuild: labelled web pages and manuals of Debian as WARC files, and texts to judge by.

    apt-get download debian-handbook debian-reference-{en,zh-cn} installation-guide-{amd64,arm64,i386} \\
        libreoffice-help-{en-us,zh-cn}
    for file in *.deb; do dpkg -x $file MANUALS; done
    python -m benchmarks.corpora.web_and_manuals FOLDER --manuals MANUALS

Web pages lie on one side by their domain: three quarters are to be refined, the main content that people marked on the
others is an evaluation text. Manuals are English and Chinese, with near-duplicates as they come (the same guide for
three architectures), navigation and boilerplate. English books and Chinese histories are the other evaluation texts.
Evaluation documents most of whose shingles any page holds are left out, and counted. Nothing of this is in the repository.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.corpora.pages import warc_record
from benchmarks.corpora.text_files import DATA, read_texts
from benchmarks.record import argument_parser
from refinery.dedup.signatures import ShingleSets
from refinery.extract.config import ExtractConfig
from refinery.extract.limits import PageRejected
from refinery.extract.page import extract_page
from refinery.sources.urls import host_of
from refinery.text.utf8 import Texts

WEB, MANUALS = "web", "manuals"
LABELLED, BOOKS, HISTORY = "labelled", "books", "history"
EVALUATION = (LABELLED, BOOKS, HISTORY)
HELD_OUT_QUARTERS = 1  # of 4 domains
# Folders of manuals, with the endings of the pages that are English or Chinese.
FOLDERS = {
    "doc/debian-handbook/html/en-US": ".html", "doc/debian-handbook/html/zh-CN": ".html",
    "doc/installation-guide-amd64/en": ".html", "doc/installation-guide-amd64/zh_CN": ".html",
    "doc/installation-guide-arm64/en": ".html", "doc/installation-guide-arm64/zh_CN": ".html",
    "doc/installation-guide-i386/en": ".html", "doc/installation-guide-i386/zh_CN": ".html",
    "libreoffice/help/en-US/text": ".html", "libreoffice/help/zh-CN/text": ".html",
    "debian-reference": ".en.html", "debian-reference/": ".zh-cn.html",
}  # fmt: skip
PIECE_CHARS = {BOOKS: 3000, HISTORY: 1500}
MOST_PIECES, LEAST_CHARS = 150, 300
SHINGLE_TOKENS = 5
MOST_SHARED = 0.5  # share of an evaluation document's shingles in one page


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page to be refined."""

    url: str
    html: bytes


def web_pages(labelled: Path) -> tuple[list[Page], list[str]]:
    """Pages of the training domains, and the marked main content of the others, both by hash."""
    train, held = [], []
    table = pq.read_table(labelled, columns=["url", "html", "main_content"])
    for row in table.to_pylist():
        if _number(host_of(row["url"]).removeprefix("www.")) % 4 < HELD_OUT_QUARTERS:
            if len(row["main_content"] or "") >= LEAST_CHARS:
                held.append(row["main_content"])
        else:
            train.append(Page(url=row["url"], html=row["html"]))
    return sorted(train, key=lambda page: _number(page.url)), sorted(held, key=_number)


def manual_pages(root: Path) -> list[Page]:
    """English and Chinese pages of the packages, by hash of their address.

    Raises:
        OSError: A package is missing.
    """
    share, pages = root / "usr/share", []
    for folder, ending in FOLDERS.items():
        found = sorted(path for path in (share / folder).rglob(f"*{ending}") if path.is_file())
        if not found:
            raise OSError(f"{share / folder}: no pages *{ending}; unpack its package there")
        for path in found:
            name = path.relative_to(share).as_posix()
            pages.append(Page(url=f"https://manuals.example.org/{name}", html=path.read_bytes()))
    return sorted(pages, key=lambda page: _number(page.url))


def evaluation_pieces(texts: Path) -> dict[str, list[str]]:
    """Pieces of books and of histories: one of each text in turn, until there are enough."""
    found = {}
    for name, file in ((BOOKS, "books-en.jsonl.gz"), (HISTORY, "history-zh.jsonl.gz")):
        size = PIECE_CHARS[name]
        columns = [
            [text[start : start + size] for start in range(0, len(text) - size + 1, size)]
            for text in sorted(read_texts(texts / file), key=_number)
        ]
        longest = max(map(len, columns))
        pieces = [column[row] for row in range(longest) for column in columns if row < len(column)]
        found[name] = pieces[:MOST_PIECES]
    return found


def text_of(page: Page) -> str:
    """All text of a page, as the arm `raw` reads it; empty where no parser takes it."""
    try:
        config = ExtractConfig(engine="plain")
        return extract_page(page.html, mime="text/html", charset=None, config=config).text
    except (PageRejected, ValueError, RuntimeError):
        return ""


def shares_in_pages(documents: Sequence[str], pages: Sequence[str]) -> NDArray[np.float64]:
    """[D] largest share of a document's shingles that one page holds: containment as dedup measures it, with no page skipped."""
    if not documents or not pages:
        return np.zeros(len(documents))
    own, others = (ShingleSets.of(Texts.of(texts), SHINGLE_TOKENS) for texts in (documents, pages))
    owner = np.repeat(np.arange(len(own)), np.diff(own.bounds))
    order = np.argsort(own.hashes, kind="stable")
    hashes, owner = own.hashes[order], owner[order]
    best = np.zeros(len(own))
    for page in others:
        starts, ends = np.searchsorted(hashes, page, "left"), np.searchsorted(hashes, page, "right")
        hit = ends > starts
        held = [owner[a:b] for a, b in zip(starts[hit], ends[hit], strict=True)]
        if held:
            best = np.maximum(best, np.bincount(np.concatenate(held), minlength=len(own)))
    sizes: NDArray[np.float64] = np.maximum(np.diff(own.bounds), 1).astype(np.float64)
    return best / sizes


def write_corpus(
    folder: Path, *, manuals: Path, labelled: Path, texts: Path
) -> dict[str, dict[str, int]]:
    """Write `web/`, `manuals/` (WARC) and `evaluation.jsonl`; returns what each came to."""
    train, held = web_pages(labelled)
    pages = {WEB: train, MANUALS: manual_pages(manuals)}
    counts, plain = {}, []
    for name, chosen in pages.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        with (folder / name / "pages.warc.gz").open("wb") as out:
            out.writelines(warc_record(page.url, page.html) for page in chosen)
        own = [text_of(page) for page in chosen]
        plain += own
        counts[name] = {
            "pages": len(chosen),
            "html_bytes": sum(len(page.html) for page in chosen),
            "text_bytes": sum(len(text.encode()) for text in own),
        }
    evaluation = {LABELLED: held, **evaluation_pieces(texts)}
    with (folder / "evaluation.jsonl").open("w", encoding="utf-8") as lines:
        for name, documents in evaluation.items():
            shares = shares_in_pages(documents, plain)
            kept = [text for text, one in zip(documents, shares, strict=True) if one < MOST_SHARED]
            lines.writelines(json.dumps({"kind": name, "text": text}, ensure_ascii=False) + "\n" for text in kept)  # fmt: skip
            counts[name] = {
                "documents": len(kept),
                "left_out": len(documents) - len(kept),
                "text_bytes": sum(len(text.encode()) for text in kept),
            }
    return counts


def read_evaluation(folder: Path) -> Iterator[tuple[str, str]]:
    """(kind, text) of each evaluation document."""
    with (folder / "evaluation.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["kind"], row["text"]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--manuals", type=Path, required=True)
    parser.add_argument("--labelled", type=Path, default=DATA / "extraction" / "wcxb-dev.parquet")
    parser.add_argument("--texts", type=Path, default=DATA / "text")
    args = parser.parse_args()
    counts: Mapping[str, Mapping[str, int]] = write_corpus(
        args.folder, manuals=args.manuals, labelled=args.labelled, texts=args.texts
    )
    (args.folder / "counts.json").write_text(json.dumps(counts, indent=1) + "\n")
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
