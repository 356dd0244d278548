"""A step that is not finite twice is not replayed by torchrun's restarts."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import PipelineError
from train.loop.replays import refuse_replay


def events(*kinds: str, step: int = 7) -> list[dict[str, Any]]:
    return [{"kind": kind, "step": step, "error": "the gradient norm is nan"} for kind in kinds]


TWICE = events("start", "manifest", "not_finite", "resume", "not_finite")


def test_the_third_attempt_ends_before_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")

    with pytest.raises(PipelineError, match=r"step 7: was not finite 2 times .* norm is nan"):
        refuse_replay(TWICE)


@pytest.mark.parametrize(
    "before",
    [
        events("start", "manifest", "not_finite"),  # may be the machine: tried once more
        [*TWICE, *events("stop")],  # went on since
        [*events("not_finite"), *events("resume", "not_finite", step=8)],  # came further
    ],
)
def test_other_failures_are_tried_again(
    monkeypatch: pytest.MonkeyPatch, before: list[dict[str, Any]]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")

    refuse_replay(before)


def test_a_start_by_hand_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RESTART_COUNT", raising=False)

    refuse_replay(TWICE)
