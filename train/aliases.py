"""Other names of our settings: those of LAVIS, and those that earlier versions had.

All of them stand in one table, `ALIASES`. A recipe and `--set` may use them: the old names of
renamed settings are warned about, those of LAVIS are not. What is stored (the settings and the
identity in a checkpoint, `shape.json` of an export) is translated on reading, without a warning,
since nobody needs to mend it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import SettingsError
from schemas.settings import apply_overrides
from schemas.yaml_files import OLD_BOOLEANS, parse_yaml
from train.model.config import DERIVED_FIELDS, ModelConfig

PHASES = "phases"
_RUN_BLOCK = "run"


@dataclass(frozen=True, kw_only=True)
class Alias:
    """What another name of a setting stands for.

    Attributes:
        key: Dotted key of the setting.
        values: Our values for the booleans that LAVIS writes; None where values are the same.
        is_old: Whether an earlier version of the trainer had this name.
    """

    key: str
    values: Mapping[bool, str] | None = None
    is_old: bool = False


_OLD_NAMES = {
    "schedule.init_lr": "schedule.peak_lr",
    "schedule.warmup_lr": "schedule.warmup_start_lr",
    "optimizer.max_norm": "optimizer.max_grad_norm",
    "parallel.schedule": "parallel.pipeline_schedule",
    "loader.prefetch_batches": "loader.prefetch_microbatches",
    "model.layers": "model.num_layers",
    "model.heads": "model.num_heads",
    "model.kv_heads": "model.num_kv_heads",
    "model.head_dim": "model.head_width",
    "model.norm_place": "model.norm_position",
    "model.classes": "model.num_classes",
    "model.token_types": "model.num_token_types",
    "model.relative_buckets": "model.num_relative_buckets",
    "model.relative_distance": "model.max_relative_distance",
    "stages": PHASES,
}
_OLD_ALIASES = {old: Alias(key=key, is_old=True) for old, key in _OLD_NAMES.items()}
# Keys of a `run:` block as LAVIS and the founding text write it; they may also stand at the top.
_LAVIS_NAMES = {
    "init_lr": Alias(key="schedule.peak_lr"),
    "min_lr": Alias(key="schedule.min_lr"),
    "warmup_lr": Alias(key="schedule.warmup_start_lr"),
    "lr_decay_rate": Alias(key="schedule.lr_decay_rate"),
    "lr_scheduler_type": Alias(key="schedule.lr_scheduler_type"),
    "lr_sched": Alias(key="schedule.lr_scheduler_type"),
    "warmup_steps": Alias(key="schedule.warmup"),
    "use_amp": Alias(key="precision.compute", values={True: "auto", False: "fp32"}),
    "enable_gradient_checkpointing": Alias(key="recompute", values={True: "full", False: "none"}),
    "max_norm": Alias(key="optimizer.max_grad_norm"),
    "weight_decay": Alias(key="optimizer.weight_decay"),
    "max_steps": Alias(key="stop.steps"),
    "max_epoch": Alias(key="stop.epochs"),
}
ALIASES = _LAVIS_NAMES | _OLD_ALIASES
# Keys of other trainers, and what is nearest to each here: no aliases, for few mean quite the same.
_ELSEWHERE = {
    "lr": "schedule.peak_lr",
    "learning_rate": "schedule.peak_lr",
    "optimizer.lr": "schedule.peak_lr",
    "optimizer.learning_rate": "schedule.peak_lr",
    "schedule.lr": "schedule.peak_lr",
    "schedule.learning_rate": "schedule.peak_lr",
    "lr_scheduler": "schedule.lr_scheduler_type",
    "optimizer.warmup_steps": "schedule.warmup",
    "batch_size": "batch.sequences",
    "batch_size_train": "batch.sequences",
    "gradient_accumulation_steps": "batch.microbatch, the rows of one pass",
    "num_train_epochs": "stop.epochs",
}


def translate_recipe(
    data: dict[str, Any], overrides: Sequence[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Give a recipe the names that `TrainSettings` has, and apply its overrides.

    An override under one name replaces what the recipe says under another.

    Returns:
        The settings; warnings for names that an earlier version had, and for keys of LAVIS that
        the chosen schedule does not use.

    Raises:
        SettingsError: One setting is given under two names; the message has both.
    """
    settings = _without_run_block(data)
    written = set(settings)
    settings, used = _renamed(settings, ALIASES)
    translated = []
    for override in overrides:
        path, equals, value = override.removeprefix(f"{_RUN_BLOCK}.").partition("=")
        key, alias = _current_path(path)
        if alias is not None:
            used.append((path, key))
            value = _value_text(alias, value)
        translated.append(f"{key}{equals}{value}")
    # The values of overrides may be blocks with keys of their own.
    ends = {key.partition("=")[0] for key in translated}
    settings = _without_run_block(apply_overrides(_without_other_ends(settings, ends), translated))
    settings, more = _renamed(settings, ALIASES)
    _refuse_names_of_others(settings)
    warnings = [
        f"{old} is now {key}; write {key}" for old, key in used + more if old not in _LAVIS_NAMES
    ]
    return settings, warnings + _unused(settings, written | {old for old, _ in used})


