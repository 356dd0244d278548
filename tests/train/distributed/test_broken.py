"""Errors of collectives are told from a rank's own by class and frames, never by their words."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist

from train.distributed.broken import is_of_collective


def raised_by_a_collective() -> RuntimeError:
    try:
        dist.distributed_c10d._get_default_group()
    except (RuntimeError, ValueError) as error:
        return RuntimeError("Connection closed by peer").with_traceback(error.__traceback__)
    raise AssertionError("there is a group")


def test_an_error_in_a_collective_says_that_ranks_lost_each_other() -> None:
    assert is_of_collective(raised_by_a_collective())


def test_the_same_words_from_elsewhere_do_not() -> None:
    assert not is_of_collective(RuntimeError("Connection closed by peer"))
    with pytest.raises(RuntimeError) as raised:
        torch.zeros(2) @ torch.zeros(3)
    assert not is_of_collective(raised.value)
