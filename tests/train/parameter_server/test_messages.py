"""Messages between workers and servers survive packing, in buffers of the announced sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from train.parameter_server.messages import AnswerHead, Request, RequestKind, Tally


@pytest.mark.parametrize("kind", list(RequestKind))
def test_a_request_comes_back_as_it_was(kind: RequestKind) -> None:
    request = Request(kind=kind, version=2**40)

    assert Request.unpack(request.pack()) == request


@pytest.mark.parametrize("is_applied", [True, False])
@pytest.mark.parametrize("should_leave", [True, False])
def test_an_answer_comes_back_as_it_was(*, is_applied: bool, should_leave: bool) -> None:
    head = AnswerHead(is_applied=is_applied, version=7, should_leave=should_leave)

    assert AnswerHead.unpack(head.pack()) == head


def test_a_tally_comes_back_as_it_was() -> None:
    sums = torch.tensor([0.1, 2.0**60, -3.0], dtype=torch.float64)
    back = Tally.unpack(Tally(labels=12, waited_seconds=0.3, sums=sums).pack())

    assert (back.labels, back.waited_seconds) == (12, 0.3)
    assert torch.equal(back.sums, sums)


def test_tallies_add_up() -> None:
    one = Tally(labels=2, waited_seconds=0.5, sums=torch.tensor([1.0, 2.0], dtype=torch.float64))
    both = one + Tally(
        labels=3, waited_seconds=0.25, sums=torch.tensor([10.0, 0.0], dtype=torch.float64)
    )

    assert (both.labels, both.waited_seconds, both.sums.tolist()) == (5, 0.75, [11, 2])
    assert one.sums.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("message", "buffer"),
    [
        (Request(kind=RequestKind.PULL).pack(), Request.buffer()),
        (AnswerHead(is_applied=True, version=0, should_leave=False).pack(), AnswerHead.buffer()),
        (
            Tally(labels=1, waited_seconds=0, sums=torch.zeros(5, dtype=torch.float64)).pack(),
            Tally.buffer(5),
        ),
    ],
)
def test_a_buffer_has_the_size_and_type_of_its_message(message: Tensor, buffer: Tensor) -> None:
    assert (buffer.shape, buffer.dtype) == (message.shape, message.dtype)
