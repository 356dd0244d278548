"""datatrove's chain of rules on given texts, with its own virtual environment's Python.

    PEER/bin/python -m benchmarks.races.rules_datatrove TEXTS.json [--language eng_Latn]

Gopher repetition, Gopher quality, C4 without terminal marks, FineWeb: every filter sees every text,
since our rules compute every value. Prints one JSON line: CPU seconds of the texts after the first
ten, which load dictionaries, and how many documents all filters keep.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)

WARM = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--language", default="eng_Latn")
    parser.add_argument("--until-dropped", action="store_true",
                        help="stop at the first filter that drops, as its pipeline does")  # fmt: skip
    args = parser.parse_args()
    filters = [
        GopherRepetitionFilter(language=args.language),
        GopherQualityFilter(language=args.language),
        C4QualityFilter(filter_no_terminal_punct=False, language=args.language),
        FineWebQualityFilter(language=args.language),
    ]
    texts = json.loads(args.texts.read_text(encoding="utf-8"))
    kept, started = 0, 0.0
    for index, text in enumerate(texts):
        if index == WARM:
            kept, started = 0, time.process_time()
        passed = True
        for one in filters:
            if not passed and args.until_dropped:
                break
            document = Document(text=text, id=str(index))
            passed = one.filter(document) is True and passed
        kept += passed
    seconds = time.process_time() - started
    print(json.dumps({"documents": len(texts) - WARM, "kept": kept, "cpu_seconds": seconds}))


if __name__ == "__main__":
    main()
