"""Our shape from the config.json of transformers; what we cannot reproduce is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.errors import ContractError
from schemas.settings import parse_settings
from train.model.config import ModelConfig

_ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",  # the same polynomial, written in another order
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
}


def read_shape(folder: Path) -> ModelConfig:
    """The shape of the model in a Hugging Face folder.

    Raises:
        ContractError: There is no configuration, or it is of a model that we cannot reproduce.
    """
    path = folder / "config.json"
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ContractError(f"{path}: not readable: {error}") from error
    readers = {
        "gpt2": _gpt2_fields,
        "llama": _llama_fields,
        "opt": _opt_fields,
        "gpt_neox": _neox_fields,
        "t5": _t5_fields,
        "bert": _bert_fields,
    }
    kind = described.get("model_type")
    if kind not in readers:
        raise ContractError(f"{path}: model_type is {kind!r}, expected one of {sorted(readers)}")
    try:
        return parse_settings(ModelConfig, readers[kind](described), where=str(path))
    except KeyError as error:
        raise ContractError(f"{path}: no usable value for {error}") from error


def _gpt2_fields(described: dict[str, Any]) -> dict[str, Any]:
    for name in ("scale_attn_by_inverse_layer_idx", "add_cross_attention"):
        if described.get(name):
            raise ContractError(f"config.json: {name} is set; this GPT-2 variant is not supported")
    return {
        "family": "gpt2",
        "vocab_size": described["vocab_size"],
        "max_positions": described["n_positions"],
        "width": described["n_embd"],
        "num_layers": described["n_layer"],
        "num_heads": described["n_head"],
        "mlp_width": described.get("n_inner"),
        "activation": _ACTIVATIONS[described.get("activation_function", "gelu_new")],
        "norm_eps": described.get("layer_norm_epsilon", 1e-5),
        "tied_head": described.get("tie_word_embeddings", True),
    }


def _opt_fields(described: dict[str, Any]) -> dict[str, Any]:
    projected = described.get("word_embed_proj_dim", described["hidden_size"])
    if projected != described["hidden_size"] or not described.get("enable_bias", True):
        raise ContractError(
            "config.json: this OPT embeds in another width than it computes in, or has no biases "
            "(as opt-350m); it is not supported"
        )
    return {
        "family": "opt",
        "vocab_size": described["vocab_size"],
        "max_positions": described["max_position_embeddings"],
        "position_offset": 2,
        "width": described["hidden_size"],
        "num_layers": described["num_hidden_layers"],
        "num_heads": described["num_attention_heads"],
        "mlp_width": described["ffn_dim"],
        "norm_position": "pre" if described.get("do_layer_norm_before", True) else "post",
        "activation": _ACTIVATIONS[described.get("activation_function", "relu")],
        "tied_head": described.get("tie_word_embeddings", True),
    }


def _neox_fields(described: dict[str, Any]) -> dict[str, Any]:
    rope = described.get("rope_parameters") or described.get("rope_scaling") or {}
    if rope.get("rope_type", "default") != "default" or not described.get("attention_bias", True):
        raise ContractError(
            "config.json: scaled rotary positions and attention without biases are not supported"
        )
    fraction = rope.get("partial_rotary_factor", described.get("rotary_pct", 0.25))
    return {
        "family": "neox",
        "vocab_size": described["vocab_size"],
        "max_positions": described["max_position_embeddings"],
        "width": described["hidden_size"],
        "num_layers": described["num_hidden_layers"],
        "num_heads": described["num_attention_heads"],
        "mlp_width": described["intermediate_size"],
        "positions": "rotary",
        "rotary_fraction": fraction,
        "rotary_base": rope.get("rope_theta", described.get("rotary_emb_base", 10_000.0)),
        "norm_eps": described["layer_norm_eps"],
        "activation": _ACTIVATIONS[described["hidden_act"]],
        "parallel_residual": described.get("use_parallel_residual", True),
        "tied_head": described.get("tie_word_embeddings", False),
    }


def _llama_fields(described: dict[str, Any]) -> dict[str, Any]:
    # transformers 5 writes rope_parameters, earlier ones rope_theta and rope_scaling.
    rope = described.get("rope_parameters") or described.get("rope_scaling") or {}
    if rope.get("rope_type", "default") != "default" or described.get("attention_bias"):
        raise ContractError("config.json: scaled rotary positions and biases are not supported")
    return {
        "family": "llama",
        "vocab_size": described["vocab_size"],
        "max_positions": described["max_position_embeddings"],
        "width": described["hidden_size"],
        "num_layers": described["num_hidden_layers"],
        "num_heads": described["num_attention_heads"],
        "num_kv_heads": described.get("num_key_value_heads"),
        "mlp_width": described["intermediate_size"],
        "positions": "rotary",
        "rotary_base": rope.get("rope_theta", described.get("rope_theta", 10_000.0)),
        "norm": "rmsnorm",
        "norm_eps": described["rms_norm_eps"],
        "activation": {"silu": "swiglu", "gelu_pytorch_tanh": "geglu"}[described["hidden_act"]],
        "bias": False,
        "tied_head": described.get("tie_word_embeddings", False),
    }


def _t5_fields(described: dict[str, Any]) -> dict[str, Any]:
    layers = described["num_layers"]
    if described.get("num_decoder_layers") not in (None, layers):
        raise ContractError(
            f"config.json: {layers} encoder and {described['num_decoder_layers']} decoder layers; "
            "expected as many of both"
        )
    kinds = {"gated-gelu": "geglu", "relu": "relu"}
    return {
        "family": "t5",
        "vocab_size": described["vocab_size"],
        "max_positions": described.get("n_positions", 512),
        "width": described["d_model"],
        "num_layers": layers,
        "num_heads": described["num_heads"],
        "head_width": described["d_kv"],
        "mlp_width": described["d_ff"],
        "positions": "relative",
        "num_relative_buckets": described["relative_attention_num_buckets"],
        "max_relative_distance": described.get("relative_attention_max_distance", 128),
        "norm": "rmsnorm",
        "norm_eps": described["layer_norm_epsilon"],
        "activation": kinds[described.get("feed_forward_proj", "relu")],
        "bias": False,
        "tied_head": described.get("tie_word_embeddings", True),
        "attend_across_documents": True,
    }


def _bert_fields(described: dict[str, Any]) -> dict[str, Any]:
    return {
        "family": "bert",
        "vocab_size": described["vocab_size"],
        "max_positions": described["max_position_embeddings"],
        "width": described["hidden_size"],
        "num_layers": described["num_hidden_layers"],
        "num_heads": described["num_attention_heads"],
        "mlp_width": described["intermediate_size"],
        "num_token_types": described["type_vocab_size"],
        "norm_eps": described["layer_norm_eps"],
        "activation": _ACTIVATIONS[described["hidden_act"]],
        "num_classes": _num_classes(described),
    }


def _num_classes(described: dict[str, Any]) -> int | None:
    """Number of classes; None without a head, for such configurations may list labels too."""
    names = described.get("architectures") or []
    has_head = any(name.endswith("Classification") for name in names)
    return len(described.get("id2label", "01")) if has_head else None
