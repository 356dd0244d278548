"""Text, code, tables and formulas of extracted pages, each by its own measure, against trafilatura and resiliparse.

    python -m benchmarks.races.extraction_parts DATA_FOLDER [--every 2]

Of the labelled pages that have such a part. The truth of code, tables and formulas is read from the page's own
markup by lxml, and counts where its words stand in the text that people marked: so it tells how a part is
written, not whether it was rightly kept. Our weights have seen these pages, which flatters the lines for
text; benchmarks.races.extraction compares text by folds. Text is compared with the marked text. Trafilatura and ours write
markdown; resiliparse writes plain text, with its tables as lines. Intervals are 95 %, by a bootstrap over sites.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lxml.html
import numpy as np
import pyarrow.parquet as pq
import trafilatura

from benchmarks.races.extraction import by_resiliparse, is_chinese
from benchmarks.record import argument_parser, record
from refinery.extract.classifier import extract_main_text
from refinery.text.charset import decode
from tools.block_labels import words_of
from tools.part_scores import (
    Table,
    edit_similarity,
    found_once,
    ngram_f1,
    table_similarity,
)
from tools.train_blocks import SETS, site_of

NUM_BOOTSTRAPS = 2_000
MOST_CODE_CHARS, MOST_ROWS, MOST_CELL_CHARS = 1_500, 20, 80
MOST_PARTS, MOST_PLACES = 5, 200
IN_TRUTH = 0.8
_GRAM = 3
_QUOTED = re.compile(r"^(?:> )+|^>$")
_TEX = re.compile(r"math/tex|application/x-tex|latex|tex", re.I)


def by_trafilatura(html: str) -> str:
    """Trafilatura as it comes, writing markdown."""
    return trafilatura.extract(html, output_format="markdown", include_tables=True) or ""


def by_blocks(html: str) -> str:
    """This repository's engine, writing markdown."""
    return extract_main_text(html, "markdown").text


ENGINES: dict[str, Callable[[str], str]] = {
    "blocks": by_blocks, "trafilatura": by_trafilatura, "resiliparse": by_resiliparse,
}  # fmt: skip


class Truth:
    """The parts of one page that stand in its marked text."""

    def __init__(self, html: str, text: str) -> None:
        words = words_of(text)
        self._grams = set(zip(*(words[i:] for i in range(_GRAM)), strict=False))
        self._words = set(words)
        tree = lxml.html.document_fromstring(html.encode("utf-8", "replace"))
        self.code = [c for c in map(code_of, tree.iter("pre")) if c and self._holds(c)]
        self.tables = [t for t in map(table_of, tree.iter("table")) if t and self._holds_table(t)]
        self.formulas = _formulas_of(tree)

    def _holds(self, part: str) -> bool:
        words = words_of(part)
        grams = list(zip(*(words[i:] for i in range(_GRAM)), strict=False))
        return bool(grams) and sum(g in self._grams for g in grams) >= IN_TRUTH * len(grams)

    def _holds_table(self, table: Table) -> bool:
        words = [word for row in table for cell in row for word in words_of(cell)]
        return bool(words) and sum(w in self._words for w in words) >= 0.95 * len(words)


def code_of(pre: Any) -> str:
    text = "".join(pre.itertext()).replace("\xa0", " ").strip("\n")
    is_gutter = all(line.strip().isdigit() for line in text.split("\n") if line.strip())
    return "" if is_gutter or text.count("\n") < 1 else text[:MOST_CODE_CHARS]


def table_of(table: Any) -> list[list[str]]:
    if next(table.iterdescendants("table"), None) is not None:
        return []
    rows = [
        [_cell_text(cell) for cell in row if cell.tag in ("td", "th")] for row in table.iter("tr")
    ]
    rows = [row for row in rows if any(row)]
    longest = max((len(cell) for row in rows for cell in row), default=0)
    is_data = len(rows) > 1 and sum(len(row) > 1 for row in rows) * 2 > len(rows)
    return rows[:MOST_ROWS] if is_data and longest < 1_000 else []


def _cell_text(cell: Any) -> str:
    return " ".join(" ".join(cell.itertext()).split())[:MOST_CELL_CHARS]


def _formulas_of(tree: Any) -> list[str]:
    found = []
    for math in tree.iter("math"):
        notes = [n for n in math.iter("annotation") if _TEX.search(n.get("encoding") or "")]
        tex = math.get("alttext") or ("".join(notes[0].itertext()) if notes else "")
        if tex.strip():
            found.append(re.sub(r"^\s*\{\\displaystyle (.*)\}\s*$", r"\1", tex, flags=re.S))
    found += [
        "".join(s.itertext()) for s in tree.iter("script") if "math/tex" in (s.get("type") or "")
    ]
    return found


