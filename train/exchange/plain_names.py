"""Parameter names of the families whose tensors have the same form as in transformers."""

from __future__ import annotations

from train.model.config import ModelConfig

_LLAMA_BLOCK = {
    "attention_norm": "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "mlp_norm": "post_attention_layernorm",
    "mlp.gate": "mlp.gate_proj",
    "mlp.up": "mlp.up_proj",
    "mlp.down": "mlp.down_proj",
}
_BERT_BLOCK = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "mlp.up": "intermediate.dense",
    "mlp.down": "output.dense",
    "mlp_norm": "output.LayerNorm",
}
_BERT_HEADS = {
    "embedding_norm": "bert.embeddings.LayerNorm",
    "pooler": "bert.pooler.dense",
    "transform": "cls.predictions.transform.dense",
    "transform_norm": "cls.predictions.transform.LayerNorm",
    "pair_head": "cls.seq_relationship",
}
_OPT_BLOCK = {
    "attention_norm": "self_attn_layer_norm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.out_proj",
    "mlp_norm": "final_layer_norm",
    "mlp.up": "fc1",
    "mlp.down": "fc2",
}
# The head for classes, which only models with one have.
TASK_HEADS = {f"class_head.{kind}": f"classifier.{kind}" for kind in ("weight", "bias")}
_T5_QKVO = {"query": "q", "key": "k", "value": "v", "output": "o"}


def plain_names(config: ModelConfig) -> dict[str, str]:
    """The name in transformers of each parameter, by our name."""
    match config.family:
        case "t5":
            return _t5_names(config)
        case "bert":
            return _bert_names(config)
        case "opt":
            return _opt_names(config)
        case _:
            return _llama_names(config)


def _opt_names(config: ModelConfig) -> dict[str, str]:
    decoder = "model.decoder"
    names = {
        "embedding.weight": f"{decoder}.embed_tokens.weight",
        "position.weight": f"{decoder}.embed_positions.weight",
    }
    if config.embedding_width is not None:
        names["project_in.weight"] = f"{decoder}.project_in.weight"
        names["project_out.weight"] = f"{decoder}.project_out.weight"
    for kind in ("weight", "bias"):
        if config.has_final_norm:
            names[f"final_norm.{kind}"] = f"{decoder}.final_layer_norm.{kind}"
        for layer in range(config.num_layers):
            for ours, theirs in _OPT_BLOCK.items():
                names[f"blocks.{layer}.{ours}.{kind}"] = f"{decoder}.layers.{layer}.{theirs}.{kind}"
    if not config.tied_head:
        names["head.weight"] = "lm_head.weight"
    return names


def _llama_names(config: ModelConfig) -> dict[str, str]:
    names = {
        "embedding.weight": "model.embed_tokens.weight",
        "final_norm.weight": "model.norm.weight",
    }
    more = {}
    if config.qk_norm:
        more = {
            "attention.query_norm": "self_attn.q_norm",
            "attention.key_norm": "self_attn.k_norm",
        }
    for layer in range(config.num_layers):
        for ours, theirs in {**_LLAMA_BLOCK, **more}.items():
            names[f"blocks.{layer}.{ours}.weight"] = f"model.layers.{layer}.{theirs}.weight"
        for part in ("query", "key", "value") if config.qkv_bias else ():
            theirs = _LLAMA_BLOCK[f"attention.{part}"]
            names[f"blocks.{layer}.attention.{part}.bias"] = f"model.layers.{layer}.{theirs}.bias"
    if not config.tied_head:
        names["head.weight"] = "lm_head.weight"
    return names


def _bert_names(config: ModelConfig) -> dict[str, str]:
    names = {
        "embedding.weight": "bert.embeddings.word_embeddings.weight",
        "position.weight": "bert.embeddings.position_embeddings.weight",
        "token_type.weight": "bert.embeddings.token_type_embeddings.weight",
        "head_bias": "cls.predictions.bias",
    }
    for kind in ("weight", "bias"):
        names |= {f"{ours}.{kind}": f"{theirs}.{kind}" for ours, theirs in _BERT_HEADS.items()}
        if config.num_classes is not None:
            names[f"class_head.{kind}"] = f"classifier.{kind}"
        for layer in range(config.num_layers):
            for ours, theirs in _BERT_BLOCK.items():
                theirs_full = f"bert.encoder.layer.{layer}.{theirs}.{kind}"
                names[f"blocks.{layer}.{ours}.{kind}"] = theirs_full
    return names


def _t5_names(config: ModelConfig) -> dict[str, str]:
    names = {"embedding.weight": "shared.weight"}
    if not config.tied_head:
        names["head.weight"] = "lm_head.weight"
    mlp = {"up": "wi_1", "gate": "wi_0", "down": "wo"} if config.is_gated else {}
    mlp = mlp or {"up": "wi", "down": "wo"}
    for stack in ("encoder", "decoder"):
        first = f"{stack}.block.0.layer.0.SelfAttention"
        names[f"{stack}.relative.weight"] = f"{first}.relative_attention_bias.weight"
        names[f"{stack}.final_norm.weight"] = f"{stack}.final_layer_norm.weight"
        last = 2 if stack == "decoder" else 1
        for layer in range(config.num_layers):
            ours, theirs = f"{stack}.blocks.{layer}", f"{stack}.block.{layer}.layer"
            parts = {
                "attention_norm": "0.layer_norm",
                "mlp_norm": f"{last}.layer_norm",
                **{f"attention.{a}": f"0.SelfAttention.{b}" for a, b in _T5_QKVO.items()},
                **{f"mlp.{a}": f"{last}.DenseReluDense.{b}" for a, b in mlp.items()},
            }
            if stack == "decoder":
                parts["cross_norm"] = "1.layer_norm"
                parts |= {
                    f"cross_attention.{a}": f"1.EncDecAttention.{b}" for a, b in _T5_QKVO.items()
                }
            names |= {f"{ours}.{a}.weight": f"{theirs}.{b}.weight" for a, b in parts.items()}
    return names
