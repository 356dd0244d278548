"""Write what a source holds as a Hugging Face folder."""

from __future__ import annotations

from pathlib import Path

import torch

from schemas.errors import ContractError
from schemas.manifest import SpecialIds
from train.exchange.folder import export_folder
from train.generation.open_model import OpenWeights, open_weights, tokenizer_folder, with_tokenizer

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def export_model(path: Path, target: Path, *, dtype: str, tokenizer: Path | None = None) -> None:
    """Write weights, configuration and tokenizer of a run, a checkpoint or another folder.

    Args:
        path: The source.
        target: Folder to write.
        dtype: fp32, bf16 or fp16.
        tokenizer: Folder of the tokenizer; None: that of the source.

    Raises:
        ContractError: The source holds no model, its tokenizer is not found, or a weight is too large for
            the type.
    """
    weights = open_weights(path)
    weights.require()
    wanted = _TYPES[dtype]
    state = {
        name: value.to(wanted) if value.is_floating_point() else value
        for name, value in weights.model.state_dict().items()
    }
    for name, value in state.items():
        if not bool(torch.isfinite(value).all()):
            raise ContractError(
                f"{weights.source.path}: {name} has values that {dtype} cannot hold; use bf16 or fp32"
            )
    export_folder(
        target,
        state,
        weights.source.config,
        _special(weights, tokenizer),
        tokenizer or tokenizer_folder(weights),
    )


def _special(weights: OpenWeights, tokenizer: Path | None) -> SpecialIds:
    """The special ids of the data that the run read, or of the folder."""
    if weights.manifest is not None:
        return weights.manifest.tokenizer.special_ids
    opened = with_tokenizer(weights, tokenizer)
    own = opened.tokenizer
    end = min(opened.ends, default=own.sep_token_id)
    if end is None:
        raise ContractError(f"{weights.source.path}: no id is known that ends a text")
    return SpecialIds(pad=opened.start_id, eos=end, bos=own.bos_token_id)
