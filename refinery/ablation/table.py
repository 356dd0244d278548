"""The table of an ablation: what each decision removes, what it costs, and what it buys once the study has run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from refinery.ablation.decisions import BASE
from schemas.errors import ContractError
from schemas.settings import Settings, parse_settings

RESULT_NAME = "ablation.json"


class ArmEntry(Settings):
    """One arm, as `ablation.json` has it."""

    arm: str
    decisions: tuple[str, ...] = ()
    kept_after: tuple[str, ...] = Field(
        default=(), description="stages after which the base keeps the documents of this arm"
    )
    manifest: str = Field(description="URI of its manifest")
    root: str = Field(description="root of its content")
    documents: int
    tokens: int
    more_documents: int = Field(description="kept by the arm alone: what the decision removes")
    more_tokens: int
    fewer_documents: int = Field(description="kept by the base alone")
    fewer_tokens: int
    rows: int
    shared_rows: int = Field(description="training rows that the base has, too")
    near_heldout: int = Field(
        description="training documents that resemble held-out ones of the base"
    )
    cpu_seconds: float | None = Field(description="cost of the decision in the run")
    cost_of: str = Field(description="where that figure comes from")


class Ablation(Settings):
    """What `refinery ablate` made."""

    recipe: str
    arms: tuple[ArmEntry, ...]
    study: str = Field(description="the study file")
    study_output: str = Field(description="folder of the study's results")


def read_ablation(text: bytes, where: str) -> Ablation:
    """Read an `ablation.json`.

    Raises:
        ContractError: It is none.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ContractError(f"{where}: not JSON: {error}") from error
    return parse_settings(Ablation, data, where=where)


def rows_of(ablation: Ablation, study: Mapping[str, Any] | None) -> list[list[str]]:
    """The table's cells: decision, what it removes, its cost; effect and verdict where a study knows them.

    Args:
        study: The study's own result (`study.json`); None before it has any. Its arms are matched by name,
            and differences are arm minus base, so what a decision buys has the other sign.
    """
    found = {row["arm"]: row for row in (study or {}).get("table", ())}
    return [
        [
            one.arm,
            f"{one.more_documents:,}",
            f"{one.more_tokens:,}",
            f"{one.fewer_documents:,}" if one.fewer_documents else "",
            f"{one.tokens:,}",
            f"{one.shared_rows / one.rows:.0%}" if one.rows else "",
            "" if one.cpu_seconds is None else f"{one.cpu_seconds:,.1f}",
            *_effect(one, found.get(one.arm)),
        ]
        for one in ablation.arms
    ]


HEAD = (
    "arm", "documents more", "tokens more", "documents fewer", "tokens", "rows shared", "CPU s", "measure",
    "difference", "interval", "finds", "verdict",
)  # fmt: skip


def _effect(arm: ArmEntry, row: Mapping[str, Any] | None) -> list[str]:
    if row is None:
        return ["", "", "", "", "not run"]
    value = "" if row["value"] is None else f"{row['value']:.4f}"
    if arm.arm == BASE or row["difference"] is None:
        return [value, "", "", "", row["verdict"] or "reference"]
    middle, low, high = row["difference"]
    has_ends = low is not None and high is not None
    smallest = row["smallest"]
    return [
        value,
        "" if middle is None else f"{middle:+.4f}",
        f"{low:+.4f} to {high:+.4f}" if has_ends else "not known",
        "" if smallest is None else f"{smallest:.4f}",
        row["verdict"],
    ]
