"""Weights and optimizer states as flat dictionaries: collected and put back without a change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from train.checkpoint.pointer import STATE_NAME
from train.checkpoint.state import (
    collect_model,
    collect_tensors,
    restore_model,
    restore_tensors,
    whole_weights,
)
from train.checkpoint.state_file import read_state, write_state


def make_model(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2, bias=False))


def steps(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[float]:
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    while True:
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield float(loss.detach())


def test_training_goes_on_from_collected_tensors_bit_for_bit() -> None:
    model = make_model(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    losses = steps(model, optimizer)
    next(losses)
    tensors = collect_tensors([model], optimizer)
    stored = {
        part: {
            name: value.clone() if torch.is_tensor(value) else value for name, value in d.items()
        }
        for part, d in tensors.items()
    }
    expected = [next(losses) for _ in range(3)]

    other = make_model(7)
    other_optimizer = torch.optim.AdamW(other.parameters(), lr=0.1)
    collect_tensors([other], other_optimizer)
    restore_tensors([other], other_optimizer, stored)

    more = steps(other, other_optimizer)
    assert [next(more) for _ in range(3)] == expected


def test_keys_are_logical_names() -> None:
    model = make_model(0)

    tensors = collect_tensors([model], torch.optim.AdamW(model.parameters()))

    assert sorted(tensors["model"]) == ["0.bias", "0.weight", "1.weight"]
    assert "state.1.weight.exp_avg" in tensors["optimizer"]


def test_parts_of_a_pipeline_share_one_dictionary() -> None:
    model = make_model(0)
    first = nn.ModuleDict({"0": model[0]})
    second = nn.ModuleDict({"1": model[1]})
    target = make_model(5)

    tensors = collect_model([first, second])
    restore_model([nn.ModuleDict({"0": target[0]}), nn.ModuleDict({"1": target[1]})], tensors)

    assert all(
        torch.equal(a, b) for a, b in zip(target.parameters(), model.parameters(), strict=True)
    )
    assert sorted(whole_weights([first, second])) == ["0.bias", "0.weight", "1.weight"]


def test_numbers_that_json_lacks_are_null_in_a_state_and_its_hash_holds(tmp_path: Path) -> None:
    events = [{"kind": "not_finite", "loss": float("nan"), "norm": float("inf"), "words": "损失"}]

    write_state(tmp_path, {"step": 3, "events": events}, index_sha256="0" * 64)

    text = (tmp_path / STATE_NAME).read_text("utf-8")
    assert json.loads(text, parse_constant=lambda name: 1 / 0)["step"] == 3
    assert read_state(tmp_path)["events"] == [
        {"kind": "not_finite", "loss": None, "norm": None, "words": "损失"}
    ]
