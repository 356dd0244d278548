"""Names that users of LAVIS and Hugging Face already write, translated into our settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_SCHEDULE_NAMES = ("init_lr", "min_lr", "warmup_lr", "lr_decay_rate", "lr_scheduler_type")


@dataclass(frozen=True, kw_only=True)
class _Familiar:
    """Where a familiar key goes: a dotted place, and the values it takes there."""

    place: str
    values: dict[Any, Any] | None = None


_FAMILIAR = {
    **{name: _Familiar(place=f"schedule.{name}") for name in _SCHEDULE_NAMES},
    "warmup_steps": _Familiar(place="schedule.warmup"),
    "use_amp": _Familiar(place="precision.compute", values={True: "auto", False: "fp32"}),
    "enable_gradient_checkpointing": _Familiar(
        place="recompute", values={True: "full", False: "none"}
    ),
    "max_norm": _Familiar(place="optimizer.max_norm"),
    "weight_decay": _Familiar(place="optimizer.weight_decay"),
    "max_steps": _Familiar(place="stop.steps"),
    "max_epoch": _Familiar(place="stop.epochs"),
}
_BLOCK = "run"


def translate_familiar(data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Move familiar keys, given at the top or in a `run:` block, to their places.

    Returns:
        The settings, and one warning for each key that the chosen schedule does not use.
    """
    settings = {
        key: dict(value) if isinstance(value, dict) else value for key, value in data.items()
    }
    block = settings.get(_BLOCK)
    if isinstance(block, dict):
        del settings[_BLOCK]
        settings.update(block)
    used: set[str] = set()
    for name, familiar in _FAMILIAR.items():
        if name not in settings:
            continue
        value = settings.pop(name)
        used.add(name)
        if familiar.values is not None and isinstance(value, bool):
            value = familiar.values[value]
        _place(settings, familiar.place, value)
    return settings, _unused(settings, used)


def _place(settings: dict[str, Any], place: str, value: Any) -> None:
    block, _, key = place.rpartition(".")
    if not block:
        settings[key] = value
        return
    node = settings.get(block)
    # A block written out in full wins over the familiar key.
    settings[block] = {key: value, **(node if isinstance(node, dict) else {})}


def _unused(settings: dict[str, Any], used: set[str]) -> list[str]:
    block = settings.get("schedule", {})
    schedule = str(block.get("lr_scheduler_type", "linear_warmup_cosine_lr"))
    warnings = []
    if "lr_decay_rate" in used and "step" not in schedule:
        warnings.append(f"lr_decay_rate is not used by the schedule {schedule}")
    if "min_lr" in used and schedule == "constant":
        warnings.append("min_lr is not used by the schedule constant")
    if "warmup_lr" in used and not block.get("warmup"):
        warnings.append("warmup_lr is not used without warmup_steps")
    return warnings
