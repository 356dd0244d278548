"""Published forms of models load with the logits of transformers, and come back through an export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from schemas.errors import ContractError
from schemas.manifest import SpecialIds
from train.batch.batch import Batch
from train.exchange.describe import read_shape
from train.exchange.folder import export_folder
from train.exchange.weights import WEIGHTS
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
    "bert": ("BertConfig", "BertForPreTraining", SIZES),
}  # fmt: skip


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


def assert_close(found: Tensor, expected: Tensor) -> None:
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


@torch.no_grad()
@pytest.mark.parametrize("form", FORMS)
def test_a_published_form_has_the_logits_of_transformers_and_comes_back(
    form: str, tmp_path: Path
) -> None:
    theirs = made(form, tmp_path / "published")
    expected = their_logits(theirs)

    ours = opened(tmp_path / "published")

    assert ours.config.num_parameters() == sum(p.numel() for p in ours.parameters())
    assert_close(our_logits(ours), expected)
    export_folder(
        tmp_path / "out", dict(ours.state_dict()), ours.config, SpecialIds(pad=0, eos=1), None
    )
    _, kind, _ = FORMS[form]
    again = {
        "MistralForCausalLM": "LlamaForCausalLM",
        "MT5ForConditionalGeneration": "T5ForConditionalGeneration",
    }.get(kind, kind)
    reloaded = getattr(transformers, again).from_pretrained(tmp_path / "out").eval()
    assert_close(their_logits(reloaded), expected)
    assert opened(tmp_path / "out").config == ours.config


@torch.no_grad()
def test_norms_of_older_berts_are_read_under_their_old_names(tmp_path: Path) -> None:
    theirs = made("bert", tmp_path)
    tensors = load_file(tmp_path / WEIGHTS)
    older = {
        n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
        for n, v in tensors.items()
    }  # fmt: skip
    assert any(name.endswith("gamma") for name in older)
    save_file(older, tmp_path / WEIGHTS, metadata={"format": "pt"})

    assert_close(our_logits(opened(tmp_path)), their_logits(theirs))


@torch.no_grad()
def test_the_spare_table_of_t5_1_0_is_left_out_and_no_other(tmp_path: Path) -> None:
    theirs = made("t5 1.0", tmp_path)
    tensors = load_file(tmp_path / WEIGHTS)
    spare = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    save_file({**tensors, spare: torch.ones(32, 4)}, tmp_path / WEIGHTS)

    assert_close(our_logits(opened(tmp_path)), their_logits(theirs))

    other = spare.replace("block.0", "block.1")
    save_file({**tensors, other: torch.ones(32, 4)}, tmp_path / WEIGHTS)
    with pytest.raises(ContractError, match=r"block\.1\.layer\.1.*expected none"):
        opened(tmp_path)


def test_rows_may_be_as_long_as_a_sliding_window(tmp_path: Path) -> None:
    made("mistral", tmp_path)

    assert read_shape(tmp_path).max_positions == 32


@pytest.mark.parametrize(
    ("form", "change", "message"),
    [
        ("llama 3", {"attention_bias": True}, "attention_bias is set"),
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window is set"),
        ("opt-350m", {"enable_bias": False}, "enable_bias is false"),
        (
            "llama 3",
            {"rope_parameters": {**LLAMA3, "rope_type": "yarn"}},
            "scaled by 'yarn' are not supported; expected linear or llama3",
        ),
        ("bert", {"model_type": "umt5"}, "model_type is 'umt5', expected one of"),
    ],
)
def test_what_cannot_be_reproduced_is_refused(
    form: str, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    made(form, tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    with pytest.raises(ContractError, match=message):
        read_shape(tmp_path)
