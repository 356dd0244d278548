"""What torchrun announces to its ranks."""

from __future__ import annotations

import pytest

from train.distributed.environment import world_size_of_environment


@pytest.mark.parametrize(("announced", "ranks"), [(None, 1), ("4", 4)])
def test_the_world_is_what_torchrun_announces(
    announced: str | None, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if announced is not None:
        monkeypatch.setenv("WORLD_SIZE", announced)

    assert world_size_of_environment() == ranks
