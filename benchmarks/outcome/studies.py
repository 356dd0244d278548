"""What is compared: studies whose arms are datasets, as `train study` takes them, and what a run's result depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.outcome.arms import (
    ALL_TEXT,
    COMMONNESS,
    DATATROVE,
    OURS,
    RAW,
    SEQ_LEN,
    SOFT,
    WITHOUT,
    Work,
)
from benchmarks.train.run_records import run_key
from schemas.errors import SettingsError
from schemas.manifest import MANIFEST_NAME, read_manifest
from schemas.settings import parse_settings
from train.studies.arms import Arm, BaseRecipe
from train.studies.judging import judged_by
from train.studies.plan import StudyPlan, first_runs, sized_arms, study_run
from train.studies.settings import StudySettings

WITHOUTS = tuple(f"without {name}" for name in WITHOUT)
# Steps of 512 tokens: with steps of 2,048 equal text ends at 2.84 and 2.76 bits per byte instead of 2.54.
_SHARED: dict[str, Any] = {
    "batch": {"sequences": 2, "microbatch": 2},
    "optimizer": {"betas": [0.9, 0.99], "weight_decay": 0.1, "max_grad_norm": 1.0},
    "checkpoint": {"every_steps": 100_000},
    "metrics": {"every_steps": 100},
    "threads": 1,
}


def _schedule(rate: float) -> dict[str, Any]:
    return {
        "lr_scheduler_type": "linear_warmup_cosine_lr", "peak_lr": rate, "min_lr": rate / 10,
        "warmup_start_lr": rate / 10, "warmup_fraction": 0.15,
    }  # fmt: skip


def _gpt(width: int, layers: int, rate: float) -> dict[str, Any]:
    """A Llama with normalised queries and large initial weights, which soon knows more than the frequencies of words.

    150,000 tokens of our text, one seed, rate 6e-3: 3.72 bits per byte with deviations of .02, 3.70 with Xavier's, 3.65 with .1.
    """
    model = {
        "preset": "llama-test", "width": width, "num_layers": layers, "num_heads": 4, "num_kv_heads": 4,
        "mlp_width": 3 * width, "max_positions": SEQ_LEN, "qk_norm": True, "tied_head": True, "init_std": 0.1,
    }  # fmt: skip
    return {**_SHARED, "model": model, "schedule": _schedule(rate), "objective": {"name": "causal"}}


SMALL, LARGER = _gpt(64, 2, 1e-2), _gpt(128, 3, 6e-3)
# Span corruption cuts rows of raw text into inputs and targets of its own lengths.
T5: dict[str, Any] = {
    **_SHARED,
    "model": {"preset": "t5-test", "width": 80, "num_layers": 2},
    "schedule": _schedule(6e-3),
    "objective": {"name": "span_corruption"},
}


@dataclass(frozen=True, kw_only=True)
class OutcomeStudy:
    """One table.

    Attributes:
        title: In a page's navigation.
        question: As people ask it.
        arms: The reference first.
        recipe: Of all runs, but for the data.
        tokens: Packed tokens of each run; of one at equal documents, what its longest run reads about.
        documents: Documents that each run reads instead, in the order of their hashes; None: equal tokens.
        figure: As `measure.figure` of a study.
        cpu_seconds: Of one run, as the prototype's speed and the first runs say.
        pairs: Minimal pairs of each paradigm that are scored beside the measure; None: none are.
    """

    name: str
    title: str
    question: str
    arms: tuple[str, ...]
    recipe: Mapping[str, Any]
    tokens: int
    seeds: int
    figure: str = "bits_per_byte"
    cpu_seconds: float = 150.0
    pairs: int | None = None
    documents: int | None = None


# Studies of one recipe, length and number of pairs share the runs of the arms that they have in common.
TOKENS = 1_000_448
_SMALL_RUN: dict[str, Any] = {"recipe": SMALL, "tokens": TOKENS, "seeds": 8, "cpu_seconds": 140, "pairs": 20}  # fmt: skip
STUDIES = (
    OutcomeStudy(
        name="pilot", title="Pilot", question="How far do seeds differ, and does refined text differ more?",
        arms=(RAW, OURS), recipe=SMALL, tokens=300_032, seeds=4, cpu_seconds=45,
    ),
    OutcomeStudy(
        name="race", title="Race", question="Does refined text train a better model than raw text and than datatrove's, at equal tokens?",
        arms=(RAW, DATATROVE, OURS), **_SMALL_RUN,
    ),
    OutcomeStudy(
        name="parts", title="Extraction and filters", question="Is it extraction or the decisions about documents that pays?",
        arms=(OURS, ALL_TEXT, "without rules+language+dedup"), **_SMALL_RUN,
    ),
    OutcomeStudy(
        name="race-documents", title="Race, equal documents", question="And at equal documents, of which each arm keeps another part of the text?",
        arms=(RAW, DATATROVE, OURS), recipe=SMALL, tokens=TOKENS, documents=600, seeds=4, cpu_seconds=130,
    ),
    OutcomeStudy(
        name="race-1m", title="Race, a million parameters", question="The same with a million parameters and two million tokens?",
        arms=(RAW, DATATROVE, OURS), recipe=LARGER, tokens=2_000_384, seeds=3, cpu_seconds=480, pairs=20,
    ),
    OutcomeStudy(
        name="race-t5", title="Race, T5", question="The same for a T5 that fills in spans?",
        arms=(RAW, DATATROVE, OURS), recipe=T5, tokens=TOKENS, seeds=5, figure="heldout_loss", cpu_seconds=190,
    ),
    OutcomeStudy(
        name="rules", title="Decisions", question="Which of our decisions pays, at equal tokens?",
        arms=(OURS, *WITHOUTS), **_SMALL_RUN,
    ),
    OutcomeStudy(
        name="soft", title="Duplicates", question="Removing duplicates, keeping them, giving the copied more copies, or weights by how common a text is?",
        arms=(OURS, "without dedup", *SOFT, COMMONNESS), **_SMALL_RUN,
    ),
)  # fmt: skip


def plan(study: OutcomeStudy, work: Work) -> StudyPlan:
    """The study's runs over the arms that a folder has; nothing is trained.

    An arm that is not built yet is left out, and joins when it is there; without the reference there is no study.

    Raises:
        SettingsError: The arms cannot be compared.
        ContractError: There is no dataset of the reference.
    """
    first, *others = study.arms
    built = (first, *(arm for arm in others if arm not in missing_arms(study, work)))
    manifests = {arm: work.manifest(arm) for arm in built}
    return plan_over(
        replace(study, arms=built),
        manifests,
        evaluation=work.evaluation,
        folder=work.folder / "studies",
    )


def missing_arms(study: OutcomeStudy, work: Work) -> list[str]:
    """The arms of a study that are not built yet."""
    return [arm for arm in study.arms if not (work.manifest(arm) / MANIFEST_NAME).is_file()]


def plan_over(
    study: OutcomeStudy, manifests: Mapping[str, Path], *, evaluation: Path, folder: Path
) -> StudyPlan:
    """The same over datasets that are given.

    Args:
        study: Which one.
        manifests: Folder of the dataset of each arm.
        evaluation: Folder of the dataset whose held-out split judges all arms.
        folder: Of all studies.

    Raises:
        SettingsError: The arms cannot be compared.
        ContractError: A dataset is missing.
    """
    first, *others = study.arms
    arms = [Arm(name=first, changes={})]
    arms += [Arm(name=arm, changes={"manifest": str(manifests[arm])}) for arm in others]
    settings = parse_settings(
        StudySettings,
        {
            "question": study.question,
            "recipe": study.name,
            "output": str(folder / study.name),
            "seeds": study.seeds,
            "budget": {"tokens": study.tokens},
            "measure": {"figure": study.figure, "manifest": str(evaluation)},
            "pilot": None,
            "arms": {arm.name: arm.changes for arm in arms[1:]},
        },
        where=study.name,
    )
    data = {"evaluation": None, **study.recipe, "manifest": str(manifests[first])}
    data["checkpoint"] = {**data["checkpoint"], "keep_last": 1, "export": False}
    data["metrics"] = {**data["metrics"], "tensorboard": False}
    base = BaseRecipe(path=folder / f"{study.name}.yaml", data=data)
    firsts = first_runs(settings, base, arms)
    measure = judged_by(settings.measure, firsts)
    sized = sized_arms(settings, firsts, None)
    if study.documents is not None:
        sized = {
            arm: tokens_of_documents(manifests[arm], study.documents, firsts[arm].sizes.step_tokens)
            for arm in study.arms
        }
    runs = [
        study_run(settings, base, arm, seed=seed, tokens=sized[arm.name])
        for seed in settings.seeds
        for arm in arms
    ]
    return StudyPlan(study=settings, base=base, arms=tuple(arms), runs=tuple(runs), measure=measure)


def tokens_of_documents(folder: Path, documents: int, step_tokens: int) -> int:
    """Packed tokens that hold about so many documents of a dataset, in whole batches.

    Rows lie in the order of their documents' hashes, so the first part of the rows is a sample of the documents.

    Raises:
        SettingsError: The dataset has fewer documents.
    """
    train = read_manifest(folder).train
    own = sum(source.documents for source in train.sources.values())
    if own < documents:
        raise SettingsError(
            f"{folder}: {own:,} documents; the study reads {documents:,} of each arm"
        )
    return train.account.packed * documents // own // step_tokens * step_tokens


def keys(plan: StudyPlan, work: Work, *, pairs: int | None = None) -> dict[str, str]:
    """What each run's result depends on, as a hash: datasets count by their roots, never by their paths."""
    roots = {arm.name: read_manifest(work.manifest(arm.name)).root for arm in plan.arms}
    base = {key: value for key, value in plan.base.data.items() if key != "manifest"}
    return {
        run.name: run_key(
            base=base,
            measure=plan.measure,
            budget={"tokens": run.tokens},
            changes={},
            seed=run.seed,
            beside={} if pairs is None else {"minimal_pairs": pairs},
            roots=[roots[run.arm], read_manifest(work.evaluation).root],
        )
        for run in plan.runs
    }
