"""Spaces of a search: judged on the recipe before the first trial, and sampled through optuna."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from schemas.errors import SettingsError
from schemas.fingerprints import canonical_json
from train.studies.arms import Arm, BaseRecipe
from train.studies.budgets import equal_tokens
from train.studies.plan import comparable, study_run
from train.studies.runs import StudyRun
from train.studies.search_settings import HALF_LIFE, SearchConfig, Space
from train.studies.settings import Changes, StudySettings, check_changes

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

# Values of a whole-number range that are looked at one by one.
_MOST_VALUES = 1_000


def is_part(space: Space, values: Mapping[str, Any]) -> bool:
    """Whether a setting is part of a trial that has these values of the settings above it."""
    return all(
        key in values and values[key] in allowed for key, allowed in (space.when or {}).items()
    )


def suggest(trial: Trial, config: SearchConfig) -> Changes:
    """The values of a trial, setting by setting, as its sampler chooses them."""
    values: Changes = {}
    for key, space in config.space.items():
        if is_part(space, values):
            values[key] = _suggested(trial, key, space)
    return values


def _suggested(trial: Trial, key: str, space: Space) -> Any:
    if space.choices is not None:
        label = trial.suggest_categorical(key, [choice_label(one) for one in space.choices])
        return choice_of(space, label)
    assert space.low is not None
    assert space.high is not None
    if space.integer:
        step = 1 if space.step is None else int(space.step)
        return trial.suggest_int(key, int(space.low), int(space.high), step=step, log=space.log)
    return trial.suggest_float(key, space.low, space.high, step=space.step, log=space.log)


def distributions(config: SearchConfig, values: Changes) -> dict[str, BaseDistribution]:
    """Optuna's distributions of the settings that a trial has."""
    from optuna import distributions as of

    found: dict[str, BaseDistribution] = {}
    for key in values:
        space = config.space[key]
        if space.choices is not None:
            found[key] = of.CategoricalDistribution([choice_label(one) for one in space.choices])
        elif space.integer:
            assert space.low is not None
            assert space.high is not None
            step = 1 if space.step is None else int(space.step)
            found[key] = of.IntDistribution(
                int(space.low), int(space.high), log=space.log, step=step
            )
        else:
            assert space.low is not None
            assert space.high is not None
            found[key] = of.FloatDistribution(space.low, space.high, log=space.log, step=space.step)
    return found


def choice_label(value: Any) -> str:
    """A choice as optuna stores it: JSON, so that lists and null are choices, too."""
    return json.dumps(value, ensure_ascii=False)


def choice_of(space: Space, label: Any) -> Any:
    """The choice that a label stands for."""
    assert space.choices is not None
    return next(one for one in space.choices if choice_label(one) == label)


def as_params(config: SearchConfig, values: Changes) -> dict[str, Any]:
    """Values as optuna stores them."""
    return {
        key: value if config.space[key].choices is None else choice_label(value)
        for key, value in values.items()
    }


def as_values(config: SearchConfig, params: Mapping[str, Any]) -> Changes:
    """The inverse of `as_params`."""
    return {
        key: param if config.space[key].choices is None else choice_of(config.space[key], param)
        for key, param in params.items()
    }


def trial_run(
    study: StudySettings, base: BaseRecipe, values: Changes, *, seed: int, tokens: int, name: str
) -> StudyRun:
    """A run with the values of a trial.

    Raises:
        SettingsError: They do not work together.
    """
    changes = {key: value for key, value in values.items() if key != HALF_LIFE}
    half_life = values.get(HALF_LIFE, study.beta2_half_life_tokens)
    study = study.model_copy(update={"beta2_half_life_tokens": half_life})
    return study_run(
        study, base, Arm(name=name, changes=changes), seed=seed, tokens=tokens, name=f"{name}-seed-{seed}"
    )  # fmt: skip


