"""Whether the arms of a study can be held against each other by its measure; asked before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.errors import SettingsError
from schemas.manifest import Manifest
from schemas.settings import nearest
from train.data.config import LoaderConfig
from train.data.loader import shard_files
from train.data.remote import open_manifest
from train.evaluation.open_tasks import is_plain, task_path
from train.evaluation.task import read_task
from train.objectives.config import parse_objective
from train.objectives.requirements import ObjectiveContext, objective_faults
from train.settings import differing
from train.studies.runs import StudyRun
from train.studies.settings import MeasureConfig


def judged_by(measure: MeasureConfig, firsts: Mapping[str, StudyRun]) -> MeasureConfig:
    """The measure with its manifest, if all arms can be compared by it.

    Args:
        measure: As the study has it.
        firsts: A run of each arm, the reference first.

    Raises:
        SettingsError: Arms would be judged by their own losses, by other tokens, or on nothing.
        ContractError: The manifest of the measure cannot be read.
    """
    runs = list(firsts.values())
    reference = runs[0]
    if measure.is_task:
        _check_task(measure, reference)
        return measure
    for run in runs:
        _check_same_vocabulary(reference, run)
        if measure.objective is None:
            _check_same_objective(reference, run)
    name = measure.manifest or reference.phases[-1].settings.manifest
    manifest = open_manifest(shard_files(name, LoaderConfig()))
    if not manifest.heldout.rows:
        raise SettingsError(
            f"measure: {name} holds no rows out; give measure.manifest one that does"
        )
    measure = measure.model_copy(update={"manifest": name})
    for run in runs:
        _check_readable(measure, manifest, run)
    return measure


def _check_task(measure: MeasureConfig, reference: StudyRun) -> None:
    evaluation = reference.phases[-1].settings.evaluation
    if evaluation is None or evaluation.tasks is None:
        raise SettingsError(
            f"measure.figure {measure.figure}: the recipe scores no tasks; give set: "
            "{evaluation.tasks: {at_end: [{task: ...}]}}"
        )
    paths = [
        task_path(choice.task)
        for choice in (*evaluation.tasks.at_checkpoints, *evaluation.tasks.at_end)
    ]
    if any(is_plain(path) for path in paths):
        return  # files of questions are named when they are read
    known = {read_task(path).name for path in paths}
    task = measure.figure.rpartition("/")[0]
    if task not in known:
        raise SettingsError(
            f"measure.figure {measure.figure}: the recipe does not score {task}{nearest(task, known)}"
        )


def _check_readable(measure: MeasureConfig, manifest: Manifest, run: StudyRun) -> None:
    """Refuse a model that could not be measured at the end of its run."""
    facts = run.phases[-1].facts
    known, shape = facts.manifest, facts.model
    if known is not None and known.tokenizer.sha256 != manifest.tokenizer.sha256:
        raise SettingsError(
            f"measure.manifest {measure.manifest}: its tokenizer is {manifest.tokenizer.sha256[:12]}, that of arm "
            f"'{run.arm}' is {known.tokenizer.sha256[:12]}; pack the held-out text with the arm's"
        )
    if manifest.seq_len > shape.max_positions:
        raise SettingsError(
            f"measure.manifest {measure.manifest}: rows have {manifest.seq_len} tokens, the model of arm "
            f"'{run.arm}' has {shape.max_positions} positions; pack shorter rows"
        )
    wanted = dict(measure.objective or run.phases[-1].settings.objective)
    objective = parse_objective(wanted)
    context = ObjectiveContext.of(
        manifest,
        family=shape.family,
        vocab_size=shape.vocab_size,
        max_positions=shape.max_positions if shape.positions == "learned" else None,
    )
    faults = objective_faults(objective, context)
    if faults:
        raise SettingsError(f"measure: arm '{run.arm}' cannot be judged: {faults[0]}")
    if measure.figure == "bits_per_byte" and (objective.name != "causal" or measure.max_rows):
        raise SettingsError(
            f"measure.figure bits_per_byte: needs the causal objective and the whole split, not {objective.name} and "
            f"{measure.max_rows or 'all'} rows; measure heldout_loss"
        )


def _check_same_vocabulary(first: StudyRun, other: StudyRun) -> None:
    sides = [run.phases[-1].facts.manifest for run in (first, other)]
    known = [one.tokenizer.sha256 for one in sides if one is not None]
    if len(set(known)) > 1:
        raise SettingsError(
            f"arms '{first.arm}' and '{other.arm}' have other tokenizers ({known[0][:12]} and {known[1][:12]}): their "
            "losses are of other tokens; measure TASK/METRIC instead"
        )


def _check_same_objective(first: StudyRun, other: StudyRun) -> None:
    sides = [dict(run.phases[-1].settings.objective) for run in (first, other)]
    plain = [{key: value for key, value in one.items() if key != "augment"} for one in sides]
    if differing(plain[0], plain[1]):
        raise SettingsError(
            f"arms '{first.arm}' and '{other.arm}' end with other objectives ({plain[0]} and {plain[1]}): each would be "
            "judged by its own loss; give measure.objective one for both, or a last phase that they share"
        )
