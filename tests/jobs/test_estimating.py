"""Estimates: what is sampled, and how it is scaled."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command.main import main
from jobs.estimating import choose_sample, partitions, sample_recipe, scale, wall_seconds
from refinery.publish.records import StageCost, StageRecord, TableSummary
from refinery.recipe import Recipe


def _recipe(root: Path, sizes: dict[str, list[int]]) -> Recipe:
    for source, files in sizes.items():
        (root / source).mkdir(parents=True)
        for number, size in enumerate(files):
            (root / source / f"{number:03d}.txt").write_bytes(b"x" * size)
    return Recipe.model_validate(
        {
            "name": "r",
            "sources": [
                {"name": name, "uri": str(root / name), "format": "text"} for name in sizes
            ],
            "mixture": {"weights": dict.fromkeys(sizes, 1.0), "budget_tokens": 1000},
        }
    )


def _record(stage: str, *, seconds: float, task_seconds: float, shuffle: int) -> StageRecord:
    return StageRecord(
        stage=stage,
        fingerprint="f",
        attempt="a",
        tables={"t": TableSummary(rows=10, bytes=1000, files=1)},
        artefacts={},
        inputs={},
        seconds=seconds,
        started_at="",
        code_version="",
        cost=StageCost(
            jvm_cpu_seconds=1,
            task_seconds=task_seconds,
            shuffle_bytes=shuffle,
            spilled_bytes=0,
            written_bytes=1000,
        ),
    )


def test_every_source_gives_about_the_same_share(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, {"a": [100] * 100, "b": [100] * 50, "c": [5000]})

    sample = choose_sample(recipe, 2000)

    assert sample.bytes_by_source == {"a": 10_000, "b": 5_000, "c": 5_000}
    assert sample.sampled_by_source == {"a": 1_000, "b": 500, "c": 5_000}
    assert sample.factor == pytest.approx(20_000 / 6_500)


def test_the_sample_is_nested_and_not_the_first_files(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, {"a": [100] * 100})

    small = {file.name for file in choose_sample(recipe, 1000).files}
    large = {file.name for file in choose_sample(recipe, 3000).files}

    assert len(small) == 10
    assert small < large
    assert small != {f"{number:03d}.txt" for number in range(10)}


def test_the_sample_recipe_reads_copies_and_shrinks_the_budget(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "in", {"a": [100] * 10})
    sample = choose_sample(recipe, 500)

    small = sample_recipe(recipe, sample, tmp_path / "sample")

    assert len(list((tmp_path / "sample" / "a").iterdir())) == 5
    assert small.sources[0].uri == str(tmp_path / "sample" / "a")
    assert small.mixture.budget_tokens == 500
    assert recipe.mixture.budget_tokens == 1000


def test_linear_stages_scale_and_bounded_ones_do_not() -> None:
    records = {
        "clean": _record("clean", seconds=11, task_seconds=20, shuffle=1 << 20),
        "vocabulary": _record("vocabulary", seconds=6, task_seconds=4, shuffle=0),
    }

    clean, vocabulary = scale(records, 100, cores=2)

    assert (clean.rows, clean.core_seconds, clean.fixed_seconds) == (1000, 2000, 1)
    assert (vocabulary.rows, vocabulary.core_seconds, vocabulary.fixed_seconds) == (10, 4, 4)
    assert wall_seconds([clean, vocabulary], cores=20) == 2000 / 20 + 1 + 4 + 4
    assert partitions([clean, vocabulary], cores=20) == 40


@pytest.mark.parametrize("bound", [["--cores", "0"], ["--sample-mb", "-5"], ["--cores", "many"]])
def test_nothing_is_run_on_no_cores_or_no_input(
    bound: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["estimate", "recipe.yaml", *bound])

    assert stopped.value.code == 2
    assert f"expected a whole number above 0, got '{bound[1]}'" in capsys.readouterr().err
