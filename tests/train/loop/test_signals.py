"""SIGTERM and the first SIGINT ask a run to save and end; the second SIGINT interrupts."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from train.loop.signals import StopFlag


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_flag(number: signal.Signals) -> None:
    flag = StopFlag()
    assert not flag.is_set

    signal.raise_signal(number)

    assert flag.is_set


def test_the_second_interrupt_ends_at_once() -> None:
    StopFlag()
    signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
