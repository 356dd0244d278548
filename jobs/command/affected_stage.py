"""The first stage of a run that another value of a setting would run again."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any

from refinery.recipe import Recipe
from schemas.errors import SettingsError
from schemas.fingerprints import canonical_json
from schemas.settings import apply_overrides, parse_settings

# A recipe with every optional section, so that any setting has somewhere to go.
_WHOLE: dict[str, Any] = {
    "name": "whole",
    "sources": [{"name": name, "uri": name, "format": "text"} for name in ("a", "b")],
    "quality": {"positive": ["a"], "negative": ["b"]},
    "decontaminate": {"benchmarks": [{"name": "b", "path": "b", "fields": ["text"]}]},
    "mixture": {"weights": {"a": 1.0}},
}


def affected_stage(override: str, stages: Collection[str]) -> str | None:
    """The stage whose settings differ under `KEY=VALUE`, KEY being one of the recipe.

    Args:
        override: The key and its value.
        stages: Stages of the run in question; classifiers read texts, too, where the run trains any.

    Returns:
        Its name; None where the value is the one that holds anyway.

    Raises:
        SettingsError: There is no such setting, or it takes no such value.
    """
    from jobs.refine import STAGES  # imports Spark's modules: only where an answer needs it

    base = dict(_WHOLE)
    if "quality" not in stages and not override.startswith("quality"):
        del base["quality"]
    before = Recipe.model_validate(base)
    after = parse_settings(Recipe, apply_overrides(base, [override]), where="--set")
    for stage in STAGES:
        if not stage.enabled(after):
            continue
        with suppress(SettingsError):
            if canonical_json(stage.settings(before)) != canonical_json(stage.settings(after)):
                return stage.name
    return None
