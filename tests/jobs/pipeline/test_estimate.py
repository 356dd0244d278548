"""Estimates: what is sampled, and how it is scaled."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command.main import main
from jobs.pipeline.estimate import (
    partitions,
    scale,
    scale_dataset,
    training_growth,
    wall_seconds,
)
from jobs.pipeline.sample import choose_sample, sample_recipe
from jobs.pipeline.sample_factors import Factors, measure_factors, notes_on_sample, weighted
from refinery.publish.records import StageCost, StageRecord, TableSummary
from refinery.publish.store import Store
from refinery.quality.config import QualityTrainingConfig
from refinery.recipe import Recipe
from schemas.errors import SettingsError
from schemas.manifest import read_manifest
from tests.support.datasets import write_dataset
from tests.support.published import published_tables


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


def test_tasks_scale_with_the_input_and_training_with_what_the_recipe_allows() -> None:
    records = {
        "clean": _record("clean", seconds=11, task_seconds=20, shuffle=1 << 20),
        "quality": _record("quality", seconds=8, task_seconds=6, shuffle=0),
        "vocabulary": _record("vocabulary", seconds=6, task_seconds=4, shuffle=0),
    }

    clean, quality, vocabulary = scale(
        records, Factors.uniform(100), cores=2, growth={"quality": 3, "vocabulary": 1.5}
    )

    assert (clean.rows, clean.core_seconds, clean.fixed_seconds) == ({"t": 1000}, 2000, 1)
    assert (quality.rows, quality.core_seconds, quality.fixed_seconds) == ({"t": 30}, 18, 15)
    # The tasks of the vocabulary look at all texts; its training reads up to a bound.
    assert (vocabulary.core_seconds, vocabulary.fixed_seconds) == (400, 6)
    all_of_them = [clean, quality, vocabulary]
    assert wall_seconds(all_of_them, cores=20) == 2418 / 20 + 1 + 15 + 6
    assert partitions(all_of_them, cores=20) == 40


def test_training_grows_to_the_bound_and_no_further(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "in", {"a": [10], "b": [10]})
    trained = recipe.model_copy(
        update={
            "quality": QualityTrainingConfig(positive=("a",), negative=("b",), max_documents=500)
        }
    )
    record = _record("quality", seconds=1, task_seconds=1, shuffle=0)
    records = {"quality": record.model_copy(update={"counts": {"quality_examples": 200}})}
    manifest = read_manifest(write_dataset(tmp_path / "dataset"))
    text_bytes = sum(source.text_bytes for source in manifest.train.sources.values())
    assert recipe.vocabulary.train_bytes > 100 * text_bytes

    # 1,000 documents are allowed and 200 were there; of the text all was used.
    assert training_growth(trained, records, manifest, 50) == {"quality": 5, "vocabulary": 50}
    assert training_growth(trained, records, manifest, 2) == {"quality": 2, "vocabulary": 2}
    assert training_growth(recipe, {}, manifest, 50)["quality"] == 1
    enough = recipe.vocabulary.model_copy(update={"train_bytes": text_bytes // 2})
    small = recipe.model_copy(update={"vocabulary": enough})
    assert training_growth(small, {}, manifest, 50)["vocabulary"] == 1


def test_the_dataset_is_estimated_too(tmp_path: Path) -> None:
    manifest = read_manifest(write_dataset(tmp_path))

    found = scale_dataset(manifest, Factors.uniform(10), {}, shard_tokens=1000)

    shards = [*manifest.train.shards, *manifest.heldout.shards]
    assert found.rows == 10 * sum(shard.rows for shard in shards)
    assert found.tokens == 10 * sum(shard.tokens for shard in manifest.train.shards)
    assert found.bytes == 10 * sum(shard.bytes for shard in shards)
    assert found.shards == -(-found.tokens // 1000)


def test_a_source_that_is_in_the_sample_whole_does_not_grow(tmp_path: Path) -> None:
    """One factor for all gave 1.9 times the documents: those of a one-file source counted again."""
    factors = {"crawl": 10.0, "dump": 1.0}
    rows = {"crawl": 20, "dump": 800}
    fetches = [{"source": name} for name, number in rows.items() for _ in range(number)]
    ledger = fetches[:15] + fetches[-700:]
    stages = {"ingest": {"fetches": fetches}, "clean": {"ledger": ledger, "edits": [{"a": 1}] * 10}}
    published = published_tables(tmp_path, stages)
    store, records = Store(str(tmp_path)), dict(published.records)
    cost = _record("clean", seconds=1, task_seconds=1, shuffle=0).cost
    records = {n: r.model_copy(update={"cost": cost}) for n, r in records.items()}
    recipe = _recipe(tmp_path / "in", {"crawl": [10], "dump": [10]})
    manifest = read_manifest(write_dataset(tmp_path / "dataset"))

    found = measure_factors(
        recipe, factors, in_bytes=3.2, published=(store, records), manifest=manifest
    )
    ingest, clean = scale(records, found, cores=1)

    assert ingest.rows == {"fetches": 20 * 10 + 800}
    assert clean.rows == {"ledger": 15 * 10 + 700, "edits": round(10 * 850 / 715)}
    # The recipe has a budget: the dataset is as large as that, whatever the sources hold.
    assert found.dataset == 3.2
    assert weighted({}, factors, 3.2) == 3.2


def test_text_grows_by_what_both_splits_have_of_each_source(tmp_path: Path) -> None:
    """The few documents held out alone, most of them of one source, gave 2.7 times the tokens."""
    manifest = read_manifest(write_dataset(tmp_path / "dataset"))
    source = next(iter(manifest.train.sources.values()))
    texts = {"train": {"crawl": 90, "dump": 880}, "heldout": {"crawl": 10, "dump": 20}}
    splits = {
        split: getattr(manifest, split).model_copy(
            update={
                "sources": {
                    n: source.model_copy(update={"text_bytes": b}) for n, b in sizes.items()
                }
            }
        )
        for split, sizes in texts.items()
    }
    recipe = _recipe(tmp_path / "in", {"crawl": [10], "dump": [10]})
    no_budget = recipe.mixture.model_copy(update={"budget_tokens": None})

    found = measure_factors(
        recipe.model_copy(update={"mixture": no_budget}), {"crawl": 10.0, "dump": 1.0}, in_bytes=3.2,
        published=(Store(str(tmp_path)), {}), manifest=manifest.model_copy(update=splits),
    )  # fmt: skip

    assert found.text == found.dataset == (100 * 10 + 900) / 1000


def test_tables_are_left_out_and_told_of(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("words of a text")
    files = {"name": "texts", "uri": str(tmp_path / "texts"), "format": "text"}
    table = {"name": "table", "uri": "db.pages", "format": "spark"}
    plain = {
        "name": "n",
        "sources": [files, table],
        "mixture": {"weights": {"texts": 1, "table": 1}},
    }
    recipe = Recipe.model_validate(plain)

    sample = choose_sample(recipe, 1000)
    sampled = sample_recipe(recipe, sample, tmp_path / "copy")

    assert sample.files_by_source == {"texts": 1, "table": 0}
    assert [(one.format, one.may_be_empty) for one in sampled.sources] == [("text", True)] * 2
    assert list((tmp_path / "copy" / "table").iterdir()) == []
    (note,) = notes_on_sample(sample.files_by_source, sample.factors)
    assert note.startswith("source 'table' is a table or a run")
    with pytest.raises(SettingsError, match="all sources are tables or runs"):
        choose_sample(Recipe.model_validate({"name": "n", "sources": [table]}), 1000)


def test_sources_of_one_file_are_told(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, {"a": [100] * 100, "b": [5000]})

    sample = choose_sample(recipe, 2000)

    assert sample.factors == {"a": 10_000 / 1_300, "b": 1.0}
    assert notes_on_sample(sample.files_by_source, sample.factors) == [
        "source 'b' is one file, so the sample holds all of it; split it for a smaller sample"
    ]
    assert notes_on_sample({"b": 1}, {"b": 1.0}) == []


@pytest.mark.parametrize("bound", [["--cores", "0"], ["--sample-mb", "-5"], ["--cores", "many"]])
def test_nothing_is_run_on_no_cores_or_no_input(
    bound: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["estimate", "recipe.yaml", *bound])

    assert stopped.value.code == 2
    assert f"expected a whole number above 0, got '{bound[1]}'" in capsys.readouterr().err
