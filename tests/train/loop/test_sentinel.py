"""The sentinel names the rank whose bits differ, whatever the bit, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmarks.train.sentinel import RANKS, Trials, recipe
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.ranks import run_on_ranks
from train.distributed.world import open_world
from train.loop.sentinel import Finding, odd_one_out
from train.parallel.config import ParallelConfig


def test_one_rank_against_all_others_is_the_odd_one_out() -> None:
    assert odd_one_out(["a", "b", "a"]) == 1
    assert odd_one_out(["a", "a", "a", "c"]) == 3


@pytest.mark.parametrize(
    "digests", [["a", "b"], ["a", "b", "c"], ["a", "a", "b", "b"], ["a", "a", "a", "b", "c"]]
)
def test_without_a_majority_of_all_others_nobody_is_named(digests: list[str]) -> None:
    assert odd_one_out(digests) is None


def test_bits_of_one_micro_batch_are_compared_where_they_are_kept_apart() -> None:
    with pytest.raises(ValidationError, match="reduction is flat"):
        ParallelConfig(sentinel_every_steps=10)


def look_at_flips(folder: str) -> None:
    """Flips of the lowest bit and of the sign at either rank are found; then clean steps are clean."""
    settings = recipe(Path(folder), Path(folder) / "data" / "manifest.json")
    with open_world(timeout_seconds=120) as world:
        made = Trials(settings, world)
        for step, (place, bit) in enumerate([("gradient", 0), ("gradient", 31), ("weight", 0)]):
            for at_checker in (False, True):
                seen = made.try_flip(2 * step + at_checker, place, bit, at_checker=at_checker)
                assert seen == "named", (place, bit, at_checker, seen)
        assert [made.look(step) for step in range(10, 14)] == [None] * 4


def look_with_two(folder: str) -> None:
    """Of two ranks both compute once more: a flip that does not stay is found out, one that stays is not told whose."""
    settings = recipe(Path(folder), Path(folder) / "data" / "manifest.json")
    with open_world(timeout_seconds=120) as world:
        made = Trials(settings, world)
        struck, leaf = 0, made.sentinel.watched(3)
        compute, left = made.strategy._gradient, [world.rank == struck]

        def flipped(batch, *args, **more):  # type: ignore[no-untyped-def]
            found = compute(batch, *args, **more)
            if left[0] and batch.number == leaf:
                left[0], found[0] = False, found[0] + 1
            return found

        made.strategy._gradient = flipped  # type: ignore[method-assign]
        found = made.look(3)
        assert found == Finding(f"micro-batch {leaf}", struck), found


@pytest.mark.distributed
def test_a_flipped_bit_is_found_and_its_rank_named(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", DatasetShape(rows_per_shard=(80, 80)))
    run_on_ranks(look_at_flips, RANKS, str(tmp_path))


@pytest.mark.distributed
def test_of_two_ranks_the_one_that_contradicts_itself_is_named(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", DatasetShape(rows_per_shard=(80, 80)))
    run_on_ranks(look_with_two, 2, str(tmp_path))
