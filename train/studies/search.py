"""A search: workers take trials that began, trials that may go on, and new ones, until all have ended or wait for good."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from schemas.errors import SettingsError
from train.studies.arms import Arm, BaseRecipe, read_base
from train.studies.claims import claim
from train.studies.folder import QUEUE_NAME, identity_of
from train.studies.journal import WHY, Ledger, open_ledger
from train.studies.judging import judged_by
from train.studies.laws import LawFacts, start_values
from train.studies.outcome import Outcome
from train.studies.plan import StudyPlan, comparable, plan_of_base, study_run
from train.studies.promotion import promotable, rung_steps
from train.studies.pruning import is_worse
from train.studies.runs import StudyRun, plan_of
from train.studies.sampling import best_trial, next_trial
from train.studies.search_settings import HALF_LIFE, SearchConfig
from train.studies.settings import BASE, Changes, MeasureConfig, StudySettings
from train.studies.spaces import fitted, judge_space, trial_run
from train.studies.work import Execute, outcomes_of, work_through

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

RUNGS_NAME = "rungs"
_LOOK_SECONDS = 1.0
Did = Literal["worked", "waits", "done"]


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """A search before its first trial.

    Attributes:
        pilots: The recipe itself as a study of one arm, whose pilots say cost and noise.
        tokens: Packed tokens of a trial that goes to its end.
        starts: Name and settings of the first trials.
        deviation: Standard deviation of the measure over seeds; 0 where no pilot says it.
    """

    study: StudySettings
    config: SearchConfig
    base: BaseRecipe
    pilots: StudyPlan
    measure: MeasureConfig
    tokens: int
    starts: tuple[tuple[str, Changes], ...]
    deviation: float = 0.0

    @property
    def folder(self) -> Path:
        return Path(self.study.output)

    @property
    def rungs(self) -> int:
        """Number of rungs, the end among them."""
        return 1 if self.config.pruning is None else self.config.pruning.rungs

    @property
    def sign(self) -> int:
        """What makes lower better."""
        return -1 if self.measure.is_better_high else 1

    def is_recipe(self, changes: Changes) -> bool:
        """Whether some changes leave the recipe as it is."""
        reference = self.pilots.runs[0]
        arm = Arm(name=BASE, changes=changes)
        study = self.study.model_copy(update={"beta2_half_life_tokens": None})
        run = study_run(study, self.base, arm, seed=reference.seed, tokens=self.tokens)
        return comparable(run) == comparable(reference)

    def runs(self, number: int, values: Changes, rung: int) -> list[StudyRun]:
        """The runs of a trial, one for each seed, until a rung.

        Raises:
            SettingsError: Its settings do not work together, or its tokens are not those of the others.
        """
        name = f"trial-{number:04d}"
        runs = [
            trial_run(self.study, self.base, values, seed=seed, tokens=self.tokens, name=name)
            for seed in self.study.seeds
        ]
        for run in runs:
            if run.sizes.tokens != self.tokens:
                raise SettingsError(
                    f"{run.name}: would read {run.sizes.tokens:,} tokens, other trials {self.tokens:,}"
                )
        return [
            replace(run, until_step=rung_steps(run.sizes.steps, self.config.pruning)[rung])
            for run in runs
        ]


def plan_search(study: StudySettings) -> SearchPlan:
    """Plan a search; nothing is written and nothing trained.

    Raises:
        SettingsError: The space, the start values or the rungs do not fit the recipe.
    """
    config = study.search
    assert config is not None, "the study is a search"
    assert study.budget.tokens is not None, "settings.py asks for it"
    base = read_base(study)
    reference = study_run(
        study, base, Arm(name=BASE, changes={}), seed=study.seeds[0], tokens=study.budget.tokens
    )
    probes, tokens = judge_space(study, base, config, reference)
    measure = judged_by(study.measure, {BASE: reference, **probes})
    least = min(run.sizes.steps for run in probes.values())
    try:
        rung_steps(least, config.pruning)
    except ValueError as error:
        raise SettingsError(f"search.{error}") from error
    if config.pruning is not None and (reference.ranks > 1 or len(reference.phases) > 1):
        raise SettingsError(
            f"search.pruning: trials wait within a worker, and the recipe has {reference.ranks} ranks and "
            f"{len(reference.phases)} phases; set pruning: null"
        )
    return SearchPlan(
        study=study,
        config=config,
        base=base,
        pilots=plan_of_base(study, base, tokens, measure),
        measure=measure,
        tokens=tokens,
        starts=tuple(_starts(config, reference, tokens)),
    )


def _starts(config: SearchConfig, reference: StudyRun, tokens: int) -> list[tuple[str, Changes]]:
    """The first trials: what each law says, as near to it as the space allows; equal ones once."""
    phase = reference.phases[-1]
    shape, plan = phase.facts.model, plan_of(phase)
    facts = LawFacts(
        parameters=shape.num_parameters() - shape.num_embedding_parameters(),
        tokens=tokens,
        seq_len=plan.seq_len,
    )
    recipe = dict(_leaves(comparable(reference)))
    starts: list[tuple[str, Changes]] = []
    for law in config.start:
        values = fitted(config, start_values(law, facts), recipe)
        if values not in [known for _, known in starts]:
            starts.append((law, values))
    return starts


def _leaves(value: Any, where: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        return [
            leaf
            for key, inner in value.items()
            for leaf in _leaves(inner, f"{where}.{key}" if where else str(key))
        ]
    return [(where, value)]


def search_identity(plan: SearchPlan) -> dict[str, Any]:
    """What all trials of a folder share; trials may be added, and confirmed with more seeds."""
    space = {key: one.model_dump(mode="json") for key, one in plan.config.space.items()}
    rest = plan.config.model_dump(mode="json", exclude={"space", "trials", "confirm"})
    return identity_of(plan.pilots, search={"space": space, "seeds": plan.study.seeds, **rest})


def search_through(
    plan: SearchPlan, execute: Execute, *, look_seconds: float = _LOOK_SECONDS
) -> None:
    """Work on the trials of a search, together with whoever else does, until none can go on.

    Raises:
        AskedToStopError: This worker was asked to end.
    """
    while (did := _work(plan, execute)) != "done":
        if did == "waits":
            time.sleep(look_seconds)


def _work(plan: SearchPlan, execute: Execute) -> Did:
    """Bring one trial to its next rung."""
    with ExitStack() as claims:
        with open_ledger(plan.folder, plan.config) as ledger:
            settle(plan, ledger)
            picked = _pick(plan, ledger, claims)
            if not isinstance(picked, tuple):
                if picked == "done":
                    _close(ledger)
                return picked
            trial, rung = picked
            values = ledger.values(trial)
        outcomes: list[Outcome] = []
        why = None
        try:
            runs = plan.runs(trial.number, values, rung)
            found = work_through(runs, rung_folder(plan, rung), execute)
            outcomes = [found[run.name] for run in runs]
        except SettingsError as error:  # values that do not work together
            why = str(error)
        with open_ledger(plan.folder, plan.config) as ledger:
            _record(plan, ledger, trial.number, rung, outcomes, why)
    return "worked"


def rung_folder(plan: SearchPlan, rung: int) -> Path:
    """Where the outcomes of a rung lie."""
    return plan.folder / RUNGS_NAME / str(rung)


def _pick(
    plan: SearchPlan, ledger: Ledger, claims: ExitStack
) -> tuple[FrozenTrial, int] | Literal["waits", "done"]:
    """A trial and the rung to bring it to, held by this worker from here on."""
    trials, standings = ledger.trials(), ledger.standings()
    begun = [one.number for one in standings if one.rung < 0 and not one.is_over]
    factor = plan.config.pruning.factor if plan.config.pruning else 1
    is_last_call = len(trials) >= plan.config.trials
    going_on = promotable(standings, rungs=plan.rungs, factor=factor, is_last_call=is_last_call)
    for number in (*begun, *going_on):
        if claims.enter_context(claim(plan.folder / QUEUE_NAME, f"trial-{number:04d}")):
            return trials[number], standings[number].rung + 1
    added = next_trial(ledger, plan.config, plan.starts)
    if added is not None:
        claims.enter_context(claim(plan.folder / QUEUE_NAME, f"trial-{added.number:04d}"))
        return added, 0
    return "waits" if begun or going_on else "done"


def settle(plan: SearchPlan, ledger: Ledger) -> None:
    """Finish what a worker that was killed had decided: ends and surrenders of trials."""
    for trial in ledger.trials():
        if trial.state.is_finished():
            continue
        if WHY in trial.user_attrs and trial.intermediate_values:
            ledger.give_up(trial, trial.user_attrs[WHY])
        elif plan.rungs - 1 in trial.intermediate_values:
            ledger.complete(trial, trial.intermediate_values[plan.rungs - 1])


def _close(ledger: Ledger) -> None:
    """Trials that wait when nobody goes on were not good enough."""
    for trial in ledger.trials():
        if not trial.state.is_finished():
            rung = max(trial.intermediate_values, default=0)
            ledger.give_up(trial, f"waited at rung {rung + 1}: others were better")


def _record(
    plan: SearchPlan,
    ledger: Ledger,
    number: int,
    rung: int,
    outcomes: Sequence[Outcome],
    why: str | None,
) -> None:
    """Write what came out of a rung; a kill between two lines is settled by the next worker."""
    trial = ledger.trials()[number]
    failures = [f"{one.name}: {one.why}" for one in outcomes if not one.is_done]
    if why is not None or failures:
        ledger.give_up(trial, why or failures[0], failed=True)
        return
    surrender = _surrender(plan, ledger, trial, rung, outcomes)
    if surrender is not None:
        ledger.note(trial, surrender)
    ledger.report(trial, rung, plan.sign * fmean(one.value for one in outcomes))
    settle(plan, ledger)


def _surrender(
    plan: SearchPlan, ledger: Ledger, trial: FrozenTrial, rung: int, outcomes: Sequence[Outcome]
) -> str | None:
    """Why a trial is given up beside the best one of its rung; None where it is not."""
    pruning = plan.config.pruning
    if pruning is None or pruning.wilcoxon is None or rung == plan.rungs - 1:
        return None
    best = best_trial(ledger.trials())
    if best is None or best.number == trial.number:
        return None
    runs = plan.runs(best.number, ledger.values(best), rung)
    found = outcomes_of(runs, rung_folder(plan, rung))
    if len(found) < len(runs):
        return None
    worse = is_worse(
        outcomes,
        [found[run.name] for run in runs],
        alpha=pruning.wilcoxon,
        looks=plan.rungs - 1,
        deviation=plan.deviation,
    )
    return (
        f"worse than trial {best.number} on the same documents at rung {rung + 1}"
        if worse
        else None
    )


def found_changes(plan: SearchPlan, values: Changes) -> Changes:
    """The settings of a trial as changes of the recipe; a half-life becomes the decay that it stands for."""
    changes = {key: value for key, value in values.items() if key != HALF_LIFE}
    if HALF_LIFE in values:
        run = trial_run(
            plan.study,
            plan.base,
            values,
            seed=plan.study.seeds[0],
            tokens=plan.tokens,
            name="found",
        )
        assert run.settings.optimizer.betas is not None
        changes["optimizer.betas"] = list(run.settings.optimizer.betas)
    return changes
