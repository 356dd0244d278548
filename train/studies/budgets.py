"""Equal tokens, or equal compute, for all arms of a study: by construction, then checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from schemas.errors import SettingsError
from train.studies.runs import RunSizes, StudyRun
from train.studies.settings import Budget

# All arms end with a whole batch; a budget loses this share at most to that.
MOST_ROUNDED_OFF = 0.1


def equal_tokens(budget: int, step_tokens: Mapping[str, int]) -> int:
    """The largest number of tokens within the budget that is whole batches of every arm.

    Args:
        budget: Packed tokens.
        step_tokens: Packed tokens of a batch, by name of the arm.

    Raises:
        SettingsError: The batches of two arms have no common multiple near the budget.
    """
    common = math.lcm(*step_tokens.values())
    tokens = budget // common * common
    if tokens >= (1 - MOST_ROUNDED_OFF) * budget:
        return tokens
    small, large = _uneven(step_tokens)
    raise SettingsError(
        f"budget: {budget:,} tokens are not whole batches of all arms: '{small}' steps "
        f"{step_tokens[small]:,} tokens, '{large}' {step_tokens[large]:,}, and all arms meet every "
        f"{common:,} tokens only; raise the budget, or give batches that divide each other"
    )


def _uneven(step_tokens: Mapping[str, int]) -> tuple[str, str]:
    """Two arms whose batches do not divide each other; else the smallest and the largest."""
    names = sorted(step_tokens, key=lambda name: (step_tokens[name], name))
    for index, small in enumerate(names):
        for large in names[index + 1 :]:
            if step_tokens[large] % step_tokens[small]:
                return small, large
    return names[0], names[-1]


def flops_tokens(flops: float, sizes: RunSizes, name: str) -> int:
    """The tokens that an arm reads for so many operations, in whole batches.

    Raises:
        SettingsError: They are no whole batch.
    """
    tokens = int(flops / (sizes.flops / sizes.tokens))
    whole = tokens // sizes.step_tokens * sizes.step_tokens
    if whole == 0:
        raise SettingsError(
            f"budget: {flops:g} operations are {tokens:,} tokens of arm '{name}', less than its batch of "
            f"{sizes.step_tokens:,}; raise the budget"
        )
    return whole


def hours_tokens(budget_hours: float, cpu_seconds_per_flop: float, runs: Sequence[RunSizes]) -> int:
    """The tokens of each run for so many CPU hours of all runs, by the pilot's speed."""
    per_token = sum(one.flops / one.tokens for one in runs) * cpu_seconds_per_flop
    return int(budget_hours * 3600 / per_token)


def check_equal(runs: Sequence[StudyRun], budget: Budget) -> None:
    """Refuse runs that do not get the same: tokens, or operations where the budget is one of operations.

    Raises:
        SettingsError: With two runs that differ, both sides named.
    """
    first = runs[0]
    for other in runs[1:]:
        if budget.flops is not None:
            _check_flops(first, other)
        elif other.sizes.tokens != first.sizes.tokens:
            raise SettingsError(
                f"runs of unequal tokens: {first.name} reads {_read(first)}, {other.name} {_read(other)}; a "
                "study compares runs that read as much: give batches that divide each other, no ramp or the same "
                "one, and phases with the same ends"
            )


def _read(run: StudyRun) -> str:
    return f"{run.sizes.tokens:,} tokens in batches of {run.sizes.step_tokens:,}"


def _check_flops(first: StudyRun, other: StudyRun) -> None:
    # Each ends within one of its own batches below the budget.
    unit = max(one.sizes.step_tokens * one.sizes.flops / one.sizes.tokens for one in (first, other))
    if abs(first.sizes.flops - other.sizes.flops) > unit:
        raise SettingsError(
            f"runs of unequal compute: {first.name} computes {first.sizes.flops:.4g} operations, "
            f"{other.name} {other.sizes.flops:.4g}, more than a batch apart; give no ramp, and no phases with "
            "ends of their own"
        )
