"""A finished dataset of another recipe is seen before anything is computed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobs.pipeline.recording import record_run
from refinery.preflight.datasets import check_dataset
from refinery.publish.store import Store
from refinery.recipe import RefineSettings
from schemas.errors import ContractError
from schemas.settings import parse_settings
from tests.support.datasets import write_dataset
from tests.support.published import published_tables


def settings(root: Path, uri: str = "a", **recipe: Any) -> RefineSettings:
    source = {"name": "a", "uri": uri, "format": "text"}
    plain = {
        "recipe": {"name": "r", "sources": [source], **recipe},
        "runtime": {"output": str(root)},
    }
    return parse_settings(RefineSettings, plain, where="test")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """An output with a dataset of the plain recipe."""
    store = Store(f"{tmp_path}/tables")
    pack = published_tables(tmp_path / "x", {"pack": {}}).records["pack"]
    manifest = json.loads(write_dataset(tmp_path / "dataset").read_text())
    manifest |= {"recipe_fingerprint": pack.fingerprint, "stages": []}
    (tmp_path / "dataset" / "manifest.json").write_text(json.dumps(manifest))
    store.publish(pack)
    record_run(settings(tmp_path), store, {"pack": pack}, datetime(2026, 1, 1, tzinfo=UTC))
    return tmp_path


def test_what_differs_and_what_to_do_are_told(finished: Path) -> None:
    changed = settings(finished, dedup={"threshold": 0.9}, packing={"seq_len": 512})

    with pytest.raises(ContractError) as refused:
        check_dataset(changed)

    told = str(refused.value)
    assert "recipe.dedup.threshold is 0.8 there, 0.9 here" in told
    assert "recipe.packing.seq_len is 2048 there, 512 here" in told
    assert f"set runtime.tables to {finished}/tables" in told


def test_the_same_recipe_over_a_folder_that_moved_is_the_same(finished: Path) -> None:
    check_dataset(settings(finished))
    check_dataset(settings(finished, uri="elsewhere"))


def test_without_a_dataset_nothing_is_refused(finished: Path) -> None:
    (finished / "dataset" / "manifest.json").unlink()

    check_dataset(settings(finished, packing={"seq_len": 512}))
