"""Published shapes by name.

GPT-3: Brown et al. 2020, table 2.1, with 16 heads for 1.3B and a width of 5,120 for 13B, where the
printed 24 heads and 5,140 do not divide. LLaMA: Touvron et al. 2023, table 2.
"""

from __future__ import annotations

from typing import Any

from schemas.errors import SettingsError
from schemas.settings import nearest, parse_settings
from train.model.config import ModelConfig


def _gpt(width: int, layers: int, heads: int, positions: int) -> dict[str, Any]:
    return {"width": width, "layers": layers, "heads": heads, "max_positions": positions}


def _llama(width: int, layers: int, heads: int, mlp_width: int, **more: Any) -> dict[str, Any]:
    return {
        "family": "llama",
        "vocab_size": 32_000,
        "width": width,
        "layers": layers,
        "heads": heads,
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
    "llama-test": _llama(32, 2, 4, 64, kv_heads=2, max_positions=64),
    "llama-tiny": _llama(256, 4, 4, 688),
    "llama-7b": _llama(4096, 32, 32, 11_008),
}


def resolve_model(choice: dict[str, Any], *, vocab_size: int, seq_len: int) -> ModelConfig:
    """A preset with overrides, for a dataset.

    Args:
        choice: `preset` and any fields of ModelConfig.
        vocab_size: Of the dataset's tokenizer; used unless `choice` names a larger one.
        seq_len: Tokens per row.

    Raises:
        SettingsError: No such preset or field, fewer rows than ids, or positions than tokens.
    """
    fields = dict(choice)
    preset = fields.pop("preset", None)
    if preset is not None and preset not in PRESETS:
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
    if config.positions == "learned" and config.max_positions < seq_len:
        raise SettingsError(f"model.max_positions: {config.max_positions}, rows have {seq_len}")
    return config
