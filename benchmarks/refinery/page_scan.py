"""Does the compiled scan of pages read what lexbor reads, and how fast is it?

    python -m benchmarks.refinery.page_scan DATA_FOLDER [--every 1]

Compares the blocks of every page of the labelled sets, by the scan and by the oracle (`tools/lexbor_tags.py`),
and names pages on which they differ. Speed: CPU time of one thread, alternating page by page, from
decoded text to tags, and from decoded text to main text, against resiliparse and trafilatura.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.races.extraction import blocks, by_resiliparse, by_trafilatura
from benchmarks.record import argument_parser, record
from refinery.extract.blocks import read_blocks
from refinery.extract.features import compute_features
from refinery.extract.scan.read import read_tags
from refinery.extract.tag_kinds import NAME_WORDS
from refinery.text.charset import decode
from tools.lexbor_tags import blocks_by_lexbor
from tools.train_blocks import SETS

FEATURE_TOLERANCE = 1e-4
NUM_SHOWN = 12


def num_changed(before: list[str], after: list[str]) -> int:
    """Blocks of one list that the other one has otherwise."""
    if before == after:
        return 0
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return sum(
        max(i2 - i1, j2 - j1) for op, i1, i2, j1, j2 in matcher.get_opcodes() if op != "equal"
    )


def compare(pages: list[str]) -> dict[str, object]:
    """Pages and blocks that both read alike, and the numbers of the pages that differ most."""
    changed, num_blocks, num_features = {}, 0, 0
    for number, html in enumerate(pages):
        ours, theirs = read_blocks(html), blocks_by_lexbor(html)
        num_blocks += len(theirs.texts)
        if num := num_changed(theirs.texts, ours.texts):
            changed[number] = num
        elif ours.texts:
            theirs.title, theirs.hints = ours.title, ours.hints
            both = compute_features(ours).rows, compute_features(theirs).rows
            num_features += bool(np.allclose(*both, atol=FEATURE_TOLERANCE))
        else:
            num_features += 1
    worst = sorted(changed, key=lambda number: -changed[number])[:NUM_SHOWN]
    return {
        "pages": len(pages), "equal_pages": len(pages) - len(changed), "blocks": num_blocks,
        "changed_blocks": sum(changed.values()), "pages_of_equal_features": num_features,
        "worst": {number: changed[number] for number in worst},
    }  # fmt: skip


def speed(pages: list[str]) -> dict[str, float]:
    """CPU seconds by program, one after another on each page."""
    programs: dict[str, Callable[[str], object]] = {
        "scan": lambda html: read_tags(html, NAME_WORDS), "blocks": blocks,
        "resiliparse": by_resiliparse, "trafilatura": by_trafilatura,
    }  # fmt: skip
    seconds = dict.fromkeys(programs, 0.0)
    for program in programs.values():
        program(pages[0])
    for html in pages:
        for name, program in programs.items():
            start = time.process_time()
            program(html)
            seconds[name] += time.process_time() - start
    return {name: round(spent, 3) for name, spent in seconds.items()}


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th page")
    parser.add_argument("--speed-every", type=int, default=15, help="the same, for speed")
    options = parser.parse_args()
    result: dict[str, object] = {}
    for name in SETS:
        rows = pq.read_table(options.data / f"{name}.parquet", columns=["html"]).to_pylist()
        pages = [decode(row["html"], None, is_html=True).text for row in rows]
        result[name] = {
            "equality": compare(pages[:: options.every]),
            "cpu_seconds": speed(pages[:: options.speed_every]),
        }
        print(name, result[name], flush=True)
    record("page_scan", result)


if __name__ == "__main__":
    main()
