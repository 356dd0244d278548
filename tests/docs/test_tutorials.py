"""The code of the tutorials works, and what they claim beyond it holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.manifest import read_manifest
from tests.support.pages import Command, PageRun
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.objectives.causal import CausalObjective

pytestmark = pytest.mark.slow


@pytest.mark.spark
def test_a_loop_of_ones_own_has_the_labels_of_the_trainer(
    quickstart: tuple[Path, list[Command]],
) -> None:
    folder, _ = quickstart
    page = PageRun("tutorials/read_the_shards.md", folder)
    page.run()
    dataset = folder / "runs/my-texts/dataset"
    config = LoaderConfig()
    files = shard_files(str(dataset / "manifest.json"), config)
    packed = open_split(files, read_manifest(dataset), config, split="train", seed=0)

    rows = page.names["rows"].sample(16, random_state=0)
    theirs = page.names["PackedShards"](rows)
    samples = packed.read(np.arange(packed.num_rows))
    special = packed.manifest.tokenizer.special_ids
    labels = CausalObjective(special.eos).build(samples, seed=0).labels
    index_of = {ids.tobytes(): index for index, ids in enumerate(samples.input_ids)}

    for index in range(len(rows)):
        own = theirs[index]
        key = own["input_ids"].numpy().astype(np.int32).tobytes()
        assert torch.equal(own["labels"], labels[index_of[key]])


def test_a_rule_is_added_by_the_steps_of_the_page(repository: Path) -> None:
    page = PageRun("tutorials/add_a_rule.md", repository, python_path=repository)

    printed = page.run()

    assert "own:questions" in printed[-1].output


def test_an_objective_is_added_by_the_steps_of_the_page(repository: Path) -> None:
    page = PageRun("tutorials/add_an_objective.md", repository, python_path=repository)

    printed = page.run()

    assert len(printed) == 2


@pytest.mark.spark
def test_a_base_learns_a_second_language_by_the_steps_of_the_page(
    quickstart: tuple[Path, list[Command]],
) -> None:
    folder, _ = quickstart

    PageRun("tutorials/second_language.md", folder).run()

    losses = [loss["loss"] for loss in metrics(folder / "runs/chinese/model")]
    assert (folder / "runs/chinese/model/phases/1-new_embeddings/new_rows.jsonl").is_file()
    assert len(losses) == 20
    assert sum(losses[-5:]) < sum(losses[:5])


def metrics(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.spark
def test_examples_of_public_names_run(quickstart: tuple[Path, list[Command]]) -> None:
    folder, _ = quickstart
    page = PageRun("api.md", folder)

    page.run()

    assert {"read_manifest", "Cleaner", "open_model"} <= set(page.names)
