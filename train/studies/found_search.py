"""What a search has found so far, and its form as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.plain_json import json_text
from train.studies.found import FoundStudy, as_dict
from train.studies.pilot import Forecast
from train.studies.search import SearchPlan
from train.studies.settings import Changes

FOUND = "found"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial as a row.

    Attributes:
        how: How its settings were chosen: `sampled`, or the law of a start value.
        rungs: The measure at each rung that it reached.
        value: At its end; None where it has none.
        tokens: Packed tokens that it has read, over all seeds.
        restarted_tokens: What it would have read if each rung began anew.
        why: Why it was given up or failed.
    """

    number: int
    how: str
    settings: Changes
    state: str
    rungs: Mapping[int, float]
    value: float | None
    tokens: int
    restarted_tokens: int
    why: str | None


@dataclass(frozen=True, kw_only=True)
class FoundSearch:
    """A search as far as it is.

    Attributes:
        best: The best trial that came to its end; None where none did.
        importance: Share of each setting in the spread of the trials' measure.
        confirmation: The best trial beside the recipe with other seeds; None where there is none.
        remark: Why there is no confirmation.
    """

    plan: SearchPlan
    trials: tuple[Trial, ...]
    best: Trial | None
    importance: Mapping[str, float]
    forecast: Forecast | None
    confirmation: FoundStudy | None = None
    remark: str = ""

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.best is None:
            return "Nothing was found: no trial came to its end."
        settings = ", ".join(
            f"{key} {in_words(value)}" for key, value in self.best.settings.items()
        )
        found = f"best of {len(self.trials)} trials: {settings} (trial {self.best.number}, {self.best.value:.4f})"
        if self.confirmation is None:
            return f"{found}; {self.remark}."
        return f"{found}; with other seeds {FOUND} is {self.confirmation.table.sentence}"


def in_words(value: Any) -> str:
    """A value of a setting, numbers with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else json_text(value)


def search_dict(found: FoundSearch) -> dict[str, Any]:
    """The search as JSON: `table` is a function of the runs alone."""
    confirmed = found.confirmation
    return {
        "question": found.plan.study.question,
        "verdict": found.sentence,
        "recipe": str(found.plan.base.path),
        "measure": found.plan.measure.model_dump(mode="json"),
        "table": [
            {
                "trial": one.number,
                "how": one.how,
                "settings": one.settings,
                "state": one.state,
                "rungs": {str(rung): value for rung, value in one.rungs.items()},
                "value": one.value,
                "tokens": one.tokens,
                "why": one.why,
            }
            for one in found.trials
        ],
        "importance": dict(found.importance),
        "tokens": sum(one.tokens for one in found.trials),
        "restarted_tokens": sum(one.restarted_tokens for one in found.trials),
        "confirmation": None if confirmed is None else as_dict(confirmed),
    }
