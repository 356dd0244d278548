"""Finished runs of studies as lines of a file in the repository: a fresh machine takes them as they are and trains the others.

A line is a run; lines that name documents stand before the first run that was measured on them. What a run's
result depends on is a hash of its recipe and seed as its study's files say them, of its data and of how it is
judged: another recipe makes another key, and the run is trained again.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.record import conditions
from benchmarks.whole_lines import append_lines, read_whole_lines
from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.studies.claims import AskedToStopError
from train.studies.outcome import Costs, Documents, Outcome, State, write_outcome
from train.studies.runs import StudyRun
from train.studies.settings import MeasureConfig
from train.studies.work import Execute, outcome_or_failure, outcome_path

_DIGITS = 4  # of a document's summed loss, in nats; its labels are hundreds
_KEY_CHARS = 16
_SPENT_NAME = "spent.json"


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run that came to its end, or failed.

    Attributes:
        study: Name of the study.
        key: What its result depends on, as a hash.
        value: The measure; None where the run failed.
        why: What ended it, where it failed.
        parameters: Of its model.
        tokens: Packed tokens that it read.
        cpu_seconds: Of training, measuring and fine-tuning together.
        figures: What stands beside the measure, by name.
        documents: Hash of the documents that it was measured on; None where there are none.
        losses: Their summed losses, in nats.
        conditions: When, where and of which commit.
    """

    study: str
    run: str
    arm: str
    seed: int
    key: str
    state: State
    value: float | None
    why: str | None
    parameters: int
    tokens: int
    cpu_seconds: float
    figures: dict[str, float]
    documents: str | None
    losses: tuple[float, ...]
    conditions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Records:
    """All lines of the file.

    Attributes:
        runs: By study and name; a later line replaces an earlier one.
        documents: By hash: the root of the split, names and numbers of labels.
    """

    runs: Mapping[tuple[str, str], RunRecord]
    documents: Mapping[str, Documents]

    def of_study(self, study: str) -> list[RunRecord]:
        """The runs of one study in the order of the file."""
        return [one for (name, _), one in self.runs.items() if name == study]

    def losses_of(self, record: RunRecord) -> Documents | None:
        """A run's losses with the names of their documents."""
        if record.documents is None:
            return None
        known = self.documents[record.documents]
        return Documents(
            root=known.root, names=known.names, labels=known.labels, losses=record.losses
        )


def read_records(path: Path) -> Records:
    """The whole lines of a file; none where there is no file. What a killed worker left of a line is none.

    Raises:
        ContractError: A line is none of ours.
    """
    runs: dict[tuple[str, str], RunRecord] = {}
    documents: dict[str, Documents] = {}
    for number, line in enumerate(read_whole_lines(path), start=1):
        try:
            found = json.loads(line)
            if "names" in found:
                count = len(found["names"])
                documents[found["documents"]] = Documents(
                    root=found["root"], names=tuple(found["names"]), labels=tuple(found["labels"]), losses=(0.0,) * count
                )  # fmt: skip
                continue
            record = RunRecord(**{**found, "losses": tuple(found["losses"])})
            if record.documents is not None and record.documents not in documents:
                raise KeyError(record.documents)
        except (ValueError, TypeError, KeyError) as error:
            raise ContractError(
                f"{path}:{number}: no line of a finished run ({error}); take it away to run it again",
                entity=str(path),
            ) from error
        runs[record.study, record.run] = record
    return Records(runs=runs, documents=documents)


def append_record(path: Path, record: RunRecord, documents: Documents | None) -> None:
    """Add a run to the file, with its documents' names where they are new; other workers wait meanwhile."""

    def lines() -> list[str]:
        found = [json_text(asdict(record))]
        if documents is not None and record.documents not in read_records(path).documents:
            named = {
                "documents": record.documents, "root": documents.root, "names": documents.names, "labels": documents.labels,
            }  # fmt: skip
            found.insert(0, json_text(named))
        return found

    append_lines(path, lines)


def record_of(
    study: str, key: str, run: StudyRun, outcome: Outcome, *, cpu_seconds: float
) -> RunRecord:
    """A run's outcome as a line."""
    documents = outcome.documents
    facts = conditions()
    return RunRecord(
        study=study,
        run=run.name,
        arm=run.arm,
        seed=run.seed,
        key=key,
        state=outcome.state,
        value=round(outcome.value, 6) if math.isfinite(outcome.value) else None,
        why=outcome.why,
        parameters=run.sizes.parameters,
        tokens=outcome.tokens,
        cpu_seconds=round(cpu_seconds, 1),
        figures={name: round(value, 6) for name, value in outcome.figures.items()},
        documents=None if documents is None else _documents_hash(documents),
        losses=() if documents is None else tuple(round(one, _DIGITS) for one in documents.losses),
        conditions={name: facts[name] for name in ("date", "commit", "changed", "cpu", "packages")},
    )


