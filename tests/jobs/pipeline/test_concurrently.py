from __future__ import annotations

import threading

import pytest

from jobs.pipeline.concurrently import concurrently

SECONDS = 10


def test_actions_run_side_by_side_and_keep_their_results() -> None:
    both = threading.Barrier(2, timeout=SECONDS)

    with concurrently() as actions:
        number = actions.start(lambda: both.wait() and 0)
        word = actions.start(str.upper, "a")
        actions.start(both.wait)

    assert (number.result(), word.result()) == (0, "A")


def test_the_first_error_is_raised_when_all_have_ended() -> None:
    ended = []

    def fail(name: str) -> None:
        ended.append(name)
        raise ValueError(name)

    def fail_twice() -> None:
        with concurrently() as actions:
            actions.start(fail, "first")
            actions.start(fail, "second")
            actions.start(ended.append, "third")

    with pytest.raises(ValueError, match="first"):
        fail_twice()

    assert sorted(ended) == ["first", "second", "third"]
