"""Our parameter names against those of transformers, and the forms that differ."""

from __future__ import annotations

import torch
from torch import Tensor

from schemas.errors import ContractError
from train.exchange.plain_names import plain_names
from train.model.config import ModelConfig

State = dict[str, Tensor]

_GPT2_BLOCK = {
    "attention_norm": "ln_1",
    "attention.output": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
_HARMLESS = (
    ".attn.bias",
    ".attn.masked_bias",
    "position_ids",
    "inv_freq",
    "embed_tokens.weight",
    "lm_head.weight",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
)
_QKV = ("query", "key", "value")


def to_hugging_face(state: State, config: ModelConfig) -> State:
    """Rename and reshape for transformers."""
    if config.family == "gpt2":
        return _to_gpt2(state, config)
    return {theirs: state[ours].contiguous() for ours, theirs in plain_names(config).items()}


def from_hugging_face(state: State, config: ModelConfig) -> State:
    """Rename and reshape for us.

    Raises:
        ContractError: A tensor is missing, unexpected or misshapen.
    """
    try:
        if config.family == "gpt2":
            return _from_gpt2(state, config)
        return {ours: state[theirs] for ours, theirs in plain_names(config).items()}
    except KeyError as error:
        raise ContractError(f"the checkpoint has no tensor {error}; it has {len(state)}") from error


def unexpected_names(state: State, ours: State, config: ModelConfig) -> list[str]:
    """Tensors of a checkpoint that the model has no place for.

    Buffers and second names of tied tensors, which older checkpoints carry, are none of them.
    """
    known = {_bare(name) for name in to_hugging_face(ours, config)}
    return sorted(n for n in state if _bare(n) not in known and not n.endswith(_HARMLESS))


def _bare(name: str) -> str:
    return name.removeprefix("transformer.")


def _to_gpt2(state: State, config: ModelConfig) -> State:
    """GPT-2 keeps linear weights as [in, out] and queries, keys and values in one."""
    out = {
        "transformer.wte.weight": state["embedding.weight"],
        "transformer.wpe.weight": state["position.weight"],
        "transformer.ln_f.weight": state["final_norm.weight"],
        "transformer.ln_f.bias": state["final_norm.bias"],
    }
    for layer in range(config.layers):
        ours, theirs = f"blocks.{layer}", f"transformer.h.{layer}"
        for kind in ("weight", "bias"):
            joined = torch.cat([state[f"{ours}.attention.{part}.{kind}"] for part in _QKV])
            out[f"{theirs}.attn.c_attn.{kind}"] = _turn(joined)
            for name, other in _GPT2_BLOCK.items():
                value = state[f"{ours}.{name}.{kind}"]
                out[f"{theirs}.{other}.{kind}"] = _turn(value)
    if not config.tied_head:
        out["lm_head.weight"] = state["head.weight"]
    return out


def _turn(value: Tensor) -> Tensor:
    return value.T.contiguous() if value.ndim == 2 else value.contiguous()


def _from_gpt2(state: State, config: ModelConfig) -> State:
    # Checkpoints of the bare model have no prefix.
    prefix = "transformer." if any(k.startswith("transformer.") for k in state) else ""
    out = {
        "embedding.weight": state[f"{prefix}wte.weight"],
        "position.weight": state[f"{prefix}wpe.weight"],
        "final_norm.weight": state[f"{prefix}ln_f.weight"],
        "final_norm.bias": state[f"{prefix}ln_f.bias"],
    }
    for layer in range(config.layers):
        ours, theirs = f"blocks.{layer}", f"{prefix}h.{layer}"
        for kind in ("weight", "bias"):
            joined = _turn(state[f"{theirs}.attn.c_attn.{kind}"])
            for part, value in zip(_QKV, joined.chunk(3), strict=True):
                out[f"{ours}.attention.{part}.{kind}"] = value.contiguous()
            for name, other in _GPT2_BLOCK.items():
                out[f"{ours}.{name}.{kind}"] = _turn(state[f"{theirs}.{other}.{kind}"])
    if not config.tied_head:
        out["head.weight"] = state["lm_head.weight"]
    return out
