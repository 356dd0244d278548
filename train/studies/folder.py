"""The folder of a study: begun once with one base recipe, measure and budget, and refused to any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.settings import differing
from train.studies.claims import held
from train.studies.plan import StudyPlan, comparable

IDENTITY_NAME, QUEUE_NAME = "identity.json", "queue"
_MOST_SHOWN = 5


def identity_of(plan: StudyPlan, *, search: dict[str, Any] | None = None) -> dict[str, Any]:
    """What all runs of a folder share; arms, seeds and trials may be added later.

    Args:
        plan: The study.
        search: What trials share beside, where it is a search.
    """
    reference = plan.runs[0]
    shared: dict[str, Any] = {
        "recipe": comparable(reference),
        "measure": plan.measure.model_dump(mode="json"),
        "budget": plan.study.budget.model_dump(mode="json", exclude_none=True),
    }
    if search is not None:
        shared["search"] = search
    return {"of": str(plan.base.path), "sha256": sha256_hex(canonical_json(shared)), **shared}


def enter(folder: Path, identity: dict[str, Any]) -> None:
    """Begin a study in a folder, or go on with it.

    Raises:
        SettingsError: The folder is of a study with another base recipe, measure or budget, or cannot be written.
        ContractError: Its identity cannot be read.
    """
    path = folder / IDENTITY_NAME
    try:
        with held(folder / QUEUE_NAME, "identity"):
            if not path.is_file():
                _refuse_other_content(folder)
                replace_text(path, json_text(identity, indent=1) + "\n")
    except OSError as error:
        raise SettingsError(f"output {folder}: cannot be written ({error.strerror})") from error
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        same = known["sha256"] == identity["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{path}: is not the identity of a study ({error})") from error
    if not same:
        raise SettingsError(_other_study(folder, known, identity))


def _refuse_other_content(folder: Path) -> None:
    """A run or a dataset that lies there is no study."""
    other = sorted(one.name for one in folder.iterdir() if one.name != QUEUE_NAME)
    if other:
        raise SettingsError(
            f"output {folder}: holds {', '.join(other[:3])}, which is no study; give another output"
        )


def _other_study(folder: Path, known: dict[str, Any], now: dict[str, Any]) -> str:
    blocks = [key for key in {**known, **now} if key not in ("of", "sha256")]
    pairs = [one for key in blocks for one in differing(known.get(key), now.get(key), key)]
    shown = [
        f"{key} is {json_text(old)} there and {json_text(new)} here" for key, old, new in pairs
    ]
    more = f" (and {len(shown) - _MOST_SHOWN} more)" if len(shown) > _MOST_SHOWN else ""
    return (
        f"{folder}: is the study of another base: {known['of']} there, {now['of']} here; "
        f"{'; '.join(shown[:_MOST_SHOWN])}{more}; give this study another output"
    )
