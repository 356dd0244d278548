"""Between our parameter names and forms and those of transformers."""

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
_NEOX_BLOCK = {
    "attention_norm": "input_layernorm",
    "attention.output": "attention.dense",
    "mlp_norm": "post_attention_layernorm",
    "mlp.up": "mlp.dense_h_to_4h",
    "mlp.down": "mlp.dense_4h_to_h",
}
_NEOX_OUTER = {
    "embedding.weight": "gpt_neox.embed_in.weight",
    "final_norm.weight": "gpt_neox.final_layer_norm.weight",
    "final_norm.bias": "gpt_neox.final_layer_norm.bias",
}
# Buffers and second names of tied tensors, which older checkpoints hold.
_HARMLESS = (
    ".attn.bias",
    ".attn.masked_bias",
    ".attention.bias",
    ".attention.masked_bias",
    "position_ids",
    "inv_freq",
    "embed_tokens.weight",
    "lm_head.weight",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
    # T5 1.0 was saved with a table that no layer reads; transformers ignores it, too.
    "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",
)
_QKV = ("query", "key", "value")


def to_hugging_face(state: State, config: ModelConfig) -> State:
    """Our tensors under the names and in the forms of transformers."""
    if config.family == "gpt2":
        return _to_gpt2(state, config)
    if config.family == "neox":
        return _to_neox(state, config)
    return {theirs: state[ours].contiguous() for ours, theirs in plain_names(config).items()}


def from_hugging_face(state: State, config: ModelConfig) -> State:
    """Tensors of transformers under our names and in our forms.

    Raises:
        ContractError: A tensor is missing.
    """
    try:
        if config.family == "gpt2":
            return _from_gpt2(state, config)
        if config.family == "neox":
            return _from_neox(state, config)
        return {ours: state[theirs] for ours, theirs in plain_names(config).items()}
    except KeyError as error:
        raise ContractError(f"the checkpoint has no tensor {error}; it has {len(state)}") from error


def head_names(config: ModelConfig) -> dict[str, str]:
    """The names in transformers of our parameters, where both have the same form; heads have."""
    if config.family in ("gpt2", "neox"):
        head = "lm_head.weight" if config.family == "gpt2" else "embed_out.weight"
        return {} if config.tied_head else {"head.weight": head}
    return plain_names(config)


# Endings of names that checkpoints on the Hub have and transformers still reads.
_OLDER_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def with_current_names(state: State, config: ModelConfig) -> State:
    """Tensors under the names that transformers has today, as it renames them itself."""
    renamed = {}
    for name, value in state.items():
        for old, new in _OLDER_NAMES.items():
            if name.endswith(old):
                name = name.removesuffix(old) + new
        renamed[name] = value
    if config.family == "neox" and "embed_out.weight" not in renamed:
        # Versions of transformers from 5.20 may name the head lm_head.
        head = renamed.pop("lm_head.weight", None)
        if head is not None:
            renamed["embed_out.weight"] = head
    return renamed


def unexpected_names(state: State, ours: State, config: ModelConfig) -> list[str]:
    """Names of the tensors in a checkpoint that no part of the model takes."""
    known = {_bare(name) for name in to_hugging_face(ours, config)}
    return sorted(n for n in state if _bare(n) not in known and not n.endswith(_HARMLESS))


def _bare(name: str) -> str:
    return name.removeprefix("transformer.")


def _to_gpt2(state: State, config: ModelConfig) -> State:
    """GPT-2 keeps linear weights as [in, out], and queries, keys and values in one matrix."""
    out = {
        "transformer.wte.weight": state["embedding.weight"],
        "transformer.wpe.weight": state["position.weight"],
        "transformer.ln_f.weight": state["final_norm.weight"],
        "transformer.ln_f.bias": state["final_norm.bias"],
    }
    for layer in range(config.num_layers):
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
    for layer in range(config.num_layers):
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


def _to_neox(state: State, config: ModelConfig) -> State:
    """GPT-NeoX keeps queries, keys and values in one matrix, head by head."""
    out = {theirs: state[ours] for ours, theirs in _NEOX_OUTER.items()}
    if not config.tied_head:
        out["embed_out.weight"] = state["head.weight"]
    for layer in range(config.num_layers):
        ours, theirs = f"blocks.{layer}", f"gpt_neox.layers.{layer}"
        for kind in ("weight", "bias"):
            parts = [state[f"{ours}.attention.{part}.{kind}"] for part in _QKV]
            by_head = [
                part.view(config.num_heads, config.head_width, *part.shape[1:]) for part in parts
            ]
            joined = torch.stack(by_head, dim=1).flatten(0, 2)
            out[f"{theirs}.attention.query_key_value.{kind}"] = joined
            for name, other in _NEOX_BLOCK.items():
                out[f"{theirs}.{other}.{kind}"] = state[f"{ours}.{name}.{kind}"]
    return {name: value.contiguous() for name, value in out.items()}


def _from_neox(state: State, config: ModelConfig) -> State:
    # Versions of transformers from 5.20 may name the head lm_head instead of embed_out.
    out = {ours: state[theirs] for ours, theirs in _NEOX_OUTER.items()}
    if not config.tied_head:
        out["head.weight"] = state[
            "lm_head.weight" if "embed_out.weight" not in state else "embed_out.weight"
        ]
    for layer in range(config.num_layers):
        ours, theirs = f"blocks.{layer}", f"gpt_neox.layers.{layer}"
        for kind in ("weight", "bias"):
            joined = state[f"{theirs}.attention.query_key_value.{kind}"]
            by_head = joined.view(config.num_heads, 3, config.head_width, *joined.shape[1:])
            for number, part in enumerate(_QKV):
                chosen = by_head[:, number].flatten(0, 1).contiguous()
                out[f"{ours}.attention.{part}.{kind}"] = chosen
            for name, other in _NEOX_BLOCK.items():
                out[f"{ours}.{name}.{kind}"] = state[f"{theirs}.{other}.{kind}"]
    return out
