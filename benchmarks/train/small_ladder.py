"""A ladder of five sizes, 0.2 to 1 M parameters, at 2 and 8 tokens per parameter: which law do their losses follow?

    python -m benchmarks.train.small_ladder [--plan] [--most-runs N]

English books and Chinese pages (a vocabulary of 2,048, about 7 M tokens, so that no run reads its text twice). Finished runs are
lines of results/small_ladder.jsonl and are never trained twice, on this machine or another; several processes may work at
once. When all are done the law is fitted, with its intervals, what it says of 4 times the largest size after 4 times its tokens, and the
best size for 4 times its compute; results/small_ladder.json has them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.corpora.text_files import DATA
from benchmarks.record import RESULTS, argument_parser, record
from benchmarks.train.founding.corpus import Sizes, write_text
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
from train.scaling.fit import Question, fit_ladder, ladder_lines
from train.scaling.law import Allocation
from train.scaling.points_file import read_points
from train.studies.claims import AskedToStopError
from train.studies.execute import Executor
from train.studies.folder import enter
from train.studies.ladder import (
    COUNTED_WORDS,
    POINTS_NAME,
    LadderPlan,
    LadderSettings,
    climb,
    ladder_identity,
    load_ladder,
    plan_ladder,
)

NAME = "small_ladder"
RECORD = RESULTS / f"{NAME}.jsonl"
LADDER = Path(__file__).with_name(f"{NAME}.yaml")
SIZES = Sizes(vocabulary=2048, english_bytes=12_000_000, chinese_bytes=9_000_000)
TARGET_TIMES = 4
# CPU seconds of an operation, as the first runs took; records replace it in a plan.
_SECONDS_PER_FLOP = 2.0e-11


def main(argv: Sequence[str] | None = None) -> int:
    """Plan the ladder, or train what is not recorded and fit the law; the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--plan", action="store_true", help="what is left and what it costs")
    parser.add_argument("--most-runs", type=positive, help="end after so many runs; default: all")
    parser.add_argument("--work", type=Path, default=Path("runs") / NAME)
    parser.add_argument("--texts", type=Path, default=DATA / "text")
    args = parser.parse_args(argv)
    if not args.texts.is_dir():
        parser.error(f"{args.texts} is not there; --texts names the folder of the texts")
    text = write_text(args.work / "corpus", texts=args.texts, sizes=SIZES)
    plan = recorded_plan(load_ladder(LADDER), text, args.work)
    if args.plan:
        print(plan_text(plan, read_records(RECORD)))
        return 0
    try:
        climb_recorded(plan, text, RECORD, most_runs=args.most_runs)
    except AskedToStopError as error:
        print(f"{error}; the same command goes on")
        return PipelineError.exit_code
    record(NAME, fitted(plan, read_records(RECORD)))
    return 0


def recorded_plan(settings: LadderSettings, text: Path, work: Path) -> LadderPlan:
    """The ladder over a text, its runs in a folder."""
    own = {"output": str(work / "runs"), "set": {**settings.set, "manifest": str(text)}}
    return plan_ladder(settings.model_copy(update=own))


def climb_recorded(
    plan: LadderPlan, text: Path, path: Path, *, most_runs: int | None = None
) -> None:
    """Train what is not recorded, together with other processes.

    Raises:
        AskedToStopError: So many runs are done, or SIGTERM.
    """
    keys = {
        run.name: run_key(
            base=plan.base.data, measure=plan.measure, budget={"tokens": run.tokens}, seed=run.seed, beside={},
            changes={"parameters": run.sizes.parameters, "peak_lr": run.settings.schedule.peak_lr},
            roots=[read_manifest(text).root],
        )
        for run in plan.runs
    }  # fmt: skip
    enter(plan.folder, ladder_identity(plan))
    taken = take_recorded(plan.runs, plan.folder, keys, read_records(path), NAME)
    print(f"{taken} of {len(plan.runs)} runs are recorded", flush=True)
    executor = RecordedExecutor(
        study=NAME, keys=keys, path=path, inner=Executor(plan.measure), beside=lambda run: {}, left=most_runs
    )  # fmt: skip
    climb(plan, executor)


def fitted(plan: LadderPlan, records: Records, *, resamples: int = 1_000) -> dict[str, Any]:
    """The law of a ladder whose runs are done, and what it says of a larger model; printed and given."""
    points = read_points(plan.folder / POINTS_NAME, counted=COUNTED_WORDS[plan.settings.counted])
    largest = max(plan.runs, key=lambda run: run.sizes.parameters * run.tokens)
    target = Allocation(
        parameters=TARGET_TIMES * plan.parameters[largest.name], tokens=float(TARGET_TIMES * largest.tokens)
    )  # fmt: skip
    # The best size for more compute than that lies farther beyond these runs than a law may be asked.
    flops = TARGET_TIMES * 6.0 * plan.parameters[largest.name] * largest.tokens
    fit = fit_ladder(points, Question(flops=flops, target=target, factor=8.0, resamples=resamples))
    lines = ladder_lines(fit)
    print("\n".join(lines))
    runs = records.of_study(NAME)
    return {
        "runs": len(runs),
        "cpu_hours": round(sum(one.cpu_seconds for one in runs) / 3600, 2),
        "law": asdict(fit.law),
        "by_huber": asdict(fit.by_huber),
        "noise": fit.noise,
        "target": asdict(target),
        "flops": flops,
        "verdict": lines,
    }


def plan_text(plan: LadderPlan, records: Records) -> str:
    """The runs, what is recorded of them, and the CPU hours that are left."""
    done = {run.run: run for run in records.of_study(NAME)}
    known = [done[run.name].cpu_seconds / run.flops for run in plan.runs if run.name in done]
    per_flop = fmean(known) if known else _SECONDS_PER_FLOP
    lines = [f"{'run':<24}{'parameters':>12}{'tokens':>12}{'peak rate':>11}{'CPU s':>8}"]
    left = 0.0
    for run in plan.runs:
        if run.name in done:
            shown = f"{done[run.name].cpu_seconds:.0f}"
        else:
            left += run.flops * per_flop
            shown = f"~{run.flops * per_flop:.0f}"
        rate = run.settings.schedule.peak_lr or 0.0
        lines.append(
            f"{run.name:<24}{plan.parameters[run.name]:>12,}{run.tokens:>12,}{rate:>11.2g}{shown:>8}"
        )
    lines.append(f"{len(done)} of {len(plan.runs)} runs are recorded, {left / 3600:.2f} CPU hours are left")  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