def outcome_of(run: StudyRun, record: RunRecord, records: Records) -> Outcome:
    """A line as the outcome of a run of this machine's study."""
    return Outcome(
        name=run.name,
        fingerprint=run.fingerprint,
        state=record.state,
        why=record.why,
        value=math.nan if record.value is None else record.value,
        documents=records.losses_of(record),
        tokens=record.tokens,
        costs=Costs(cpu_seconds=record.cpu_seconds),
        figures=dict(record.figures),
    )


def run_key(
    *,
    base: Mapping[str, Any],
    measure: MeasureConfig,
    budget: Mapping[str, Any],
    changes: Mapping[str, Any],
    seed: int,
    beside: Mapping[str, Any],
    roots: Sequence[str],
) -> str:
    """What a run's result depends on.

    Of the files as they are written, so that a setting which the trainer gains later changes no key.

    Args:
        base: The base recipe; its manifest does not count.
        measure: How the run is measured; its manifest does not count.
        budget: What the run gets.
        changes: What the run does otherwise than the base recipe.
        seed: Of the run.
        beside: What else is done with it.
        roots: Of the data.
    """
    return _hash(
        {
            "base": {key: value for key, value in base.items() if key not in ("manifest", "data")},
            "measure": measure.model_dump(mode="json", exclude={"manifest"}, exclude_defaults=True),
            "budget": dict(budget),
            "beside": dict(beside),
            "changes": dict(changes),
            "seed": seed,
            "roots": list(roots),
        }
    )


@dataclass
class RecordedExecutor:
    """Trains and measures runs, does what stands beside it, and records each before the next one begins.

    Attributes:
        study: Name of the study.
        keys: Of each run, by name.
        path: The file of finished runs.
        inner: Trains and measures a run.
        beside: What stands beside the measure of a run, by name.
        left: Runs until this worker ends; None: all.
    """

    study: str
    keys: Mapping[str, str]
    path: Path
    inner: Execute
    beside: Callable[[StudyRun], dict[str, float]]
    left: int | None = None

    def __call__(self, run: StudyRun) -> Outcome:
        """The outcome of a run, recorded.

        Raises:
            AskedToStopError: This worker has done as many runs as it was asked for, or got SIGTERM.
        """
        if self.left == 0:
            raise AskedToStopError("as many runs as were asked for are done")
        folder = Path(run.settings.output)
        folder.mkdir(parents=True, exist_ok=True)
        began = time.process_time()
        try:
            outcome = outcome_or_failure(run, self._outcome)
        except AskedToStopError:
            _write_spent(folder, _spent(folder) + time.process_time() - began)
            raise
        spent = _spent(folder) + time.process_time() - began
        record = record_of(self.study, self.keys[run.name], run, outcome, cpu_seconds=spent)
        append_record(self.path, record, outcome.documents)
        print(f"{self.study}: {run.name}: {outcome.value:.4f} in {spent:.0f} CPU s", flush=True)
        if self.left is not None:
            self.left -= 1
        return replace(outcome, costs=replace(outcome.costs, cpu_seconds=spent))

    def _outcome(self, run: StudyRun) -> Outcome:
        outcome = self.inner(run)
        return replace(outcome, figures=self.beside(run)) if outcome.is_done else outcome


def take_recorded(
    runs: Sequence[StudyRun], folder: Path, keys: Mapping[str, str], records: Records, study: str
) -> int:
    """Write the outcomes of runs that are recorded into a study's folder; how many there are.

    An outcome that is not recorded, of the study's file run by itself, is taken away: its run is measured again from
    its last checkpoint, and recorded.
    """
    taken = 0
    for run in runs:
        record = records.runs.get((study, run.name))
        if record is None:
            outcome_path(folder, run.name).unlink(missing_ok=True)
            continue
        if record.key != keys[run.name]:
            print(f"{run.name}: recorded of another recipe or data; it is trained again")
            continue
        taken += 1
        target = outcome_path(folder, run.name)
        if not target.is_file():
            write_outcome(target, outcome_of(run, record, records))
    return taken


def _spent(folder: Path) -> float:
    """CPU seconds of workers that were stopped within this run."""
    path = folder / _SPENT_NAME
    return float(path.read_text("utf-8")) if path.is_file() else 0.0


def _write_spent(folder: Path, seconds: float) -> None:
    replace_text(folder / _SPENT_NAME, f"{seconds}\n")


def _documents_hash(documents: Documents) -> str:
    return _hash({"root": documents.root, "names": documents.names, "labels": documents.labels})


def _hash(value: Mapping[str, Any]) -> str:
    return sha256_hex(canonical_json(value))[:_KEY_CHARS]