def code_score(text: str, code: str) -> float:
    """Edit similarity with one piece of code, of the three places of a text that share most words with it."""
    lines = [_QUOTED.sub("", line) for line in text.split("\n")]
    wanted = code.split("\n")
    heads = {line.strip() for line in [w for w in wanted if w.strip()][:2]}
    starts = [i for i, line in enumerate(lines) if line.strip() in heads][:MOST_PLACES]
    starts += [i for i in range(len(lines)) if i and lines[i - 1].startswith("```")][:MOST_PLACES]
    places = {"\n".join(lines[i : i + len(wanted)])[:MOST_CODE_CHARS] for i in starts}
    words = Counter(words_of(code))
    likeliest = sorted(places, key=lambda place: -(Counter(words_of(place)) & words).total())[:3]
    return max((edit_similarity(place, code) for place in likeliest), default=0.0)


def tables_in(text: str) -> list[list[list[str]]]:
    """Groups of lines with bars, tabs or wide blanks between cells; resiliparse parts them so."""
    tables: list[list[list[str]]] = [[]]
    for line in text.split("\n"):
        if re.fullmatch(r"[|\s:-]*-{3}[|\s:-]*", line):
            continue
        bare = re.sub(r"^\s*\|\s?|\s?\|\s*$", "", line)
        parts = re.split(r"(?<!\\)\||\t+| {2,}", bare) if "|" in line or "\t" in line else []
        if not parts and "  " in line.strip():
            parts = re.split(r" {2,}", line.strip())
        if len(parts) > 1:
            cells = [" ".join(part.replace("\\|", "|").split())[:MOST_CELL_CHARS] for part in parts]
            tables[-1].append(cells)
        elif tables[-1]:
            tables.append([])
    return [table for table in tables if table]


def table_score(tables: list[list[list[str]]], truth: Table) -> float:
    """TEDS of the table of a text that shares most words with this one; at least 0, as where there is none."""
    wanted = {word for row in truth for cell in row for word in words_of(cell)}

    def shared(table: Table) -> int:
        return len(wanted & {word for row in table for cell in row for word in words_of(cell)})

    best = max(tables, key=shared, default=None)
    return max(0.0, table_similarity(best[:MOST_ROWS], truth)) if best else 0.0


def scores_of(text: str, truth: Truth, marked: str) -> dict[str, float]:
    """By part, the mean over the page's parts of this kind."""
    scores = {
        "text: words": ngram_f1(text, marked, 1),
        "text: four words": ngram_f1(text, marked, 4),
    }
    if truth.code:
        scores["code"] = float(np.mean([code_score(text, c) for c in truth.code[:MOST_PARTS]]))
    if truth.tables:
        tables = tables_in(text)
        scores["tables"] = float(
            np.mean([table_score(tables, t) for t in truth.tables[:MOST_PARTS]])
        )
    if truth.formulas:
        scores["formulas"] = found_once(text, truth.formulas)
    return scores


def compare(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean by engine, and what ours has more than each peer."""
    sites: dict[str, list[int]] = defaultdict(list)
    for index, entry in enumerate(entries):
        sites[entry["site"]].append(index)
    members = [np.array(indices) for indices in sites.values()]
    values = {name: np.array([entry[name] for entry in entries]) for name in ENGINES}
    generator = np.random.default_rng(0)
    rows = [
        np.concatenate([members[i] for i in generator.integers(0, len(members), len(members))])
        for _ in range(NUM_BOOTSTRAPS)
    ]
    found: dict[str, Any] = {"pages": len(entries), "sites": len(members)}
    found.update({name: round(float(array.mean()), 4) for name, array in values.items()})
    for peer in ("trafilatura", "resiliparse"):
        gain = values["blocks"] - values[peer]
        low, high = np.percentile([gain[r].mean() for r in rows], [2.5, 97.5])
        found[f"minus_{peer}"] = [round(float(x), 4) for x in (gain.mean(), low, high)]
    return found


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--every", type=int, default=2, help="take every n-th page that has such a part"
    )
    options = parser.parse_args()
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in SETS[:2]:
        rows = pq.read_table(options.data / f"{name}.parquet").to_pylist()
        signs = (b"<pre", b"<table", b"<math", b"math/tex", b"katex", b"mwe-math")
        rows = [r for r in rows if name != SETS[0] or any(sign in r["html"] for sign in signs)]
        for row in rows[:: options.every]:
            html, marked = decode(row["html"], None, is_html=True).text, row["main_content"] or ""
            truth = Truth(html, marked)
            by_engine = {e: scores_of(engine(html), truth, marked) for e, engine in ENGINES.items()}
            for part in by_engine["blocks"]:
                entry: dict[str, Any] = {"site": site_of(row["url"])}
                entry.update({engine: scores[part] for engine, scores in by_engine.items()})
                groups[f"{part}, {name}"].append(entry)
                if part.startswith("text") and is_chinese(marked):
                    groups[f"{part}, Chinese"].append(entry)
    record("extraction_parts", {"parts": {g: compare(e) for g, e in sorted(groups.items())}})


if __name__ == "__main__":
    main()
