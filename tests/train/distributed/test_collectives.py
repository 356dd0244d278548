"""Collectives with a gradient, against the same sums in one process."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist

from tests.support.ranks import run_on_ranks
from train.distributed.collectives import (
    copy_in,
    gather_tokens,
    join_tokens,
    scatter_tokens,
    split_tokens,
    sum_out,
)
from train.distributed.replicas import sum_gradients
from train.distributed.seeds import seed_microbatch

TOKENS = 5  # does not divide by two: shares are padded


def _rank_input(rank: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(rank)
    return torch.randn(2, TOKENS, 3, generator=generator)


def compare() -> None:
    dist.init_process_group("gloo")
    rank, group = dist.get_rank(), dist.group.WORLD
    assert group is not None
    mine, total = _rank_input(rank), _rank_input(0) + _rank_input(1)
    weight = _rank_input(7)

    # Equal inputs, different work on each rank: the gradient is the sum of both.
    x = _rank_input(9).requires_grad_()
    (copy_in(x, group) * (weight * (rank + 1))).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, weight * 3)

    x = mine.clone().requires_grad_()
    out = sum_out(x, group)
    (out * weight).sum().backward()
    torch.testing.assert_close(out.detach(), total)
    torch.testing.assert_close(x.grad, weight)

    # Shares put together are the whole again, and so is the gradient.
    x = _rank_input(9).requires_grad_()
    whole = join_tokens(split_tokens(x, group), group, TOKENS)
    (whole * weight).sum().backward()
    torch.testing.assert_close(whole.detach(), x.detach())
    torch.testing.assert_close(x.grad, weight)

    # The sum, shared out by tokens and gathered: as one all-reduce.
    x = mine.clone().requires_grad_()
    whole = gather_tokens(scatter_tokens(x, group), group, TOKENS)
    (whole * weight).sum().backward()
    torch.testing.assert_close(whole.detach(), total)
    torch.testing.assert_close(x.grad, 2 * weight)  # both ranks used all of it

    gradients = [mine[0].clone(), mine[1, :, 0].clone()]
    sum_gradients(gradients)
    torch.testing.assert_close(gradients[0], total[0])
    torch.testing.assert_close(gradients[1], total[1, :, 0])
    dist.destroy_process_group()


@pytest.mark.distributed
def test_two_ranks_agree_with_one_process() -> None:
    run_on_ranks(compare, 2)


def test_a_seed_follows_from_its_five_numbers() -> None:
    def draw(**changed: int) -> float:
        plain = {"seed": 1, "step": 2, "microbatch": 3, "data_rank": 4, "stage": 0}
        seed_microbatch(**{**plain, **changed})
        return float(torch.rand(()))

    assert draw() == draw()
    others = [draw(**{name: 9}) for name in ("seed", "step", "microbatch", "data_rank", "stage")]
    assert len({draw(), *others}) == 6
