"""Write and read folders that transformers loads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from schemas.errors import ContractError
from schemas.manifest import SpecialIds
from train.exchange.names import State, from_hugging_face, to_hugging_face
from train.model.config import ModelConfig
from train.model.transformer import Transformer, build_model

WEIGHTS = "model.safetensors"
_ACTIVATIONS = {"gelu_tanh": "gelu_new", "gelu": "gelu", "relu": "relu"}


def export_folder(
    folder: Path, state: State, config: ModelConfig, special: SpecialIds, tokenizer: Path | None
) -> None:
    """Write weights, configuration and tokenizer.

    Args:
        folder: Made if it is not there.
        state: Whole tensors under our names.
        config: Shape.
        special: Control ids, for generation.
        tokenizer: Folder whose files are copied beside the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.detach().cpu() for name, value in to_hugging_face(state, config).items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    ids = {"bos_token_id": special.bos, "eos_token_id": special.eos, "pad_token_id": special.pad}
    described = {**hugging_face_config(config), **ids}
    text = json.dumps(described, indent=2, sort_keys=True) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    generation = json.dumps({k: v for k, v in ids.items() if v is not None}, indent=2) + "\n"
    (folder / "generation_config.json").write_text(generation, encoding="utf-8")
    if tokenizer is not None:
        for path in tokenizer.iterdir():
            shutil.copyfile(path, folder / path.name)


def hugging_face_config(config: ModelConfig) -> dict[str, Any]:
    """config.json of transformers for a shape."""
    if config.family == "gpt2":
        return {
            "model_type": "gpt2",
            "architectures": ["GPT2LMHeadModel"],
            "vocab_size": config.vocab_size,
            "n_positions": config.max_positions,
            "n_embd": config.width,
            "n_layer": config.layers,
            "n_head": config.heads,
            "n_inner": config.hidden_width,
            "activation_function": _ACTIVATIONS[config.activation],
            "layer_norm_epsilon": config.norm_eps,
            "tie_word_embeddings": config.tied_head,
            "resid_pdrop": config.dropout,
            "embd_pdrop": config.dropout,
            "attn_pdrop": config.dropout,
            "torch_dtype": "float32",
        }
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_positions,
        "hidden_size": config.width,
        "intermediate_size": config.hidden_width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.num_kv_heads,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rotary_base,
        "tie_word_embeddings": config.tied_head,
        "torch_dtype": "float32",
    }


def load_folder(folder: Path, config: ModelConfig) -> Transformer:
    """A model with the weights of a Hugging Face folder.

    Raises:
        ContractError: No readable weights, or tensors that are missing, unexpected or misshapen.
    """
    try:
        state = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ContractError(f"{folder / WEIGHTS}: not readable: {error}") from error
    ours = from_hugging_face(state, config)
    model = build_model(config, seed=0)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in ours.items()}
    if expected != found:
        differing = sorted(
            n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)
        )
        first = differing[0]
        raise ContractError(
            f"{folder}: {len(differing)} tensors differ, the first is {first}: "
            f"found {found.get(first)}, expected {expected.get(first)}"
        )
    model.load_state_dict(ours)
    return model
