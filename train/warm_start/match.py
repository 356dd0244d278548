"""Do the tensors of a source fit its shape? Told with both sides before anything is loaded."""

from __future__ import annotations

import torch

from schemas.errors import ContractError
from train.exchange.names import from_hugging_face, to_hugging_face, unexpected_names
from train.exchange.plain_names import plain_names
from train.model.config import ModelConfig
from train.model.transformer import build_model, make_model
from train.warm_start.source import Source, State

# Heads of bert that checkpoints of the bare encoder come without; a run may begin them anew.
_OPTIONAL = ("pooler.", "pair_head.", "transform.", "transform_norm.", "head_bias")
_SHOWN = 5


def our_weights(source: Source, loaded: State, *, seed: int) -> tuple[State, list[str]]:
    """Bring all tensors of the source's shape under our names.

    Returns:
        The tensors, and our names of those that the source lacks and that begin anew: heads of
        bert, nothing else.

    Raises:
        ContractError: Tensors are missing, extra or misshapen; up to five of each are named, with
            what was found and what was expected.
    """
    config = source.config
    with torch.device("meta"):
        shape = dict(make_model(config).state_dict())
    names = {name: name for name in shape}
    expected = shape
    if not source.is_ours:
        expected = to_hugging_face(shape, config)
        loaded = _with_prefix(loaded, expected)
        names = plain_names(config) if config.family == "bert" else {}
    fresh = [
        ours for ours, theirs in names.items()
        if config.family == "bert" and ours.startswith(_OPTIONAL) and theirs not in loaded
    ]  # fmt: skip
    if fresh:
        begun = build_model(config, seed=seed).state_dict()
        loaded = loaded | {names[ours]: begun[ours] for ours in fresh}
    _refuse(source, expected, loaded)
    if source.is_ours:
        return {name: loaded[name] for name in shape}, fresh
    ours = from_hugging_face(loaded, config)
    return {name: ours[name].to(shape[name].dtype) for name in shape}, fresh


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


def _refuse(source: Source, expected: State, loaded: State) -> None:
    missing = sorted(expected.keys() - loaded.keys())
    misshapen = [
        name for name in sorted(expected.keys() & loaded.keys())
        if expected[name].shape != loaded[name].shape
    ]  # fmt: skip
    extra = sorted(loaded.keys() - expected.keys())
    if not source.is_ours and not missing and not misshapen:
        # Buffers and second names of tied tensors are no fault; the exchange knows them.
        extra = unexpected_names(loaded, from_hugging_face(loaded, source.config), source.config)
    if not (missing or misshapen or extra):
        return
    lines = [
        f"{source.path}: its tensors are not those of its configuration "
        f"({_described(source.config)})"
    ]
    for kind, names in (("missing", missing), ("extra", extra), ("misshapen", misshapen)):
        if not names:
            continue
        lines.append(f"{len(names)} {kind}:")
        lines += [f"  {name}: {_both(name, expected, loaded)}" for name in names[:_SHOWN]]
        if len(names) > _SHOWN:
            lines.append(f"  and {len(names) - _SHOWN} more")
    raise ContractError("\n  ".join(lines))


def _described(config: ModelConfig) -> str:
    return (
        f"{config.family}, {config.num_layers} layers x {config.width}, {config.vocab_size:,} rows, "
        f"head {'tied' if config.tied_head else 'untied'}"
    )


def _both(name: str, expected: State, loaded: State) -> str:
    sides = [list(side[name].shape) if name in side else None for side in (loaded, expected)]
    return "found {}, expected {}".format(*("none" if side is None else side for side in sides))
