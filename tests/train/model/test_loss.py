"""The chunked loss against torch's own cross-entropy."""

import pytest
import torch

from train.model import loss
from train.model.loss import cross_entropy_sums


def test_chunks_do_not_change_loss_or_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(loss, "CHUNK_BYTES", 16 * 4 * 50)  # three chunks of 16 tokens
    hidden = torch.randn(40, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(50, 8, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 50, (40,))
    expected = torch.nn.functional.cross_entropy(hidden @ weight.T, labels, reduction="sum")
    wanted = torch.autograd.grad(expected * 3, (hidden, weight))

    total, each = cross_entropy_sums(hidden, weight, labels)
    found = torch.autograd.grad(total * 3, (hidden, weight))

    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    assert each.shape == (40,)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)
