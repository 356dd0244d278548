"""Code and tables of pages by hand labels: is what belongs to the content kept, as what it is, and the rest left out?

    python -m benchmarks.races.labelled_parts DATA_FOLDER [--every 1]

tools/part_labels.tsv names the first five `pre`, `table` and long `code` elements of 209 pages of the labelled sets,
each by its page's SHA-256, its index among the page's elements of that tag and its number of words. One
reader judged each by the page's address, the element's size and its first 90 characters, without seeing what any
engine does or what others marked as the text: `kept` is content and code or a table, `prose` is content in such a
tag that is neither, `left_out` is navigation, forms, advertisements or a copy.

Scores are means over pages: of kept code, edit similarity; of kept tables, TEDS; of prose, the share of its runs of
four words that are found; of what is to be left out, the share that is not, over runs that stand nowhere else on
the page. Our weights have seen the text of these pages, but no label of this file. Intervals are
95 %, by a bootstrap over sites.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lxml.html
import numpy as np
import pyarrow.parquet as pq

from benchmarks.races.extraction_parts import (
    ENGINES,
    code_of,
    code_score,
    compare,
    table_of,
    table_score,
    tables_in,
)
from benchmarks.record import argument_parser, record
from refinery.text.charset import decode
from tools.block_labels import words_of
from tools.train_blocks import SETS, site_of

LABELS = Path(__file__).parents[2] / "tools" / "part_labels.tsv"
TAGS = ("pre", "table", "code")
RUN_WORDS = 4
Runs = Counter[tuple[str, ...]]


class Label(NamedTuple):
    """What one reader said of one element."""

    part: str
    words: int
    verdict: str


def read_labels(path: Path = LABELS) -> dict[str, list[Label]]:
    """Labels by page."""
    labels: dict[str, list[Label]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            labels[row["page"]].append(Label(row["part"], int(row["words"]), row["verdict"]))
    return labels


def elements_of(tree: Any) -> dict[str, Any]:
    """Elements by tag and index, as labels name them."""
    return {f"{tag}{index}": one for tag in TAGS for index, one in enumerate(tree.iter(tag))}


def text_of(element: Any) -> str:
    """Text of an element; cells of a table stand apart."""
    return ("" if element.tag in ("pre", "code") else " ").join(element.itertext())


def runs_of(text: str) -> Runs:
    """Runs of four words, each with its number."""
    words = words_of(text)
    return Counter(zip(*(words[i:] for i in range(RUN_WORDS)), strict=False))


def scores_of(text: str, tree: Any, labels: list[Label]) -> Iterator[tuple[str, float]]:
    """(measure, score) of each labelled element that has one.

    Raises:
        ValueError: An element is not the one that was labelled.
    """
    elements, page = elements_of(tree), runs_of(text_of(tree))
    found, tables = runs_of(text), tables_in(text)
    for label in labels:
        element = elements.get(label.part)
        own = text_of(element) if element is not None else ""
        if element is None or len(words_of(own)) != label.words:
            raise ValueError(
                f"{label.part}: {len(words_of(own))} words, the label says {label.words}"
            )
        runs = runs_of(own)
        alone = Counter({run: count for run, count in runs.items() if page[run] == count})
        if label.verdict == "left_out" and alone:
            yield "left out", 1 - (alone & found).total() / alone.total()
        elif label.verdict == "prose" and runs:
            yield "prose in tables and pre", (runs & found).total() / runs.total()
        elif label.verdict == "kept" and element.tag == "table":
            if table := table_of(element):
                yield "tables kept", table_score(tables, table)
        elif label.verdict == "kept" and (code := code_of(element)):
            yield "code kept", code_score(text, code)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th labelled page")
    options = parser.parse_args()
    labels = read_labels()
    taken = set(sorted(labels)[:: options.every])
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in SETS[:2]:
        for row in pq.read_table(options.data / f"{name}.parquet").to_pylist():
            page = hashlib.sha256(row["html"]).hexdigest()[:16]
            if page not in taken:
                continue
            taken.remove(page)
            html = decode(row["html"], None, is_html=True).text
            tree = lxml.html.document_fromstring(html.encode("utf-8", "replace"))
            entries: dict[str, dict[str, Any]] = defaultdict(lambda: {"site": ""})
            for engine, extract in ENGINES.items():
                scores: dict[str, list[float]] = defaultdict(list)
                for measure, score in scores_of(extract(html), tree, labels[page]):
                    scores[measure].append(score)
                for measure, of_page in scores.items():
                    entries[measure]["site"] = site_of(row["url"])
                    entries[measure][engine] = float(np.mean(of_page))
            for measure, entry in entries.items():
                groups[measure].append(entry)
    if taken:
        raise SystemExit(
            f"{len(taken)} labelled pages are not in {options.data}: {sorted(taken)[:3]}"
        )
    record("labelled_parts", {"parts": {g: compare(e) for g, e in sorted(groups.items())}})


if __name__ == "__main__":
    main()
