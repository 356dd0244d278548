"""Do the tensors of a source fit its shape? Told with both sides before anything is loaded."""

from __future__ import annotations

import json

import torch

from schemas.errors import ContractError
from train.exchange.names import (
    from_hugging_face,
    head_names,
    to_hugging_face,
    unexpected_names,
    with_current_names,
)
from train.exchange.plain_names import TASK_HEADS
from train.model.config import ModelConfig
from train.model.transformer import build_model, make_model
from train.warm_start.source import Source, State

# Heads that weights may come without, whatever their form: a run begins them anew.
_HEADS = (
    "head.",
    "head_bias",
    "pooler.",
    "pair_head.",
    "transform.",
    "transform_norm.",
    "class_head.",
)
# Where the number of outputs is the task's, a head of another task is none.
_OF_A_TASK = ("class_head.",)
_SHOWN = 5


def our_weights(
    source: Source, loaded: State, *, seed: int, shape: ModelConfig | None = None
) -> tuple[State, list[str]]:
    """Bring all tensors of a shape under our names.

    Args:
        source: Where the tensors come from.
        loaded: Its tensors, under its names.
        seed: Seed of the heads that begin anew.
        shape: The run's shape, whose heads may differ from the source's; None: the source's.

    Returns:
        The tensors, and our names of those that the source lacks and that begin anew: heads, nothing
        else.

    Raises:
        ContractError: Tensors are missing, extra or misshapen; up to five of each are named, with
            what was found and what was expected.
    """
    config = source.config if shape is None else shape
    with torch.device("meta"):
        ours = dict(make_model(config).state_dict())
    names = {name: name for name in ours}
    expected = ours
    if not source.is_ours:
        expected = to_hugging_face(ours, config)
        loaded = with_current_names(_with_prefix(loaded, expected), config)
        names = head_names(config)
        if _shares_t5_head(source, config, loaded):
            loaded = {**loaded, "lm_head.weight": loaded["shared.weight"].clone()}
    loaded = _without_other_tasks(loaded, names, ours, source.is_ours)
    fresh = [
        name
        for name, theirs in names.items()
        if name in ours and name.startswith(_HEADS) and theirs not in loaded
    ]
    if fresh:
        begun = build_model(config, seed=seed).state_dict()
        begun_theirs = begun if source.is_ours else to_hugging_face(dict(begun), config)
        loaded = loaded | {names[name]: begun_theirs[names[name]] for name in fresh}
    _refuse(source, config, expected, loaded)
    _refuse_no_numbers(source, loaded)
    if source.is_ours:
        return {name: loaded[name] for name in ours}, fresh
    found = from_hugging_face(loaded, config)
    return {name: found[name].to(ours[name].dtype) for name in ours}, fresh


def _shares_t5_head(source: Source, config: ModelConfig, loaded: State) -> bool:
    """Whether a T5 without scaled logits was saved with one tensor for embedding and head."""
    if config.family != "t5" or config.tied_head or "lm_head.weight" in loaded:
        return False
    described = json.loads((source.path / "config.json").read_text(encoding="utf-8"))
    names = described.get("architectures") or []
    return any(name.endswith("ForConditionalGeneration") for name in names)


def _without_other_tasks(loaded: State, names: dict[str, str], ours: State, is_ours: bool) -> State:  # noqa: FBT001
    """Leave out heads of a task that the run does not have, or has with other outputs."""
    theirs_of_task = {
        name if is_ours else theirs: ours.get(name)
        for name, theirs in {**names, **TASK_HEADS}.items()
        if name.startswith(_OF_A_TASK)
    }
    return {
        name: value
        for name, value in loaded.items()
        if name not in theirs_of_task
        or ((own := theirs_of_task[name]) is not None and own.shape == value.shape)
    }


def _with_prefix(loaded: State, expected: State) -> State:
    """Add the first part of names, which checkpoints of a bare model lack."""
    prefixes = sorted({name.split(".")[0] + "." for name in expected})
    if any(name.startswith(tuple(prefixes)) for name in loaded):
        return loaded
    renamed = {}
    for name, value in loaded.items():
        full = [prefix + name for prefix in prefixes if prefix + name in expected]
        renamed[full[0] if full else name] = value
    return renamed


def _refuse(source: Source, config: ModelConfig, expected: State, loaded: State) -> None:
    missing = sorted(expected.keys() - loaded.keys())
    misshapen = [
        name for name in sorted(expected.keys() & loaded.keys())
        if expected[name].shape != loaded[name].shape
    ]  # fmt: skip
    extra = sorted(loaded.keys() - expected.keys())
    if not source.is_ours and not missing and not misshapen:
        # Buffers and second names of tied tensors are no fault; the exchange knows them.
        extra = unexpected_names(loaded, from_hugging_face(loaded, config), config)
    if not (missing or misshapen or extra):
        return
    lines = [
        f"{source.path}: its tensors are not those of its configuration ({_described(config)})"
    ]
    for kind, names in (("missing", missing), ("extra", extra), ("misshapen", misshapen)):
        if not names:
            continue
        lines.append(f"{len(names)} {kind}:")
        lines += [f"  {name}: {_both(name, expected, loaded)}" for name in names[:_SHOWN]]
        if len(names) > _SHOWN:
            lines.append(f"  and {len(names) - _SHOWN} more")
    raise ContractError("\n  ".join(lines))


def _refuse_no_numbers(source: Source, loaded: State) -> None:
    wrong = {
        name: int((~torch.isfinite(value)).sum())
        for name, value in loaded.items()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    }
    if wrong:
        name, count = next(iter(sorted(wrong.items())))
        raise ContractError(
            f"{source.path}: {len(wrong)} tensors hold NaN or infinity, {name} at {count:,} of "
            f"{loaded[name].numel():,} entries; start from a checkpoint before they did"
        )


def _described(config: ModelConfig) -> str:
    return (
        f"{config.family}, {config.num_layers} layers x {config.width}, {config.vocab_size:,} rows, "
        f"head {'tied' if config.tied_head else 'untied'}"
    )


def _both(name: str, expected: State, loaded: State) -> str:
    sides = [list(side[name].shape) if name in side else None for side in (loaded, expected)]
    return "found {}, expected {}".format(*("none" if side is None else side for side in sides))
