from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas.errors import ContractError
from schemas.manifest import SpecialIds
from train.exchange.folder import WEIGHTS, export_folder, load_folder
from train.model.presets import resolve_model
from train.model.transformer import build_model


def test_a_tensor_that_no_part_takes_is_refused_by_name(tmp_path: Path) -> None:
    config = resolve_model({"preset": "gpt2-test"}, vocab_size=50, seq_len=16)
    model = build_model(config, seed=0)
    export_folder(tmp_path, model.state_dict(), config, SpecialIds(pad=0, eos=1), None)
    state = load_file(tmp_path / WEIGHTS)
    state["transformer.h.0.adapter.weight"] = torch.zeros(2)
    save_file(state, tmp_path / WEIGHTS)

    with pytest.raises(ContractError, match=r"1 tensors.*adapter"):
        load_folder(tmp_path, config)
