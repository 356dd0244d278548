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
        "mistral": _mistral_fields,
        "qwen2": _qwen2_fields,
        "qwen3": _qwen3_fields,
        "opt": _opt_fields,
        "gpt_neox": _neox_fields,
        "t5": _t5_fields,
        "mt5": _mt5_fields,
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
    for name in ("enable_bias", "layer_norm_elementwise_affine"):
        if not described.get(name, True):
            raise ContractError(f"config.json: {name} is false; this OPT is not supported")
    return {
        "family": "opt",
        "vocab_size": described["vocab_size"],
        "max_positions": described["max_position_embeddings"],
        "position_offset": 2,
        "width": described["hidden_size"],
        "embedding_width": None if projected == described["hidden_size"] else projected,
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
    for name in ("attention_bias", "mlp_bias"):
        if described.get(name):
            raise ContractError(f"config.json: {name} is set; such biases are not supported")
    return {
        "family": "llama",
        "vocab_size": described["vocab_size"],
        "max_positions": described["max_position_embeddings"],
        "width": described["hidden_size"],
        "num_layers": described["num_hidden_layers"],
        "num_heads": described["num_attention_heads"],
        "num_kv_heads": described.get("num_key_value_heads"),
        "head_width": described.get("head_dim"),
        "mlp_width": described["intermediate_size"],
        "positions": "rotary",
        "rotary_base": rope.get("rope_theta", described.get("rope_theta", 10_000.0)),
        "rotary_scaling": _rotary_scaling(rope),
        "norm": "rmsnorm",
        "norm_eps": described["rms_norm_eps"],
        "activation": {"silu": "swiglu", "gelu_pytorch_tanh": "geglu"}[described["hidden_act"]],
        "bias": False,
        "tied_head": described.get("tie_word_embeddings", False),
    }


def _rotary_scaling(rope: dict[str, Any]) -> dict[str, Any] | None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    match kind:
        case "default":
            return None
        case "linear":
            return {"kind": "linear", "factor": rope["factor"]}
        case "llama3":
            return {
                "kind": "llama3",
                "factor": rope["factor"],
                "low_frequency": rope["low_freq_factor"],
                "high_frequency": rope["high_freq_factor"],
                "first_positions": rope["original_max_position_embeddings"],
            }
    raise ContractError(
        f"config.json: rotary positions scaled by {kind!r} are not supported; expected linear or llama3"
    )


def _mistral_fields(described: dict[str, Any]) -> dict[str, Any]:
    """Mistral computes as LLaMA; rows may be as long as its sliding window, which then hides nothing."""
    fields = _llama_fields(described)
    window = described.get("sliding_window")
    if window is not None:
        fields["max_positions"] = min(fields["max_positions"], window)
    return fields


def _qwen2_fields(described: dict[str, Any]) -> dict[str, Any]:
    if described.get("use_sliding_window"):
        raise ContractError("config.json: use_sliding_window is set; it is not supported")
    return {**_llama_fields(described), "qkv_bias": True}


def _qwen3_fields(described: dict[str, Any]) -> dict[str, Any]:
    if described.get("use_sliding_window"):
        raise ContractError("config.json: use_sliding_window is set; it is not supported")
    # Qwen3's own default, where the file says nothing, is not the width over the heads.
    return {**_llama_fields({"head_dim": 128, **described}), "qk_norm": True}


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
        "tied_head": _has_tied_t5_head(described),
        "attend_across_documents": True,
    }


def _has_tied_t5_head(described: dict[str, Any]) -> bool:
    """Whether logits are scaled, as those of T5 1.0 are: that is what a tied head is here.

    transformers 5 writes every T5 as tied, and in `scale_decoder_outputs` whether it scales.
    """
    scales: bool = described.get(
        "scale_decoder_outputs", described.get("tie_word_embeddings", True)
    )
    return scales


def _mt5_fields(described: dict[str, Any]) -> dict[str, Any]:
    """mT5 is T5 1.1: its logits are not scaled, whatever its file says of the head."""
    return {**_t5_fields(described), "tied_head": False}


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
