"""Published forms of models: tiny random ones as transformers saves them, and ours with their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from train.batch.batch import Batch
from train.model.transformer import Model, make_model
from train.warm_start.match import our_weights
from train.warm_start.source import find_source, read_weights

SIZES = {
    "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 64,
}  # fmt: skip
T5 = {"vocab_size": 96, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16, "rope_theta": 500_000.0,
}  # fmt: skip
OPT = {"ffn_dim": 48, "word_embed_proj_dim": 16, "do_layer_norm_before": False}
FORMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama 2, linear": (
        "LlamaConfig", "LlamaForCausalLM",
        {**SIZES, "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4}},
    ),
    "llama 3": (
        "LlamaConfig", "LlamaForCausalLM",
        {**SIZES, "num_key_value_heads": 2, "rope_parameters": LLAMA3},
    ),
    "smollm2": (
        "LlamaConfig", "LlamaForCausalLM",
        {**SIZES, "num_key_value_heads": 2, "tie_word_embeddings": True},
    ),
    "mistral": (
        "MistralConfig", "MistralForCausalLM",
        {**SIZES, "num_key_value_heads": 2, "sliding_window": 32, "head_dim": 16},
    ),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", {**SIZES, "num_key_value_heads": 2}),
    "qwen3": (
        "Qwen3Config", "Qwen3ForCausalLM",
        {**SIZES, "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": True},
    ),
    "pythia": (
        "GPTNeoXConfig", "GPTNeoXForCausalLM",
        {**SIZES, "rotary_pct": 0.25, "hidden_act": "gelu", "use_parallel_residual": True},
    ),
    "opt-350m": ("OPTConfig", "OPTForCausalLM", {**SIZES, **OPT}),
    "mt5": ("MT5Config", "MT5ForConditionalGeneration", T5),
    "t5 1.0": ("T5Config", "T5ForConditionalGeneration", {**T5, "feed_forward_proj": "relu"}),
    "t5 1.1": (
        "T5Config", "T5ForConditionalGeneration",
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "gpt2": (
        "GPT2Config", "GPT2LMHeadModel",
        {"vocab_size": 96, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
    ),
    "opt": ("OPTConfig", "OPTForCausalLM", {**SIZES, "ffn_dim": 48, "word_embed_proj_dim": 32}),
    "bert": ("BertConfig", "BertForPreTraining", SIZES),
}  # fmt: skip
# Classes of transformers whose models are written as another one's.
WRITTEN_AS = {
    "MistralForCausalLM": "LlamaForCausalLM",
    "MT5ForConditionalGeneration": "T5ForConditionalGeneration",
}


def made(form: str, folder: Path) -> Any:
    """A random model of transformers, saved as it saves; no parameter is trivial."""
    config, kind, fields = FORMS[form]
    torch.manual_seed(0)
    model = getattr(transformers, kind)(getattr(transformers, config)(**fields)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    model.save_pretrained(folder)
    return model


def opened(folder: Path) -> Model:
    source = find_source(str(folder))
    assert source is not None
    state, fresh = our_weights(source, read_weights(source), seed=0)
    assert fresh == []
    model = make_model(source.config)
    model.load_state_dict(state, assign=True)
    return model.eval()


IDS = torch.randint(2, 96, (2, 24), generator=torch.Generator().manual_seed(1))


def reload(form: str, folder: Path) -> Any:
    """What was exported, as transformers loads it."""
    kind = FORMS[form][1]
    return getattr(transformers, WRITTEN_AS.get(kind, kind)).from_pretrained(folder).eval()


def our_logits(model: Model) -> Tensor:
    written = IDS[:, :8] if model.config.family == "t5" else None
    labels = IDS if written is None else written
    return model.logits(
        Batch(
            input_ids=IDS, labels=labels, document=torch.ones_like(IDS), num_sources=1,
            positions=torch.arange(24).expand(2, 24), segment=torch.zeros_like(labels),
            segment_source=torch.zeros(1, dtype=torch.long), is_whole=True, decoder_ids=written,
        )
    )  # fmt: skip


def their_logits(model: Any) -> Tensor:
    if model.config.is_encoder_decoder:
        found = model(input_ids=IDS, decoder_input_ids=IDS[:, :8])
    else:
        found = model(input_ids=IDS)
    logits: Tensor = found.prediction_logits if "prediction_logits" in found else found.logits
    return logits


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Of two tensors, relative to the largest value that is expected."""
    return float((found - expected).abs().max() / expected.abs().max())
