"""The founding text's studies at a third to half a million parameters: train what is not recorded, print, publish.

    python -m benchmarks.train.founding [STUDY ...] [--plan | --table | --page] [--most-runs N]

Studies: objectives (T5's four rounds), architectures, schedules, depth; all of them by default. Finished runs are
lines of results/founding_studies.jsonl and are never trained twice, on this machine or another; several processes may
work at once. How runs are judged: docs/founding_studies.md, which `--page` writes.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.corpora.text_files import DATA
from benchmarks.record import RESULTS, ROOT, argument_parser
from benchmarks.train.founding.comparisons import STUDIES, FoundingStudy
from benchmarks.train.founding.corpus import Corpus, write_corpus
from benchmarks.train.founding.judged import FINE_TUNING, fine_tuned
from benchmarks.train.founding.page import write_page
from benchmarks.train.founding.tables import FigureTables, figure_tables
from benchmarks.train.run_records import (
    RecordedExecutor,
    Records,
    read_records,
    run_key,
    take_recorded,
)
from schemas.errors import PipelineError
from schemas.manifest import read_manifest
from train.commands.arguments import positive
from train.statistics.paired import detectable
from train.studies.arms import study_arms
from train.studies.claims import AskedToStopError
from train.studies.execute import Executor
from train.studies.folder import enter, identity_of
from train.studies.plan import StudyPlan, plan_study
from train.studies.settings import StudySettings, load_study
from train.studies.study import run_study

RECORD = RESULTS / "founding_studies.jsonl"
PAGE = ROOT / "docs" / "founding_studies.md"
_BY_NAME = {study.name: study for study in STUDIES}


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say; the exit code."""
    args = _arguments(argv)
    chosen = [_BY_NAME[name] for name in args.studies or _BY_NAME]
    if args.page:
        write_page(read_records(RECORD), PAGE, RESULTS)
        print(PAGE)
    elif args.plan:
        print(plan_text(chosen, read_records(RECORD)))
    elif args.table:
        for study in chosen:
            print(table_text(study, read_records(RECORD)))
    else:
        return _train(chosen, args)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.prog = "python -m benchmarks.train.founding"
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=", ".join(_BY_NAME))
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--plan", action="store_true", help="what is left and what it costs")
    action.add_argument("--table", action="store_true", help="the tables of what is recorded")
    action.add_argument("--page", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--most-runs", type=positive, help="end after so many runs; default: all")
    parser.add_argument("--work", type=Path, default=Path("runs/founding"))
    parser.add_argument("--texts", type=Path, default=DATA / "text")
    parser.add_argument("--sst2", type=Path, default=DATA / "benchmarks" / "sst2" / "data" / "SST2")
    args = parser.parse_args(argv)
    unknown = sorted(set(args.studies) - set(_BY_NAME))
    if unknown:
        parser.error(f"no study {unknown[0]}; expected one of {', '.join(_BY_NAME)}")
    for folder in (args.texts, args.sst2):
        if not (args.plan or args.table or args.page or folder.is_dir()):
            parser.error(f"{folder} is not there; --texts and --sst2 name the folders of the data")
    return args


def _train(chosen: Sequence[FoundingStudy], args: argparse.Namespace) -> int:
    corpus = write_corpus(args.work / "corpus", texts=args.texts, sst2=args.sst2)
    left = args.most_runs
    for study in chosen:
        try:
            left = run_founding(
                study, load_study(study.path), corpus, work=args.work, path=RECORD, most_runs=left
            )
        except AskedToStopError as error:
            print(f"{study.name}: {error}; the same command goes on")
            return PipelineError.exit_code
        print(table_text(study, read_records(RECORD)))
    return 0


def run_founding(
    study: FoundingStudy,
    settings: StudySettings,
    corpus: Corpus,
    *,
    work: Path,
    path: Path,
    most_runs: int | None = None,
) -> int | None:
    """Train, judge and record what is not recorded, together with other processes.

    Args:
        study: Which study.
        settings: Its file.
        corpus: What its runs read.
        work: Folder of its runs.
        path: The file of finished runs.
        most_runs: End after so many; None: all.

    Returns:
        How many of `most_runs` are left.

    Raises:
        AskedToStopError: So many runs are done, or SIGTERM.
    """
    settings = settings.model_copy(
        update={
            "output": str(work / study.name),
            "set": {**settings.set, "manifest": str(corpus.text)},
        }
    )
    plan = plan_study(settings)
    pairs = [read_manifest(folder).root for folder in corpus.pairs.values()]
    keys = _keys(plan, [corpus.root, *pairs])
    enter(plan.folder, identity_of(plan))
    records = read_records(path)
    taken = take_recorded(plan.runs, plan.folder, keys, records, study.name)
    print(f"{study.name}: {taken} of {len(plan.runs)} runs are recorded", flush=True)
    executor = RecordedExecutor(
        study=study.name, keys=keys, path=path, inner=Executor(plan.measure), left=most_runs,
        beside=lambda run: fine_tuned(run, corpus),
    )  # fmt: skip
    run_study(settings, lambda measure: executor, say=lambda text: None)
    return executor.left


def _keys(plan: StudyPlan, roots: Sequence[str]) -> dict[str, str]:
    changes = {arm.name: arm.changes for arm in plan.arms}
    budget = plan.study.budget.model_dump(mode="json", exclude_none=True)
    return {
        run.name: run_key(
            base=plan.base.data, measure=plan.measure, budget=budget, changes=changes[run.arm], seed=run.seed,
            beside=FINE_TUNING, roots=roots,
        )
        for run in plan.runs
    }  # fmt: skip


def plan_text(chosen: Sequence[FoundingStudy], records: Records) -> str:
    """What each study has left, what it costs, and the smallest effect that it can find."""
    lines = [f"{'study':<16}{'arms':>5}{'seeds':>7}{'recorded':>10}{'left':>6}{'CPU h left':>12}  smallest effect"]  # fmt: skip
    whole = 0.0
    for study in chosen:
        settings = load_study(study.path)
        arms = [arm.name for arm in study_arms(settings)]
        done = {(run.arm, run.seed): run for run in records.of_study(study.name)}
        left = [(a, s) for s in settings.seeds for a in arms if (a, s) not in done]
        hours = sum(_seconds(study, arm, records) for arm, _ in left) / 3600
        whole += hours
        seeds = len(settings.seeds)
        units = detectable(math.sqrt(2 / seeds), (len(arms) - 1) * (seeds - 1) + 1)
        tables = figure_tables(study, arms, records)
        lines.append(
            f"{study.name:<16}{len(arms):>5}{seeds:>7}{len(done):>10}{len(left):>6}{hours:>12.2f}  {_effect(tables, units)}"
        )
    lines.append(f"{'together':<44}{whole:>12.2f}")
    return "\n".join(lines)


def _effect(tables: FigureTables, units: float) -> str:
    in_units = f"{units:.2f} deviations of a run"
    if not math.isfinite(tables.deviation):
        return f"{in_units}, not known before the second seed"
    return f"{units * tables.deviation:.4f} ({in_units}, {tables.deviation:.4f})"


def _seconds(study: FoundingStudy, arm: str, records: Records) -> float:
    """CPU seconds of a run: of this arm as recorded, else of the study, else as its first runs took."""
    runs = records.of_study(study.name)
    of_arm = [run.cpu_seconds for run in runs if run.arm == arm]
    return fmean(of_arm or [run.cpu_seconds for run in runs] or [study.seconds])


def table_text(study: FoundingStudy, records: Records) -> str:
    """The comparisons of a study for a terminal."""
    arms = [arm.name for arm in study_arms(load_study(study.path))]
    lines = [f"{study.name}; base: {study.base}"]
    for table in figure_tables(study, arms, records).tables:
        lines.append(f"  {table.title}")
        for line in table.lines:
            span = ""
            if line.difference is not None:
                span = f"{line.difference.value:+.4f} ({line.difference.low:+.4f} to {line.difference.high:+.4f})"
            lines.append(f"    {line.arm:<52}{line.value:>9.4f}  {span:<32}{line.verdict}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
