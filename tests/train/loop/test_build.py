from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import SettingsError
from schemas.manifest import Manifest, read_manifest
from tests.support.datasets import write_dataset
from train.loop.build import build_run
from train.warm_start.config import StartRequest

SMALL = {"width": 32, "num_heads": 2, "num_layers": 1, "mlp_width": 64}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return read_manifest(write_dataset(tmp_path / "data"))


def build(preset: str, objective: str, manifest: Manifest) -> None:
    request = StartRequest(seed=1, model={"preset": preset, **SMALL}, names_model=True)
    build_run(request, {"name": objective}, manifest)


@pytest.mark.parametrize(
    ("preset", "expected"), [("t5-small", "span_corruption"), ("bert-base", "masked")]
)
def test_a_family_with_the_wrong_objective_is_refused_before_training(
    manifest: Manifest, preset: str, expected: str
) -> None:
    with pytest.raises(SettingsError, match=f"'causal' does not train .*; expected '{expected}'"):
        build(preset, "causal", manifest)


def test_an_unknown_objective_names_the_nearest(manifest: Manifest) -> None:
    with pytest.raises(SettingsError, match="did you mean 'causal'"):
        build("gpt2-test", "casual", manifest)
