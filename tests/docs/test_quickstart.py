"""What docs/quickstart.md tells people to type works, and prints what the page shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.manifest import read_manifest
from tests.support.pages import Command

pytestmark = [pytest.mark.slow, pytest.mark.spark]


def test_the_quickstart_ends_with_a_trained_and_evaluated_model(
    quickstart: tuple[Path, list[Command]],
) -> None:
    folder, printed = quickstart
    run = folder / "runs/my-texts"
    lines = (run / "model/metrics.jsonl").read_text("utf-8").splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    evaluation = json.loads((run / "model/evaluation.json").read_text("utf-8"))

    assert len(printed) == 14
    assert set(read_manifest(run / "dataset").train.sources) == {"news", "pages"}
    assert len(losses) == 60
    assert sum(losses[-10:]) < sum(losses[:10])
    assert evaluation
    assert (run / "model/export/config.json").is_file()
