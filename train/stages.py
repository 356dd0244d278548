"""Stages of a recipe: runs of their own, each starting from the weights of the one before.

The last stage writes where the recipe says, the earlier ones into `stages/` of that folder. On
the same manifest a stage goes on in the data's order where the one before stopped.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.settings import parse_settings
from train.settings import TrainSettings
from train.warm_start.config import WarmStartConfig

FOLDER, END_NAME = "stages", "end.json"
_FIXED = ("stages", "output", "warm_start", "first_sample", "seed")


@dataclass(frozen=True, kw_only=True)
class StageEnd:
    """What a finished stage leaves to the next.

    Attributes:
        checkpoint: Its last one.
        manifest: What it read.
        next_sample: The first that it did not read.
        settings_sha256: Of the settings that it was run with.
    """

    checkpoint: str
    manifest: str
    next_sample: int
    settings_sha256: str


def split_stages(settings: TrainSettings) -> list[TrainSettings]:
    """The runs of a recipe, in order; a recipe without stages is one run.

    Raises:
        SettingsError: A stage changes what all stages share, or holds a setting that cannot work.
    """
    if settings.stages is None:
        return [settings]
    base = settings.model_dump(mode="json", exclude_unset=True, exclude={"stages"})
    stages = []
    for number, changes in enumerate(settings.stages, start=1):
        where = f"stages.{number - 1}"
        fixed = [name for name in _FIXED if name in changes]
        if fixed:
            raise SettingsError(f"{where}.{fixed[0]}: shared by all stages; set it in the recipe")
        data = _merged(base, changes)
        if number < len(settings.stages):
            name = f"{number}-{data.get('trainable', 'all')}"
            data["output"] = str(Path(settings.output) / FOLDER / name)
        stages.append(parse_settings(TrainSettings, data, where=where))
    return stages


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Blocks merge key by key, but `stop`, of which exactly one key is given, is replaced."""
    merged = dict(base)
    if "manifest" in changes or "data" in changes:  # a stage that reads something else
        merged.pop("data", None)
        merged.pop("manifest", None)
    for key, value in changes.items():
        old = merged.get(key)
        is_block = isinstance(value, dict) and isinstance(old, dict) and key != "stop"
        merged[key] = {**old, **value} if is_block else value  # type: ignore[dict-item]
    return merged


def follow(stage: TrainSettings, before: StageEnd) -> TrainSettings:
    """The stage as it starts from the end of the one before."""
    start = stage.warm_start or WarmStartConfig(source=before.checkpoint)
    changes: dict[str, Any] = {
        "warm_start": start.model_copy(update={"source": before.checkpoint}),
    }
    if before.manifest == stage.manifest:
        changes["first_sample"] = before.next_sample
    return stage.model_copy(update=changes)


def settings_sha256(settings: TrainSettings) -> str:
    """Tells whether a stage that ended was this one."""
    return sha256_hex(canonical_json(settings))


def write_end(output: Path, end: StageEnd) -> None:
    """Note that the stage in this folder is finished."""
    text = json.dumps(asdict(end), indent=1) + "\n"
    (output / END_NAME).write_text(text, encoding="utf-8")


def read_end(settings: TrainSettings) -> StageEnd | None:
    """How this very stage ended earlier; None where it did not, or was another one."""
    path = Path(settings.output) / END_NAME
    try:
        end = StageEnd(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return end if end.settings_sha256 == settings_sha256(settings) else None
