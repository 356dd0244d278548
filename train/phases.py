"""Phases of a recipe: runs of their own, each starting from the weights of the one before.

The last phase writes where the recipe says, the earlier ones into `phases/` of that folder. On
the same manifest a phase goes on in the data's order where the one before stopped.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from schemas.settings import parse_settings
from train.aliases import with_old_keys
from train.settings import TrainSettings
from train.warm_start.config import WarmStartConfig

END_NAME = "end.json"
_FOLDER, _OLD_FOLDER = "phases", "stages"
_FIXED = ("phases", "output", "warm_start", "first_sample", "seed")


@dataclass(frozen=True, kw_only=True)
class PhaseEnd:
    """What a finished phase leaves to the next.

    Attributes:
        checkpoint: Folder of its last checkpoint.
        manifest: The manifest that it read, as its settings name it.
        next_sample: First sample of the manifest's order that the phase did not read.
        settings_sha256: SHA-256 of the settings that the phase ran with.
    """

    checkpoint: str
    manifest: str
    next_sample: int
    settings_sha256: str


def split_phases(settings: TrainSettings) -> list[TrainSettings]:
    """The runs of a recipe, in order; a recipe without phases is one run.

    Raises:
        SettingsError: A phase changes what all phases share, or holds a setting that cannot work.
    """
    if settings.phases is None:
        return [settings]
    base = settings.model_dump(mode="json", exclude_unset=True, exclude={"phases"})
    folder = _folder_of_earlier_phases(Path(settings.output))
    phases = []
    for number, changes in enumerate(settings.phases, start=1):
        where = f"phases.{number - 1}"
        fixed = [name for name in _FIXED if name in changes]
        if fixed:
            raise SettingsError(f"{where}.{fixed[0]}: shared by all phases; set it in the recipe")
        data = _merged(base, changes)
        if number < len(settings.phases):
            data["output"] = str(folder / f"{number}-{data.get('trainable', 'all')}")
        phases.append(parse_settings(TrainSettings, data, where=where))
    return phases


def _folder_of_earlier_phases(output: Path) -> Path:
    """`phases/` of a run; `stages/` where version 0.1 began the run, which then goes on there."""
    old = output / _OLD_FOLDER
    return old if old.is_dir() else output / _FOLDER


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Blocks merge key by key; what belongs to something else is replaced.

    `stop` is given by exactly one key, and another objective has other keys.
    """
    merged = dict(base)
    if "manifest" in changes or "data" in changes:  # a phase that reads something else
        merged.pop("data", None)
        merged.pop("manifest", None)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and not _is_another(key, old, value):
            merged[key] = {**old, **value}
        else:
            merged[key] = value
    return merged


def _is_another(key: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a phase's block says nothing about the one of the recipe."""
    other_objective = key == "objective" and new.get("name", old.get("name")) != old.get("name")
    return key == "stop" or other_objective


def follow(phase: TrainSettings, before: PhaseEnd) -> TrainSettings:
    """The settings of a phase that starts where another one ended."""
    start = phase.warm_start or WarmStartConfig(source=before.checkpoint)
    changes: dict[str, Any] = {
        "warm_start": start.model_copy(update={"source": before.checkpoint}),
    }
    if before.manifest == phase.manifest:
        changes["first_sample"] = before.next_sample
    return phase.model_copy(update=changes)


def settings_sha256(settings: TrainSettings) -> str:
    """SHA-256 of all settings, which tells whether a phase that ended was this one."""
    return sha256_hex(canonical_json(settings))


# Settings that version 0.2 did not have; it did what their defaults do, or what their nulls say.
_SINCE_0_2 = {
    "batch": ("changes",),
    "optimizer": ("plugin", "options"),
    "schedule": ("warmup_fraction", "plugin", "options"),
    "precision": ("tf32",),
    "checkpoint": ("max_failed_saves", "retry_seconds"),
    "metrics": ("sinks",),
    "parallel": ("reduction", "sentinel_every_steps"),
    "evaluation": ("tasks",),
}
_BLOCKS_SINCE_0_2 = ("stability", "activation_blend")  # null in a recipe that says nothing of them
_NOT_COMPUTED = ("supervision",)  # who watches a run changes nothing of what it computes
_OLD_PEAK = 3e-4  # of a recipe that named none


def _old_settings_sha256(settings: TrainSettings) -> tuple[str, str]:
    """What versions 0.2 and 0.1 wrote for these settings, under the names that they had for them."""
    old = {
        name: {key: inner for key, inner in value.items() if key not in _SINCE_0_2.get(name, ())}
        if isinstance(value, dict)
        else value
        for name, value in settings.model_dump(mode="json").items()
        if not (name in _BLOCKS_SINCE_0_2 and value is None) and name not in _NOT_COMPUTED
    }
    if old["schedule"]["peak_lr"] is None:
        old["schedule"]["peak_lr"] = _OLD_PEAK
    return sha256_hex(canonical_json(old)), sha256_hex(canonical_json(with_old_keys(old)))


def write_end(output: Path, end: PhaseEnd) -> None:
    """Note in a phase's folder that the phase is finished."""
    text = json_text(asdict(end), indent=1) + "\n"
    (output / END_NAME).write_text(text, encoding="utf-8")


def read_end(settings: TrainSettings) -> PhaseEnd | None:
    """How a phase with these very settings ended earlier; None where none did."""
    path = Path(settings.output) / END_NAME
    try:
        end = PhaseEnd(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    equal = (settings_sha256(settings), *_old_settings_sha256(settings))
    return end if end.settings_sha256 in equal else None