def _without_other_ends(settings: dict[str, Any], overridden: set[str]) -> dict[str, Any]:
    """Leave out the recipe's end of a run, or of a phase, where an override gives another one.

    A run has one end, in steps, tokens or epochs: `stop.steps=50` is meant instead of the recipe's tokens.
    """
    settings = copy.deepcopy(settings)
    for path in overridden:
        *parents, block, _ = ["", "", *path.split(".")]
        if block != "stop":
            continue
        node: Any = settings
        for part in filter(None, parents):
            if isinstance(node, list) and part.isdigit() and int(part) < len(node):
                node = node[int(part)]
            else:
                node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop("stop", None)
    return settings


def _refuse_names_of_others(settings: dict[str, Any]) -> None:
    for name, key in _ELSEWHERE.items():
        block, last = _block_of(settings, name, is_made=False)
        if block is not None and last in block:
            raise SettingsError(f"{name}: unknown key; here it is {key}")


def with_current_keys(stored: dict[str, Any]) -> dict[str, Any]:
    """Give settings, or an identity, that an earlier version stored the names of this version."""
    return _renamed(stored, _OLD_ALIASES)[0]


def with_old_keys(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings the names that the version before the renaming stored them under."""
    back = {key: Alias(key=old) for old, key in _OLD_NAMES.items()}
    return _renamed(settings, back)[0]


def with_current_model_keys(shape: dict[str, Any]) -> dict[str, Any]:
    """Give the stored fields of a model their names, and values to those that were left to follow."""
    fields: dict[str, Any] = with_current_keys({"model": shape})["model"]
    open_fields = [name for name in DERIVED_FIELDS if name in fields and fields[name] is None]
    if open_fields:
        whole = ModelConfig.model_validate(fields)
        fields |= {name: getattr(whole, name) for name in open_fields}
    return fields


def _without_run_block(data: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the keys of LAVIS's `run:` block at the top."""
    block = data.get(_RUN_BLOCK)
    if not isinstance(block, dict):
        return dict(data)  # a value without keys is refused as the unknown key that it is
    return {key: value for key, value in data.items() if key != _RUN_BLOCK} | block


def _renamed(
    data: Mapping[str, Any], aliases: Mapping[str, Alias], prefix: str = ""
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A copy under the names that the aliases stand for, and each (name, key) that was used."""
    settings = {k: dict(v) if isinstance(v, dict) else v for k, v in data.items()}
    used = []
    for name, alias in aliases.items():
        source, last = _block_of(settings, name, is_made=False)
        if source is None or last not in source:
            continue
        value = source.pop(last)
        value = _our_value(alias, value)
        target, key = _block_of(settings, alias.key, is_made=True)
        assert target is not None  # it was made
        if key in target:
            raise SettingsError(
                f"{prefix}{name} and {prefix}{alias.key} are two names of one setting; "
                f"give {alias.key} alone"
            )
        target[key] = value
        used.append((f"{prefix}{name}", f"{prefix}{alias.key}"))
    phases = settings.get(PHASES)
    if isinstance(phases, list | tuple):
        settings[PHASES], of_phases = _renamed_phases(phases)
        used += of_phases
    return settings, used


def _renamed_phases(phases: Sequence[Any]) -> tuple[list[Any], list[tuple[str, str]]]:
    renamed, used = [], []
    for index, phase in enumerate(phases):
        if isinstance(phase, dict):
            phase, of_phase = _renamed(phase, _OLD_ALIASES, prefix=f"{PHASES}.{index}.")
            used += of_phase
        renamed.append(phase)
    return renamed, used


def _block_of(
    settings: dict[str, Any], dotted: str, *, is_made: bool
) -> tuple[dict[str, Any] | None, str]:
    """The mapping that holds a dotted key, and the key in it; None where there is no mapping."""
    name, _, last = dotted.rpartition(".")
    if not name:
        return settings, last
    if is_made and not isinstance(settings.get(name), dict):
        settings[name] = {}
    block = settings.get(name)
    return (block if isinstance(block, dict) else None), last


def _current_path(path: str) -> tuple[str, Alias | None]:
    """The dotted key that the path of an override stands for, and the alias that it used."""
    head, _, rest = path.partition(".")
    if rest and head in (PHASES, "stages"):
        index, _, inner = rest.partition(".")
        key, alias = _current_path(inner)
        used = alias or (ALIASES["stages"] if head == "stages" else None)
        return ".".join(filter(None, (PHASES, index, key))), used
    alias = ALIASES.get(path)
    return (path, None) if alias is None else (alias.key, alias)


def _value_text(alias: Alias, text: str) -> str:
    return text if alias.values is None else str(_our_value(alias, parse_yaml(text)))


def _our_value(alias: Alias, value: Any) -> Any:
    """Our value for a boolean of LAVIS, in the words of YAML 1.1 too; any other value as it is."""
    if alias.values is None:
        return value
    if isinstance(value, str):
        value = OLD_BOOLEANS.get(value.lower(), value)
    return alias.values[value] if isinstance(value, bool) else value


def _unused(settings: Mapping[str, Any], written: set[str]) -> list[str]:
    """Warnings for keys that were written under LAVIS's names and that the schedule does not use."""
    block = settings.get("schedule")
    schedule = block if isinstance(block, dict) else {}
    kind = str(schedule.get("lr_scheduler_type", "linear_warmup_cosine_lr"))
    warnings = []
    if "lr_decay_rate" in written and "step" not in kind:
        warnings.append(f"lr_decay_rate is not used by the schedule {kind}")
    if "min_lr" in written and kind == "constant":
        warnings.append("min_lr is not used by the schedule constant")
    if "warmup_lr" in written and not schedule.get("warmup"):
        warnings.append("warmup_lr is not used without warmup_steps")
    return warnings
