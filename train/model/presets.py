"""Published shapes of models by name.

GPT-3: Brown et al. 2020, table 2.1, with 16 heads for 1.3B and a width of 5,120 for 13B, where the
printed 24 heads and 5,140 do not divide. OPT: Zhang et al. 2022, table 1 (the 350M of that table
embeds in another width and is not reproduced). GPT-NeoX-20B: Black et al. 2022. LLaMA: Touvron et al. 2023, table 2.
"""

from __future__ import annotations

from typing import Any

from schemas.errors import SettingsError
from schemas.settings import nearest, parse_settings
from train.model.config import ModelConfig


def _gpt(width: int, layers: int, heads: int, positions: int) -> dict[str, Any]:
    return {"width": width, "num_layers": layers, "num_heads": heads, "max_positions": positions}


def _opt(width: int, layers: int, heads: int, positions: int = 2048) -> dict[str, Any]:
    return {
        "family": "opt",
        "vocab_size": 50_272,
        "width": width,
        "num_layers": layers,
        "num_heads": heads,
        "max_positions": positions,
        "position_offset": 2,
        "activation": "relu",
    }


def _neox(width: int, layers: int, heads: int) -> dict[str, Any]:
    return {
        "family": "neox",
        "vocab_size": 50_432,
        "width": width,
        "num_layers": layers,
        "num_heads": heads,
        "max_positions": 2048,
        "positions": "rotary",
        "rotary_fraction": 0.25,
        "parallel_residual": True,
        "tied_head": False,
    }


def _llama(width: int, layers: int, heads: int, mlp_width: int, **more: Any) -> dict[str, Any]:
    return {
        "family": "llama",
        "vocab_size": 32_000,
        "width": width,
        "num_layers": layers,
        "num_heads": heads,
        "mlp_width": mlp_width,
        "max_positions": 2048,
        "positions": "rotary",
        "norm": "rmsnorm",
        "norm_eps": 1e-6,
        "activation": "swiglu",
        "bias": False,
        "tied_head": False,
        **more,
    }


def _t5(
    width: int, layers: int, mlp_width: int, heads: int, head_width: int, *, v1_1: bool = False
) -> dict[str, Any]:
    return {
        "family": "t5",
        "vocab_size": 32_128,
        "width": width,
        "num_layers": layers,
        "num_heads": heads,
        "head_width": head_width,
        "mlp_width": mlp_width,
        "max_positions": 512,
        "positions": "relative",
        "norm": "rmsnorm",
        "norm_eps": 1e-6,
        "activation": "geglu" if v1_1 else "relu",
        "bias": False,
        "tied_head": not v1_1,
        "attend_across_documents": True,
    }


def _bert(width: int, layers: int, heads: int, vocab_size: int = 30_522) -> dict[str, Any]:
    return {
        "family": "bert",
        "vocab_size": vocab_size,
        "width": width,
        "num_layers": layers,
        "num_heads": heads,
        "max_positions": 512,
        "norm_eps": 1e-12,
        "activation": "gelu",
    }


