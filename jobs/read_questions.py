"""Questions on paragraphs out of files in SQuAD's form: `python -m jobs.read_questions DRCD.json... --out DIR`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from refinery.publish.fetched import input_path
from refinery.supervised.questions import split_questions
from schemas.errors import SettingsError, run_main


def main(argv: list[str]) -> int:
    """Write train.jsonl, dev.jsonl and test.jsonl, and say what was left out."""
    parser = argparse.ArgumentParser(prog="python -m jobs.read_questions", description=__doc__)
    parser.add_argument("files", nargs="+", type=input_path, metavar="FILE")
    parser.add_argument("--out", required=True, type=Path, help="folder of the three files")
    parser.add_argument(
        "--max-chars", type=int, help="leave out paragraphs that are longer; default: none"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="decides which article is in which split"
    )
    args = parser.parse_args(argv)
    if args.max_chars is not None and args.max_chars < 1:
        raise SettingsError(f"--max-chars {args.max_chars}: expected 1 or more")
    found = split_questions(args.files, max_chars=args.max_chars, seed=args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    for split, questions in found.questions.items():
        path = args.out / f"{split}.jsonl"
        lines = [json.dumps(one.as_row(), ensure_ascii=False) + "\n" for one in questions]
        path.write_text("".join(lines), encoding="utf-8")
        articles = len({one.article for one in questions})
        print(f"{len(questions):>8,} questions on {articles:,} articles: {path}")
    for reason, count in found.left_out.most_common():
        print(f"{count:>8,} questions left out: {reason}")
    return 0


if __name__ == "__main__":
    run_main(main)
