"""Train what is not recorded, and record each run when it ends: a fresh machine goes on where another one stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.corpora.text_files import DATA
from benchmarks.outcome.arms import Work
from benchmarks.outcome.studies import OutcomeStudy, keys, plan
from benchmarks.outcome.tables import Kinds
from benchmarks.record import RESULTS, conditions
from benchmarks.train.run_records import (
    RecordedExecutor,
    append_record,
    read_records,
    take_recorded,
)
from schemas.errors import SettingsError
from train.studies.execute import Executor
from train.studies.folder import enter, identity_of
from train.studies.runs import StudyRun
from train.studies.work import work_through

RECORD = RESULTS / "outcome.jsonl"
PAIR_TASKS = ("blimp", "zhoblimp")
FACTS = RESULTS / "outcome_arms.json"


def minimal_pairs(run: StudyRun, *, data: Path, pairs: int) -> dict[str, float]:
    """Share of minimal pairs whose good sentence a run finds likelier, by language.

    Args:
        run: At its end.
        data: Folder of benchmarks with `minimal_pairs`.
        pairs: Of each paradigm, the same for all runs.
    """
    from train.__main__ import main

    output = Path(run.settings.output)
    main(
        ["evaluate", "--model", str(output), "--data", str(data), "--per-cluster", str(pairs), "--tasks", *PAIR_TASKS]
    )  # fmt: skip
    tasks = json.loads((output / "evaluation.json").read_text("utf-8"))["tasks"]
    return {one["name"]: one["metrics"]["acc"]["value"] for one in tasks}


def run_outcome(
    study: OutcomeStudy,
    work: Work,
    *,
    path: Path = RECORD,
    data: Path = DATA / "benchmarks",
    most_runs: int | None = None,
) -> int | None:
    """Train what no line of the file has; how many of `most_runs` are left.

    Raises:
        SettingsError: The minimal pairs that stand beside the measure are not there.
        AskedToStopError: So many runs are done, or SIGTERM.
    """
    if study.pairs is not None and not (data / "minimal_pairs").is_dir():
        raise SettingsError(f"{data / 'minimal_pairs'}: no minimal pairs there; TEST_DATA names the folder of data")  # fmt: skip
    planned = plan(study, work)
    own = keys(planned, work, pairs=study.pairs)
    enter(planned.folder, identity_of(planned))
    adopt(planned.runs, own, study.name, path)
    take_recorded(planned.runs, planned.folder, own, read_records(path), study.name)
    executor = RecordedExecutor(
        study=study.name,
        keys=own,
        path=path,
        inner=Executor(planned.measure),
        beside=lambda run: (
            {} if study.pairs is None else minimal_pairs(run, data=data, pairs=study.pairs)
        ),
        left=most_runs,
    )
    work_through(planned.runs, planned.folder, executor)
    return executor.left


def adopt(runs: Sequence[StudyRun], keys: Mapping[str, str], study: str, path: Path) -> None:
    """Record under this study what another one has recorded of the same recipe, data, length and seed; it costs nothing again."""
    records = read_records(path)
    by_key = {run.key: run for run in records.runs.values() if run.state == "done"}
    for run in runs:
        known, found = records.runs.get((study, run.name)), by_key.get(keys[run.name])
        if found is not None and (known is None or known.key != found.key):
            taken = replace(
                found, study=study, run=run.name, arm=run.arm, seed=run.seed, cpu_seconds=0.0
            )
            append_record(path, taken, records.losses_of(found))


def write_facts(facts: Mapping[str, Any]) -> None:
    """Write what the arms are, with when and of which commit; paths are no part of it."""
    known = conditions()
    about = {name: known[name] for name in ("date", "commit", "changed", "cpu", "packages")}
    whole = {"benchmark": FACTS.stem, "record": about, **facts}
    FACTS.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_facts() -> dict[str, Any]:
    """What `arms` wrote down of the corpus and the arms; nothing where it has not run.

    Raises:
        OSError: The file is there and cannot be read.
    """
    found: dict[str, Any] = json.loads(FACTS.read_text("utf-8")) if FACTS.is_file() else {}
    return found


def known_kinds() -> Kinds:
    """The evaluation documents by id, with the text that each is of and its size."""
    kinds: Kinds = read_facts().get("evaluation", {})
    return kinds
