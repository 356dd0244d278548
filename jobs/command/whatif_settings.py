"""Settings that a ledger answers for, and the stage to run again for any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.command.affected_stage import affected_stage
from refinery.clean.config import CleanConfig
from refinery.filters.rules import check_rules
from refinery.recipe import Recipe
from schemas.errors import SettingsError
from schemas.settings import apply_overrides, parse_settings
from schemas.yaml_files import read_yaml

# Parts of the settings that a ledger can answer for.
ANSWERABLE = ("language.", "quality.min_score", "quality.pareto", "quality.top", "rules.bounds", "rules.disabled", "rules.optional",
              "rules.enabled", "heads.")  # fmt: skip
NOT_LANGUAGE = ("language.model", "language.sample_chars")


def clean_key(override: str, stages: Sequence[str] = ()) -> str:
    """The override with its key below `recipe.clean`.

    `quality` and `heads` are parts of the recipe (what trains them) and of `clean` (what their scores
    do): without a prefix the latter is meant.

    Raises:
        SettingsError: The setting is not one that a ledger answers for; names the stage that it changes.
    """
    key, equals, value = override.partition("=")
    plain = key.removeprefix("recipe.")
    if (plain.split(".")[0] not in Recipe.model_fields and plain == key) or (
        plain == key and key.split(".")[0] in CleanConfig.model_fields
    ):
        plain = f"clean.{key}"
    name = plain.removeprefix("clean.")
    if not plain.startswith("clean.") or not _is_answerable(name):
        stage = affected_stage(f"{plain}{equals}{value}", stages) or "clean"
        raise SettingsError(
            f"--set {key}: changes what the stage '{stage}' does, which a ledger does not hold; "
            f"run the stage '{stage}' again (refinery refine --from {stage})"
        )
    return f"{name}{equals}{value}"


def _is_answerable(name: str) -> bool:
    return name.startswith(ANSWERABLE) and not name.startswith(NOT_LANGUAGE)


def settings_before(recipe: Path | None, recorded: CleanConfig | None) -> dict[str, Any]:
    """The settings of cleaning that overrides change: the recipe's, the run's, or the defaults."""
    if recipe is not None:
        return dict(read_yaml(recipe).get("recipe", {}).get("clean") or {})
    return recorded.model_dump(mode="json") if recorded is not None else {}


def changed_settings(before: Mapping[str, Any], overrides: Sequence[str]) -> CleanConfig:
    """The clean settings with the overrides.

    Raises:
        SettingsError: A setting that the ledger cannot answer for, or that is none.
    """
    merged = apply_overrides({"clean": dict(before)}, [f"clean.{one}" for one in overrides])
    changed = parse_settings(CleanConfig, merged["clean"], where="--set")
    check_rules(changed.rules)
    for head, config in changed.heads.items():
        if config.action == "mask" and any(
            key.startswith((f"heads.{head}.", f"heads.{head}=")) for key in overrides
        ):
            raise SettingsError(
                f"--set heads.{head}: masks paragraphs, whose scores a ledger does not hold; "
                "run the stage 'clean' again (refinery refine --from clean)"
            )
    return changed
