"""Workers: each takes the next run that is neither done nor held, until nothing is left.

Any number of workers on any machines that share the folder do a study together; all of them run this
function, and none knows of the others but by locks. What a dead worker held is free at once, and the run goes on
from its last checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from schemas.errors import ContractError, PipelineError
from train.report.locks import InUseError
from train.studies.claims import LOOK_SECONDS, AskedToStopError, share
from train.studies.outcome import Outcome, read_outcome, write_outcome
from train.studies.runs import StudyRun

logger = logging.getLogger(__name__)

# Trains a run to its end, or to the step where it waits, and measures it.
Execute = Callable[[StudyRun], Outcome]
QUEUE_NAME, OUTCOMES_NAME = "queue", "outcomes"


def work_through(
    runs: Sequence[StudyRun],
    folder: Path,
    execute: Execute,
    *,
    look_seconds: float = LOOK_SECONDS,
) -> dict[str, Outcome]:
    """Do all runs, together with whoever else does; returns when the last one has its outcome.

    Args:
        runs: In the order in which they are taken.
        folder: Folder of the study.
        execute: Trains and measures one; an error that people can mend is the run's outcome.
        look_seconds: Pause between two looks at runs that others hold.

    Raises:
        AskedToStopError: This worker was asked to end.
        ContractError: An outcome is there of a run with other settings.
    """
    by_name = {run.name: run for run in runs}

    def do(name: str) -> None:
        logger.info("run %s", name)
        outcome = outcome_or_failure(by_name[name], execute)
        write_outcome(outcome_path(folder, name), outcome)

    outcomes_of(runs, folder)  # refuses what is of other settings before anything is trained
    share(
        list(by_name),
        folder / QUEUE_NAME,
        lambda name: outcome_path(folder, name).is_file(),
        do,
        look_seconds=look_seconds,
    )
    return outcomes_of(runs, folder)


def outcomes_of(runs: Sequence[StudyRun], folder: Path) -> dict[str, Outcome]:
    """The outcomes that are there, by name of the run.

    Raises:
        ContractError: One is of a run with other settings.
    """
    found = {}
    for run in runs:
        path = outcome_path(folder, run.name)
        outcome = read_outcome(path)
        if outcome is None:
            continue
        if outcome.fingerprint != run.fingerprint:
            raise ContractError(
                f"{path}: is of a run with other settings ({outcome.fingerprint[:12]}) than {run.name} has "
                f"in this study ({run.fingerprint[:12]}); give the study another output, or the arm another name"
            )
        found[run.name] = outcome
    return found


def outcome_path(folder: Path, name: str) -> Path:
    """The file of a run's outcome."""
    return folder / OUTCOMES_NAME / f"{name}.json"


def outcome_or_failure(run: StudyRun, execute: Execute) -> Outcome:
    """The outcome of a run; an error that people can mend is one, too.

    Raises:
        AskedToStopError: The worker was asked to end.
        InUseError: Something that is no worker of the study writes into the run's folder.
    """
    try:
        return execute(run)
    except (AskedToStopError, InUseError):
        raise
    except PipelineError as error:
        logger.warning("run %s failed: %s", run.name, error)
        return Outcome(
            name=run.name,
            fingerprint=run.fingerprint,
            state="failed",
            why=str(error) or "no reason given",
        )


def forget_failures(folder: Path) -> list[str]:
    """Take away the outcomes of runs that failed, so that they are tried again; their names."""
    forgotten = []
    for path in sorted(folder.rglob(f"{OUTCOMES_NAME}/*.json")):
        outcome = read_outcome(path)
        if outcome is not None and not outcome.is_done:
            path.unlink()
            forgotten.append(outcome.name)
    return forgotten


def finished(runs: Sequence[StudyRun], found: Mapping[str, Outcome]) -> list[StudyRun]:
    """The runs that came to their end."""
    return [run for run in runs if run.name in found and found[run.name].is_done]
