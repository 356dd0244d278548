"""Our shapes as config.json of transformers."""

from __future__ import annotations

from typing import Any

from schemas.errors import SettingsError
from train.model.config import ModelConfig

# Fields that config.json cannot express: a family of transformers always has these values.
_FIXED: dict[str, dict[str, Any]] = {
    "gpt2": {"positions": "learned", "norm": "layernorm", "norm_position": "pre", "bias": True},
    "opt": {"positions": "learned", "norm": "layernorm", "position_offset": 2, "bias": True},
    "neox": {"positions": "rotary", "norm": "layernorm", "norm_position": "pre", "bias": True},
    "llama": {"positions": "rotary", "norm": "rmsnorm", "norm_position": "pre", "bias": False},
    "t5": {"positions": "relative", "norm": "rmsnorm", "norm_position": "pre", "bias": False},
    "bert": {"positions": "learned", "norm": "layernorm", "norm_position": "post", "bias": True},
}
_ALWAYS: dict[str, Any] = {"width_ratio": 1.0, "depth_ratio": 1.0}
_ACTIVATIONS = {"gelu_tanh": "gelu_new", "gelu": "gelu", "relu": "relu"}


def hugging_face_config(config: ModelConfig) -> dict[str, Any]:
    """config.json of transformers for a shape.

    Raises:
        SettingsError: The shape has something that transformers cannot express.
    """
    _refuse_unknown_shape(config)
    own = _OF_FAMILY[config.family](config)
    return {
        **own,
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": config.family == "bert" or config.tied_head,
        "torch_dtype": "float32",
    }


def _refuse_unknown_shape(config: ModelConfig) -> None:
    """Refuse to export what would be read back as another model.

    Raises:
        SettingsError: A field differs from what the family has in transformers.
    """
    if config.plugin is not None:
        raise SettingsError(
            f"the model is the plug-in {config.plugin}, which transformers does not know"
        )
    wanted = {**_ALWAYS, **_FIXED[config.family]}
    if config.family != "llama":
        wanted["num_kv_heads"] = config.num_heads
    if config.family != "neox":
        wanted |= {"parallel_residual": False, "rotary_fraction": 1.0}
    if config.family == "gpt2":
        wanted["position_offset"] = 0
    if config.family != "llama":
        wanted |= {"qkv_bias": config.bias, "qk_norm": False, "rotary_scaling": None}
    elif config.qk_norm:
        wanted["qkv_bias"] = False
    if config.family != "opt":
        wanted["embedding_width"] = None
    for name, value in wanted.items():
        own = getattr(config, name)
        if own != value:
            raise SettingsError(
                f"model.{name}: {own!r} has no counterpart "
                f"in {config.family} of transformers, which has {value!r}; train on, but without "
                "an export"
            )
    gated = {"llama": ("swiglu",), "t5": ("geglu", "relu")}
    known = gated.get(config.family, tuple(_ACTIVATIONS))
    if config.activation not in known:
        raise SettingsError(
            f"model.activation: {config.activation!r} has no counterpart in {config.family} of "
            f"transformers, which has {', '.join(known)}"
        )


def _sizes(config: ModelConfig) -> dict[str, Any]:
    """Sizes under the names that most families of transformers use."""
    return {
        "hidden_size": config.width,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "max_position_embeddings": config.max_positions,
    }


def _gpt2(config: ModelConfig) -> dict[str, Any]:
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "n_positions": config.max_positions,
        "n_embd": config.width,
        "n_layer": config.num_layers,
        "n_head": config.num_heads,
        "n_inner": config.mlp_width,
        "activation_function": _ACTIVATIONS[config.activation],
        "layer_norm_epsilon": config.norm_eps,
        "resid_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "attn_pdrop": config.dropout,
    }


def _llama(config: ModelConfig) -> dict[str, Any]:
    name = "Qwen3" if config.qk_norm else "Qwen2" if config.qkv_bias else "Llama"
    return {
        "model_type": name.lower(),
        "architectures": [f"{name}ForCausalLM"],
        **_sizes(config),
        "head_dim": config.head_width,
        "intermediate_size": config.mlp_width,
        "num_key_value_heads": config.num_kv_heads,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rotary_base,
        "rope_scaling": _rope_scaling(config),
    }


def _rope_scaling(config: ModelConfig) -> dict[str, Any] | None:
    scaling = config.rotary_scaling
    if scaling is None:
        return None
    own: dict[str, Any] = {"rope_type": scaling.kind, "factor": scaling.factor}
    if scaling.kind == "llama3":
        own |= {
            "low_freq_factor": scaling.low_frequency,
            "high_freq_factor": scaling.high_frequency,
            "original_max_position_embeddings": scaling.first_positions,
        }
    return own


def _opt(config: ModelConfig) -> dict[str, Any]:
    return {
        "model_type": "opt",
        "architectures": ["OPTForCausalLM"],
        **_sizes(config),
        "word_embed_proj_dim": config.embedding_width or config.width,
        "ffn_dim": config.mlp_width,
        "do_layer_norm_before": config.norm_position == "pre",
        "activation_function": _ACTIVATIONS[config.activation],
        "dropout": config.dropout,
        "attention_dropout": config.dropout,
    }


def _neox(config: ModelConfig) -> dict[str, Any]:
    return {
        "model_type": "gpt_neox",
        "architectures": ["GPTNeoXForCausalLM"],
        **_sizes(config),
        "intermediate_size": config.mlp_width,
        "hidden_act": _ACTIVATIONS[config.activation],
        "rotary_pct": config.rotary_fraction,
        "rotary_emb_base": config.rotary_base,
        "use_parallel_residual": config.parallel_residual,
        "layer_norm_eps": config.norm_eps,
        "hidden_dropout": config.dropout,
        "attention_dropout": config.dropout,
    }


def _t5(config: ModelConfig) -> dict[str, Any]:
    return {
        "model_type": "t5",
        "architectures": ["T5ForConditionalGeneration"],
        "d_model": config.width,
        "d_kv": config.head_width,
        "d_ff": config.mlp_width,
        "num_layers": config.num_layers,
        "num_decoder_layers": config.num_layers,
        "num_heads": config.num_heads,
        "relative_attention_num_buckets": config.num_relative_buckets,
        "relative_attention_max_distance": config.max_relative_distance,
        "n_positions": config.max_positions,
        "dropout_rate": config.dropout,
        "layer_norm_epsilon": config.norm_eps,
        "feed_forward_proj": "gated-gelu" if config.is_gated else config.activation,
        "is_encoder_decoder": True,
    }


def _class_fields(classes: int) -> dict[str, Any]:
    """Fields of a head for classes; transformers counts the labels and writes no `num_labels`."""
    return {
        "architectures": ["BertForPreTraining", "BertForSequenceClassification"],
        "id2label": {str(number): f"LABEL_{number}" for number in range(classes)},
    }


def _bert(config: ModelConfig) -> dict[str, Any]:
    return {
        "model_type": "bert",
        "architectures": ["BertForPreTraining"],
        **_sizes(config),
        **({} if config.num_classes is None else _class_fields(config.num_classes)),
        "intermediate_size": config.mlp_width,
        "hidden_act": _ACTIVATIONS[config.activation],
        "type_vocab_size": config.num_token_types,
        "layer_norm_eps": config.norm_eps,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
    }


_OF_FAMILY = {
    "gpt2": _gpt2,
    "opt": _opt,
    "neox": _neox,
    "llama": _llama,
    "t5": _t5,
    "bert": _bert,
}
