"""What is compared: studies whose arms are datasets, as `train study` takes them, and what a run's result depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.outcome.arms import ALL_TEXT, DATATROVE, OURS, RAW, SOFT, WITHOUT, Work
from benchmarks.train.run_records import run_key
from schemas.manifest import read_manifest
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
    model = {"preset": "gpt2-test", "width": width, "num_layers": layers, "num_heads": 4}
    return {**_SHARED, "model": model, "schedule": _schedule(rate), "objective": {"name": "causal"}}


SMALL, LARGER = _gpt(64, 2, 6e-3), _gpt(128, 3, 4e-3)
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
        tokens: Packed tokens of each run.
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


STUDIES = (
    OutcomeStudy(
        name="pilot", title="Pilot", question="How far do seeds differ, and does refined text differ more?",
        arms=(RAW, OURS), recipe=SMALL, tokens=300_032, seeds=4, cpu_seconds=20,
    ),
    OutcomeStudy(
        name="race", title="Race", question="Does refined text train a better model than raw text and than datatrove's, at equal tokens?",
        arms=(RAW, DATATROVE, OURS, ALL_TEXT, "without rules+language+dedup"), recipe=SMALL, tokens=3_000_320,
        seeds=8, cpu_seconds=160, pairs=20,
    ),
    OutcomeStudy(
        name="race-1m", title="Race, a million parameters", question="The same with a million parameters and five million tokens?",
        arms=(RAW, DATATROVE, OURS), recipe=LARGER, tokens=5_000_192, seeds=5, cpu_seconds=560, pairs=20,
    ),
    OutcomeStudy(
        name="race-t5", title="Race, T5", question="The same for a T5 that fills in spans?",
        arms=(RAW, DATATROVE, OURS), recipe=T5, tokens=3_000_320, seeds=5, figure="heldout_loss", cpu_seconds=240,
    ),
    OutcomeStudy(
        name="rules", title="Decisions", question="Which of our decisions pays, at equal tokens?",
        arms=(OURS, *WITHOUTS), recipe=SMALL, tokens=2_000_384, seeds=8, cpu_seconds=110,
    ),
    OutcomeStudy(
        name="soft", title="Duplicates", question="Removing duplicates, keeping them, or giving the copied more copies?",
        arms=(OURS, "without dedup", *SOFT), recipe=SMALL, tokens=3_000_320, seeds=8, cpu_seconds=160,
    ),
)  # fmt: skip


def plan(study: OutcomeStudy, work: Work) -> StudyPlan:
    """The study's runs over the arms of a folder; nothing is trained.

    Raises:
        SettingsError: The arms cannot be compared.
        ContractError: An arm has no dataset yet.
    """
    manifests = {arm: work.manifest(arm) for arm in study.arms}
    return plan_over(study, manifests, evaluation=work.evaluation, folder=work.folder / "studies")


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
    runs = [
        study_run(settings, base, arm, seed=seed, tokens=sized[arm.name])
        for seed in settings.seeds
        for arm in arms
    ]
    return StudyPlan(study=settings, base=base, arms=tuple(arms), runs=tuple(runs), measure=measure)


def keys(plan: StudyPlan, work: Work, *, pairs: int | None = None) -> dict[str, str]:
    """What each run's result depends on, as a hash: datasets count by their roots, never by their paths."""
    roots = {arm.name: read_manifest(work.manifest(arm.name)).root for arm in plan.arms}
    base = {key: value for key, value in plan.base.data.items() if key != "manifest"}
    return {
        run.name: run_key(
            base=base,
            measure=plan.measure,
            budget=plan.study.budget.model_dump(mode="json", exclude_none=True),
            changes={},
            seed=run.seed,
            beside={} if pairs is None else {"minimal_pairs": pairs},
            roots=[roots[run.arm], read_manifest(work.evaluation).root],
        )
        for run in plan.runs
    }


def epochs(study: OutcomeStudy, work: Work) -> dict[str, float]:
    """How often a run reads each arm's training tokens."""
    return {
        arm: study.tokens / read_manifest(work.manifest(arm)).train.account.packed
        for arm in study.arms
    }
