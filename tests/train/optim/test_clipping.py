"""The norm over all gradients and what is done to those above it."""

from __future__ import annotations

import pytest
import torch

from train.optim.adamw import LocalAdamW
from train.optim.clipping import clip_gradients, gradient_norm, scale_gradients


def gradients(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(shape, generator=generator).to(dtype) for shape in ((3, 4), (5,), ())]


def test_the_norm_is_that_of_all_numbers_in_a_row() -> None:
    parts = gradients()

    norm = gradient_norm(parts)

    whole = torch.cat([part.reshape(-1) for part in parts])
    torch.testing.assert_close(norm, whole.norm())
    assert gradient_norm(gradients(torch.bfloat16)).dtype == torch.float32
    assert gradient_norm(gradients(torch.float64)).dtype == torch.float64
    assert float(gradient_norm([])) == 0.0


def test_a_larger_norm_is_scaled_down_and_a_smaller_one_changes_no_bit() -> None:
    parts, before = gradients(), gradients()
    norm = gradient_norm(parts)

    clip_gradients(parts, norm, float(norm))
    assert all(torch.equal(a, b) for a, b in zip(parts, before, strict=True))

    clip_gradients(parts, norm, 0.5)
    assert float(gradient_norm(parts)) == pytest.approx(0.5)

    scale_gradients(parts, 2.0)
    assert float(gradient_norm(parts)) == pytest.approx(1.0)


def test_adamw_takes_torchs_steps_to_the_bit() -> None:
    def trained(optimizer_class: type[torch.optim.AdamW]) -> torch.Tensor:
        weight = torch.nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = optimizer_class([weight], lr=0.1, weight_decay=0.1)
        for step in range(4):
            weight.grad = torch.cos(weight.detach() * (step + 1))
            optimizer.step()
        return weight.detach()

    assert torch.equal(trained(LocalAdamW), trained(torch.optim.AdamW))