def judge_space(
    study: StudySettings, base: BaseRecipe, config: SearchConfig, reference: StudyRun
) -> tuple[dict[str, StudyRun], int]:
    """The recipe at the ends of each range and at each choice, and the tokens that are whole batches of all.

    Raises:
        SettingsError: A key is none of the recipe's, an end cannot run, a setting changes nothing, or trials could
            not read equal tokens.
    """
    assert study.budget.tokens is not None
    check_changes(config.space, "space")
    probes: dict[str, StudyRun] = {"the recipe": reference}
    step_tokens = {"the recipe": reference.sizes.step_tokens}
    for key, space in config.space.items():
        recipes = set()
        for value in _probed(space):
            name = f"{key}={choice_label(value)}"
            run = _probe(study, base, config, {key: value})
            recipes.add(canonical_json(comparable(run)))
            probes[name] = replace(run, arm=name)
            step_tokens[name] = run.sizes.step_tokens
        if len(recipes) < 2:
            raise SettingsError(
                f"space.{key}: from {_probed(space)[0]!r} to {_probed(space)[-1]!r} the recipe is the same; leave it out"
            )
        step_tokens |= _between(study, base, config, key, step_tokens)
    return probes, equal_tokens(study.budget.tokens, step_tokens)


def _probed(space: Space) -> list[Any]:
    if space.choices is not None:
        return list(space.choices)
    assert space.low is not None
    assert space.high is not None
    ends = (space.low, space.high)
    return [int(end) for end in ends] if space.integer else [*ends]


def _probe(
    study: StudySettings, base: BaseRecipe, config: SearchConfig, values: Changes
) -> StudyRun:
    """The recipe with one value, and the values of the settings on which it depends."""
    (key,) = values
    chosen = {**_needed(config, key), **values}
    assert study.budget.tokens is not None
    try:
        return trial_run(
            study, base, chosen, seed=study.seeds[0], tokens=study.budget.tokens, name="probe"
        )
    except SettingsError as error:
        raise SettingsError(
            f"search.space.{key}: with {choice_label(values[key])} the recipe cannot run: {error}"
        ) from error


def _needed(config: SearchConfig, key: str) -> Changes:
    needed: Changes = {}
    for other, allowed in (config.space[key].when or {}).items():
        needed |= {**_needed(config, other), other: allowed[0]}
    return needed


def _between(
    study: StudySettings,
    base: BaseRecipe,
    config: SearchConfig,
    key: str,
    known: Mapping[str, int],
) -> dict[str, int]:
    """Tokens of a step for the values between the ends of a range, where they depend on the setting.

    Raises:
        SettingsError: The range has too many values, or a value for every number.
    """
    space = config.space[key]
    if space.choices is not None:
        return {}
    low, high = (known[f"{key}={choice_label(end)}"] for end in _probed(space))
    if low == high:
        return {}
    values = list(_values(space)) if space.integer else []
    if not 0 < len(values) <= _MOST_VALUES:
        raise SettingsError(
            f"space.{key}: steps {low:,} to {high:,} tokens, so trials would read unequal tokens; give choices that "
            "divide each other, as [4, 8, 16]"
        )
    return {
        f"{key}={value}": _probe(study, base, config, {key: value}).sizes.step_tokens
        for value in values
    }


def _values(space: Space) -> Iterator[int]:
    assert space.low is not None
    assert space.high is not None
    step = 1 if space.step is None else int(space.step)
    return iter(range(int(space.low), int(space.high) + 1, step))


def fitted(config: SearchConfig, wanted: Changes, recipe: Mapping[str, Any]) -> Changes:
    """Values of the space that are nearest to what a law, or else the recipe, says of each setting.

    Args:
        config: The search.
        wanted: What the law says: dotted key -> value.
        recipe: What the recipe has, for settings of which the law says nothing.
    """
    values: Changes = {}
    for key, space in config.space.items():
        if is_part(space, values):
            values[key] = _nearest(space, wanted.get(key, recipe.get(key)))
    return values


def _nearest(space: Space, value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if space.choices is not None:
        if value in space.choices:
            return value
        numbers = [one for one in space.choices if isinstance(one, int | float)]
        if is_number and numbers and value > 0 and min(numbers) > 0:
            return min(numbers, key=lambda one: abs(math.log(one / value)))
        return space.choices[0]
    assert space.low is not None
    assert space.high is not None
    if not is_number:
        middle = math.sqrt(space.low * space.high) if space.log else (space.low + space.high) / 2
        value = middle
    held = min(max(float(value), space.low), space.high)
    if space.step is not None or space.integer:
        step = 1.0 if space.step is None else space.step
        held = space.low + round((held - space.low) / step) * step
        held = min(held, space.high)
    return int(held) if space.integer else held
