"""Yield against quality: the tokens that a run keeps after each stage, and the held-out measure where an ablation knows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from refinery.ablation.decisions import decisions_of
from refinery.ablation.table import RESULT_NAME, Ablation, read_ablation
from refinery.publish import storage
from refinery.recipe import Recipe
from schemas.settings import Settings

FOLDER = "ablation"  # below a run's output
STUDY_RESULT = "study.json"  # as the trainer writes it into the study's folder

# Stages that decide about documents, in their order; what each one leaves is a yield.
STAGES = ("extract", "clean", "dedup", "decontaminate", "mixture")


class ArmYield(Settings):
    """An arm of an ablation: what it keeps, and how a model that read it was judged."""

    arm: str
    kept_after: tuple[str, ...] = Field(
        default=(), description="stages after which the run keeps the documents of this arm"
    )
    tokens: int
    measure: float | None = Field(default=None, description="mean over seeds")
    difference: tuple[float | None, float | None, float | None] | None = Field(
        default=None, description="minus the base's, with both ends of its interval"
    )
    verdict: str = ""


class Yields(Settings):
    """What an ablation of the run has found so far."""

    figure: str | None = Field(
        default=None, description="the study's measure; null before it has any"
    )
    arms: tuple[ArmYield, ...] = ()


def kept_after(decisions: tuple[str, ...], recipe: Recipe) -> tuple[str, ...]:
    """The stages after which the recipe keeps the very documents of an arm without these decisions.

    That is so where the arm goes without every decision of all later stages, and without no other.
    """
    found = []
    for number, stage in enumerate(STAGES):
        later = [name for name in decisions_of(recipe) if STAGES.index(_stage_of(name)) > number]
        if set(decisions) <= set(later) and all(_is_covered(name, decisions) for name in later):
            found.append(stage)
    return tuple(found)


def _stage_of(decision: str) -> str:
    first = decision.partition(".")[0]
    return first if first in STAGES else "clean"


def _is_covered(name: str, decisions: tuple[str, ...]) -> bool:
    """Whether a decision falls with one of others: all rules, or a group of them, hold single ones."""
    if name in decisions:
        return True
    if name.startswith("rules.") and not name.startswith(_BESIDE_BOUNDS):
        return "rules" in decisions or name.partition(":")[0] in decisions
    return name == "dedup.recurring" and "dedup" in decisions


_BESIDE_BOUNDS = ("rules.urls", "rules.max_removed_words", "rules.word_lists.")


def read_study(ablation: Ablation) -> dict[str, Any] | None:
    """What the study of an ablation has found; None before it has found anything."""
    uri = storage.join_uri(ablation.study_output, STUDY_RESULT)
    if not storage.exists(uri):
        return None
    found: dict[str, Any] = json.loads(storage.read_bytes(uri))
    return found


def read_yields(output: str) -> Yields:
    """The arms of the ablation that lies below a run's output; none where there is none.

    Raises:
        ContractError: `ablation.json` is none.
    """
    uri = storage.join_uri(output, FOLDER, RESULT_NAME)
    if not storage.exists(uri):
        return Yields()
    ablation = read_ablation(storage.read_bytes(uri), uri)
    return yields_of(ablation, read_study(ablation))


def yields_of(ablation: Ablation, study: Mapping[str, Any] | None) -> Yields:
    """The arms with what the study says of them, matched by name."""
    rows = {row["arm"]: row for row in (study or {}).get("table", ())}
    arms = []
    for one in ablation.arms:
        row = rows.get(one.arm, {})
        arms.append(
            ArmYield(
                arm=one.arm,
                kept_after=one.kept_after,
                tokens=one.tokens,
                measure=row.get("value"),
                difference=row.get("difference"),
                verdict=row.get("verdict") or "",
            )
        )
    return Yields(figure=study["measure"]["figure"] if study else None, arms=tuple(arms))