PRESETS: dict[str, dict[str, Any]] = {
    "gpt2-test": _gpt(32, 2, 2, 64),
    "gpt2-tiny": _gpt(128, 4, 4, 1024),
    "gpt2-mini": _gpt(256, 4, 4, 1024),
    "gpt2-small": _gpt(768, 12, 12, 1024),
    "gpt2-medium": _gpt(1024, 24, 16, 1024),
    "gpt2-large": _gpt(1280, 36, 20, 1024),
    "gpt2-xl": _gpt(1600, 48, 25, 1024),
    "gpt3-125m": _gpt(768, 12, 12, 2048),
    "gpt3-350m": _gpt(1024, 24, 16, 2048),
    "gpt3-760m": _gpt(1536, 24, 16, 2048),
    "gpt3-1.3b": _gpt(2048, 24, 16, 2048),
    "gpt3-2.7b": _gpt(2560, 32, 32, 2048),
    "gpt3-6.7b": _gpt(4096, 32, 32, 2048),
    "gpt3-13b": _gpt(5120, 40, 40, 2048),
    "gpt3-175b": _gpt(12288, 96, 96, 2048),
    "opt-test": _opt(32, 2, 4, 64),
    "opt-125m": _opt(768, 12, 12),
    "opt-1.3b": _opt(2048, 24, 32),
    "opt-2.7b": _opt(2560, 32, 32),
    "opt-6.7b": _opt(4096, 32, 32),
    "opt-13b": _opt(5120, 40, 40),
    "opt-30b": _opt(7168, 48, 56),
    "opt-66b": _opt(9216, 64, 72),
    "opt-175b": _opt(12_288, 96, 96),
    "neox-test": _neox(64, 2, 4),
    "neox-20b": _neox(6144, 44, 64),
    "llama-test": _llama(32, 2, 4, 64, num_kv_heads=2, max_positions=64),
    "llama-tiny": _llama(256, 4, 4, 688),
    "llama-7b": _llama(4096, 32, 32, 11_008),
    "t5-test": _t5(32, 2, 64, 4, 8),
    "t5-tiny": _t5(256, 4, 1024, 4, 64),
    "t5-small": _t5(512, 6, 2048, 8, 64),
    "t5-base": _t5(768, 12, 3072, 12, 64),
    "t5-large": _t5(1024, 24, 4096, 16, 64),
    "t5-3b": _t5(1024, 24, 16_384, 32, 128),
    "t5-11b": _t5(1024, 24, 65_536, 128, 128),
    "t5-v1.1-test": _t5(32, 2, 64, 4, 8, v1_1=True),
    "t5-v1.1-small": _t5(512, 8, 1024, 6, 64, v1_1=True),
    "t5-v1.1-base": _t5(768, 12, 2048, 12, 64, v1_1=True),
    "t5-v1.1-large": _t5(1024, 24, 2816, 16, 64, v1_1=True),
    "t5-v1.1-xl": _t5(2048, 24, 5120, 32, 64, v1_1=True),
    "t5-v1.1-xxl": _t5(4096, 24, 10_240, 64, 64, v1_1=True),
    "bert-test": _bert(32, 2, 4),
    "bert-tiny": _bert(256, 4, 4),
    "bert-base": _bert(768, 12, 12),
    "bert-large": _bert(1024, 24, 16),
    "bert-base-chinese": _bert(768, 12, 12, 21_128),
}


def resolve_model(choice: dict[str, Any], *, vocab_size: int, seq_len: int) -> ModelConfig:
    """The shape that a recipe's `model` block gives for a dataset.

    Args:
        choice: `preset` and any fields of ModelConfig, which change the preset.
        vocab_size: Number of ids of the dataset's tokenizer; `choice` may name a larger one.
        seq_len: Tokens per row of the dataset.

    Raises:
        SettingsError: A preset or field is unknown, or the model has fewer rows than the tokenizer
            has ids, or fewer positions than rows have tokens.
    """
    fields = dict(choice)
    preset = fields.pop("preset", None)
    if preset is not None and str(preset) not in PRESETS:
        raise SettingsError(
            f"model.preset: no preset '{preset}'{nearest(str(preset), set(PRESETS))}"
        )
    base = PRESETS[preset] if preset is not None else {}
    shape = {**base, "vocab_size": vocab_size, **fields}
    if "max_positions" not in fields:
        shape["max_positions"] = max(seq_len, int(shape.get("max_positions", seq_len)))
    config = parse_settings(ModelConfig, shape, where="model")
    if config.vocab_size < vocab_size:
        raise SettingsError(
            f"model.vocab_size: {config.vocab_size}, the tokenizer has {vocab_size}"
        )
    if config.max_positions < seq_len:
        raise SettingsError(f"model.max_positions: {config.max_positions}, rows have {seq_len}")
    return config
