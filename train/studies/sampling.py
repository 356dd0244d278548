"""The next trial: optuna's samplers on a copy of the ledger in memory.

A sampler is made anew for each trial with a seed of its own, so the next trial is a function of the trials before it, and
a worker that is killed while it asks has asked for nothing. CMA-ES has a state, which optuna would keep as a pickle in the
ledger; here it is gained anew each time by telling it the trials in the order in which it was told of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from train.studies.journal import HOW, SEEN, Ledger, experimental_is_meant, quiet_optuna
from train.studies.search_settings import SearchConfig
from train.studies.settings import Changes
from train.studies.spaces import as_params, suggest

if TYPE_CHECKING:
    import optuna
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

_SAMPLED = "sampled"
_STRIDE = 10_007


def next_trial(
    ledger: Ledger, config: SearchConfig, starts: Sequence[tuple[str, Changes]]
) -> FrozenTrial | None:
    """Add the next trial to the ledger; None where the search has all of its trials.

    Args:
        ledger: Held by the caller.
        config: The search.
        starts: Name and settings of the first trials.
    """
    trials = ledger.trials()
    number = len(trials)
    if number >= config.trials:
        return None
    if number < len(starts):
        how, values = starts[number]
        return ledger.add(values, {HOW: how, SEEN: []})
    with experimental_is_meant():
        values, seen, is_spent = _sampled(trials, config)
    if is_spent:
        return None
    return ledger.add(values, {HOW: _SAMPLED, SEEN: seen})


def _sampled(
    trials: Sequence[FrozenTrial], config: SearchConfig
) -> tuple[Changes, list[int], bool]:
    seen = [one.number for one in trials if one.state.name == "COMPLETE"]
    if config.sampler == "cmaes":
        return _of_cmaes(trials, config, seen), seen, False
    study = _in_memory(_sampler(config, len(trials)))
    study.add_trials([_as_known(one) for one in trials])
    asked = study.ask()
    values = suggest(asked, config)
    known = [dict(one.params) for one in trials]
    is_spent = config.sampler == "grid" and as_params(config, values) in known
    return values, seen, is_spent


def _sampler(config: SearchConfig, number: int) -> BaseSampler:
    samplers = quiet_optuna().samplers
    seed = config.seed * _STRIDE + number
    makers = {
        "tpe": lambda: samplers.TPESampler(seed=seed, constant_liar=True),
        "gp": lambda: samplers.GPSampler(seed=seed, deterministic_objective=False),
        "random": lambda: samplers.RandomSampler(seed=seed),
        "grid": lambda: samplers.BruteForceSampler(seed=seed),
    }
    made: BaseSampler = makers[config.sampler]()
    return made


def _in_memory(sampler: BaseSampler) -> optuna.Study:
    study: optuna.Study = quiet_optuna().create_study(sampler=sampler)
    return study


def _as_known(trial: FrozenTrial) -> FrozenTrial:
    """A trial as samplers are to see it: one that waits, or failed, is one that was given up."""
    from optuna.trial import TrialState, create_trial

    state = trial.state
    waits = state == TrialState.RUNNING and bool(trial.intermediate_values)
    if waits or state == TrialState.FAIL:
        state = TrialState.PRUNED
    return create_trial(
        state=state,
        value=trial.value if state == TrialState.COMPLETE else None,
        params=trial.params,
        distributions=trial.distributions,
        intermediate_values=trial.intermediate_values,
    )


def _of_cmaes(trials: Sequence[FrozenTrial], config: SearchConfig, seen: Sequence[int]) -> Changes:
    """Ask CMA-ES, after it was asked and told as it was before."""
    samplers = quiet_optuna().samplers
    study = _in_memory(samplers.CmaEsSampler(seed=config.seed))
    told: set[int] = set()

    def tell(numbers: Sequence[int]) -> None:
        for number in numbers:
            if number not in told:
                told.add(number)
                study.tell(number, trials[number].value)

    for trial in trials:
        tell(trial.user_attrs[SEEN])
        if trial.user_attrs[HOW] != _SAMPLED:
            study.enqueue_trial(dict(trial.params))
        suggest(study.ask(), config)
    tell(seen)
    return suggest(study.ask(), config)


def best_trial(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The trial with the lowest value of those that came to their end; None where none did."""
    ended: list[Any] = [one for one in trials if one.state.name == "COMPLETE"]
    return min(ended, key=lambda one: (one.value, one.number), default=None)
