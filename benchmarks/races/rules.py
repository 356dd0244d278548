"""Documents per CPU second of our rules and of datatrove's chain on the same texts.

    python -m venv PEER && PEER/bin/pip install 'datatrove[io,processing]==0.10.1' spacy jieba
    python -m benchmarks.races.rules --peer PEER/bin/python [--data FOLDER] [--documents 400]

Both sides compute Gopher's repetition and quality rules, C4's line and page rules without terminal
marks and FineWeb's; ours with all values of the ledger. One thread each, CPU time, one JSON line.
Two kinds of English text: books in pieces, and the marked main content of web pages where given.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pyarrow.parquet as pq

from benchmarks.corpora.text_files import DATA, FILES_BY_LANGUAGE, read_documents
from benchmarks.record import argument_parser, record
from benchmarks.refinery.rules import batches
from refinery.filters.config import RulesConfig
from refinery.filters.lines import line_edits, sentences_left
from refinery.filters.rules import failed_rules
from refinery.filters.values import compute_values
from refinery.text.batch import TextBatch

PEER_LANGUAGES = {"en": "eng_Latn", "zh": "cmn_Hani", "web": "eng_Latn"}
OPTIONAL = ("c4:lorem_ipsum", "c4:curly_bracket", "c4:sentences", "fineweb:dup_line_chars")
CONFIG = RulesConfig(optional=OPTIONAL)
PASSES = 3


def ours(texts: list[str], language: str, *, edits: bool) -> tuple[float, int]:
    """CPU seconds, best of three passes, and the documents kept."""
    best, kept = float("inf"), 0
    for _ in range(PASSES):
        started, kept = time.process_time(), 0
        for group in batches(texts):
            batch = TextBatch.of(group)
            values = compute_values(batch)
            if edits:
                edits_of_lines = line_edits(batch, ("c4_without_marks",)).edits
                values["sentences"] = sentences_left(batch, edits_of_lines)
            failed = failed_rules(values, [language] * len(group), CONFIG)
            kept += sum(not reasons for reasons in failed)
        best = min(best, time.process_time() - started)
    return best, kept


def theirs(peer: Path, texts: list[str], language: str, *, stop: bool) -> dict[str, Any]:
    """The peer's answer on the same texts."""
    script = Path(__file__).with_name("rules_datatrove.py")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps(texts), encoding="utf-8")
        command = [str(peer), str(script), str(path), "--language", language]
        done = subprocess.run(
            [*command, *(["--until-dropped"] if stop else [])],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def texts_by_kind(folder: Path, documents: int) -> dict[str, list[str]]:
    """At most `documents` texts of each kind; pages only where their file is there."""
    texts = {
        name: read_documents(folder / "text", FILES_BY_LANGUAGE[name], 30_000 * documents)[
            :documents
        ]
        for name in ("en", "zh")
    }
    pages = folder / "extraction" / "wcxb-dev.parquet"
    if pages.is_file():
        column = pq.read_table(pages, columns=["main_content"])["main_content"].to_pylist()
        texts["web"] = [text for text in column if text and len(text) > 200][:documents]
    return texts


def race(peer: Path, texts: list[str], name: str) -> dict[str, Any]:
    """Both sides on one kind of text."""
    language = "zh" if name == "zh" else "en"
    seconds, kept = ours(texts, language, edits=True)
    alone, _ = ours(texts, language, edits=False)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    all_filters = theirs(peer, texts, PEER_LANGUAGES[name], stop=False)
    stopping = theirs(peer, texts, PEER_LANGUAGES[name], stop=True)
    mine = len(texts) / seconds
    peers = all_filters["documents"] / all_filters["cpu_seconds"]
    return {
        "documents": len(texts),
        "megabytes": round(megabytes, 2),
        "kept_share": round(kept / len(texts), 3),
        "megabytes_per_core_second": round(megabytes / seconds, 1),
        "megabytes_per_core_second_without_line_edits": round(megabytes / alone, 1),
        "documents_per_core_second": round(mine),
        "datatrove_documents_per_core_second": round(peers, 1),
        "datatrove_kept_share": round(all_filters["kept"] / all_filters["documents"], 3),
        "ratio": round(mine / peers, 1),
        "ratio_without_line_edits": round(len(texts) / alone / peers, 1),
        "ratio_where_it_stops_at_the_first_reason": round(
            mine * stopping["cpu_seconds"] / stopping["documents"], 1
        ),
    }


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--peer", type=Path, required=True, help="Python with datatrove")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--documents", type=int, default=400)
    args = parser.parse_args()
    result = {
        name: race(args.peer, texts, name)
        for name, texts in texts_by_kind(args.data, args.documents).items()
    }
    record("race_rules", result)


if __name__ == "__main__":
    main()
