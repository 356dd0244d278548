"""A vocabulary on two ranks against one process; what is not sharded stays as it is."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.distributed import DeviceMesh
from torch.distributed.tensor import Shard, distribute_tensor

from tests.support.ranks import run_on_ranks
from train.distributed.environment import world_size_of_environment
from train.distributed.sharded_tensors import local_part, rms, shard_of, whole
from train.distributed.split_vocabulary import (
    first_row,
    is_split,
    split_cross_entropy_sums,
    split_embedding,
)

VOCABULARY, WIDTH = 7, 3  # seven rows: the second rank has one less


def tensors() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(VOCABULARY, WIDTH, generator=generator, dtype=torch.float64)
    hidden = torch.randn(5, WIDTH, generator=generator, dtype=torch.float64)
    return weight, hidden, torch.tensor([0, 3, 4, 6, 2])


def compare() -> None:
    dist.init_process_group("gloo")
    mesh = DeviceMesh("cpu", [0, 1])
    weight, hidden, labels = tensors()
    split = distribute_tensor(weight.clone(), mesh, [Shard(0)]).requires_grad_()
    x = hidden.clone().requires_grad_()
    plain_weight, plain_x = weight.clone().requires_grad_(), hidden.clone().requires_grad_()

    total, each = split_cross_entropy_sums(x, split, labels, None, rows=2)
    total.backward()
    expected = F.cross_entropy(plain_x @ plain_weight.T, labels, reduction="none")
    expected.sum().backward()

    assert is_split(split)
    assert first_row(split) == 4 * dist.get_rank()
    torch.testing.assert_close(each, expected.detach())
    torch.testing.assert_close(x.grad, plain_x.grad)
    assert split.grad is not None
    assert plain_weight.grad is not None
    torch.testing.assert_close(split.grad.full_tensor(), plain_weight.grad)
    torch.testing.assert_close(split_embedding(labels, split), F.embedding(labels, weight))
    torch.testing.assert_close(whole(split).detach(), weight)
    torch.testing.assert_close(shard_of(weight, like=split), local_part(split).detach())
    torch.testing.assert_close(rms(split).detach(), weight.square().mean().sqrt())
    dist.destroy_process_group()


@pytest.mark.distributed
def test_two_ranks_agree_with_one_process() -> None:
    run_on_ranks(compare, 2)


def test_a_plain_tensor_is_whole_and_local() -> None:
    weight, _, _ = tensors()

    assert not is_split(weight)
    assert whole(weight) is local_part(weight) is shard_of(weight, like=weight) is weight
    torch.testing.assert_close(rms(weight), weight.square().mean().sqrt())


def test_without_torchrun_there_is_one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert world_size_of_environment() == 1
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert world_size_of_environment() == 4
