"""Does refining help? Build the arms, train what is not recorded, print the tables, write the page.

    python -m benchmarks.outcome arms --corpus CORPUS --work WORK --peer PEER/bin/python
    python -m benchmarks.outcome plan --work WORK
    python -m benchmarks.outcome run [STUDY ...] --work WORK [--most-runs N]
    python -m benchmarks.outcome table [STUDY ...]
    python -m benchmarks.outcome page

CORPUS is what `benchmarks.corpora.web_and_manuals` wrote; PEER an environment with datatrove (see
benchmarks/races/pipeline.py, and `lxml_html_clean` in it). Finished runs are lines of results/outcome.jsonl and are never
trained twice, on this machine or another; several processes may work at once. What was asked and found: docs/outcome.md.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.outcome.arms import Work, arm_facts, build_arms
from benchmarks.outcome.contamination import RECORD as DOSES_RECORD
from benchmarks.outcome.page import write_page
from benchmarks.outcome.runs import FACTS, RECORD, known_kinds, read_facts, run_outcome, write_facts
from benchmarks.outcome.studies import STUDIES, OutcomeStudy, missing_arms
from benchmarks.outcome.tables import outcome_table
from benchmarks.record import argument_parser
from benchmarks.train.run_records import Records, read_records
from schemas.errors import PipelineError
from train.statistics.paired import detectable
from train.studies.claims import AskedToStopError

_BY_NAME = {study.name: study for study in STUDIES}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say; the exit code."""
    args = _arguments(argv)
    chosen = [_BY_NAME[name] for name in args.studies or _BY_NAME]
    work = Work(corpus=args.corpus, folder=args.work)
    if args.action == "arms":
        build_arms(work, peer=args.peer)
        write_facts(arm_facts(work))
        print(FACTS)
    elif args.action == "plan":
        print(plan_text(chosen, read_records(RECORD)))
    elif args.action == "table":
        for study in chosen:
            print(table_text(study, read_records(RECORD)))
    elif args.action == "page":
        html = work.folder / "outcome.html"
        print(
            write_page(read_records(RECORD), read_facts(), read_records(DOSES_RECORD), html=html),
            html,
        )
    else:
        return _train(chosen, work, args.most_runs)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("action", choices=("arms", "plan", "run", "table", "page"))
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=", ".join(_BY_NAME))
    parser.add_argument("--corpus", type=Path, default=Path("runs/outcome-corpus"))
    parser.add_argument("--work", type=Path, default=Path("runs/outcome"))
    parser.add_argument("--peer", type=Path, help="Python with datatrove; left out: no such arm")
    parser.add_argument("--most-runs", type=int, help="end after so many; default: all")
    args = parser.parse_args(argv)
    unknown = sorted(set(args.studies) - set(_BY_NAME))
    if unknown:
        parser.error(f"no study {unknown[0]}; expected one of {', '.join(_BY_NAME)}")
    if args.action == "arms" and not (args.corpus / "evaluation.jsonl").is_file():
        parser.error(
            f"{args.corpus}: no corpus there; python -m benchmarks.corpora.web_and_manuals writes it"
        )
    if args.action == "run" and not (args.work / "evaluation" / "manifest.json").is_file():
        parser.error(f"{args.work}: no arms there; begin with `arms`")
    return args


def _train(chosen: Sequence[OutcomeStudy], work: Work, most_runs: int | None) -> int:
    print(plan_text(chosen, read_records(RECORD)), flush=True)  # before the first run
    left = most_runs
    for study in chosen:
        for arm in missing_arms(study, work):
            print(f"{study.name}: {arm} is not built yet; its runs are left for later", flush=True)
        try:
            left = run_outcome(study, work, most_runs=left)
        except AskedToStopError as error:
            print(f"{study.name}: {error}; the same command goes on")
            return PipelineError.exit_code
        print(table_text(study, read_records(RECORD)), flush=True)
    return 0


def plan_text(chosen: Sequence[OutcomeStudy], records: Records) -> str:
    """What each study has left, what it costs, and the smallest effect that it can find four times of five."""
    lines = [f"{'study':<12}{'arms':>5}{'seeds':>6}{'recorded':>10}{'left':>6}{'CPU h left':>12}  smallest effect"]  # fmt: skip
    whole = 0.0
    for study in chosen:
        runs = [one for one in records.of_study(study.name) if one.state == "done"]
        left = len(study.arms) * study.seeds - len(runs)
        trained = [
            run.cpu_seconds for run in runs if run.cpu_seconds
        ]  # others are of another study
        seconds = sum(trained) / len(trained) if trained else study.cpu_seconds
        whole += left * seconds / 3600
        table = outcome_table(study, records, known_kinds())
        freedom = (len(study.arms) - 1) * (study.seeds - 1)
        units = detectable(math.sqrt(2 / study.seeds), freedom + 1)
        effect = f"{units:.2f} deviations of a run"
        if math.isfinite(table.deviation):
            effect = f"{units * table.deviation:.4f} ({effect}, {table.deviation:.4f})"
        lines.append(
            f"{study.name:<12}{len(study.arms):>5}{study.seeds:>6}{len(runs):>10}{left:>6}"
            f"{left * seconds / 3600:>12.2f}  {effect}"
        )
    return "\n".join([*lines, f"{'together':<39}{whole:>12.2f}"])


def table_text(study: OutcomeStudy, records: Records) -> str:
    """A study's table for a terminal."""
    table = outcome_table(study, records, known_kinds())
    lines = [f"{study.name}: {study.question}  ({study.figure}, {table.cpu_hours:.2f} CPU hours)"]
    for line in table.lines:
        span = documents = ""
        if line.difference is not None:
            one = line.difference
            span = (
                f"{one.value:+.4f} ({one.low:+.4f} to {one.high:+.4f}), finds {line.smallest:.4f}"
            )
        if line.documents is not None:
            documents = f"over documents {line.documents.low:+.4f} to {line.documents.high:+.4f}"
        lines.append(
            f"  {line.arm:<32}{line.value:>8.4f}  {span:<52} {line.verdict:<16} {documents}"
        )
    if math.isfinite(table.deviation):
        lines.append(
            f"  deviation of a run {table.deviation:.4f}, {table.freedom} degrees of freedom"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
