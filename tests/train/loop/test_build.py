from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import transformers

from schemas.errors import SettingsError
from schemas.manifest import Manifest, SpecialIds, read_manifest
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.extended import BASE_SIZE, write_two_datasets
from train.distributed import precision
from train.loop.build import Built, build_run
from train.loop.run import pretrain
from train.model.transformer import build_model
from train.settings import TrainSettings
from train.warm_start.config import StartRequest, Trainable, WarmStartConfig
from train.warm_start.source import find_source, read_weights

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


SPECIAL = SpecialIds(pad=0, eos=1, cls=3, sep=4, mask=5)
ROWS = DatasetShape(special=SPECIAL)
CLASSES = DatasetShape(layout="pairs", columns=("target_start", "class_label"), special=SPECIAL)


def begun(
    folder: Path,
    kind: str,
    objective: dict[str, Any],
    trainable: Trainable = "new_embeddings",
    **model: Any,
) -> Built:
    """A run on the extended tokenizer, from a BERT as transformers saves it."""
    data = write_two_datasets(folder, CLASSES if objective["name"] == "classify" else ROWS)
    config = transformers.BertConfig(
        vocab_size=BASE_SIZE, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=32, num_labels=3,
    )  # fmt: skip
    getattr(transformers, kind)(config).save_pretrained(folder / "base-model")
    request = StartRequest(
        seed=1,
        model=model,
        names_model=bool(model),
        trainable=trainable,
        warm_start=WarmStartConfig(source=str(folder / "base-model")),
    )
    manifest = read_manifest(data.extended / "manifest.json")
    return build_run(request, objective, manifest, tokenizer=lambda: data.extended / "tokenizer")


@pytest.mark.parametrize(
    ("kind", "objective", "frozen"),
    [
        ("BertModel", {"name": "classify"}, "class_head,"),
        ("BertForMaskedLM", {"name": "classify"}, "pooler, class_head,"),
        ("BertModel", {"name": "masked"}, "head_bias, transform, transform_norm,"),
    ],
)
def test_a_new_head_is_not_left_as_drawn_beside_new_rows(
    kind: str, objective: dict[str, Any], frozen: str, tmp_path: Path
) -> None:
    with pytest.raises(
        SettingsError, match=f"trainable: new_embeddings .* objective.name: .* would read {frozen}"
    ):
        begun(tmp_path, kind, objective, num_classes=3)


def test_new_rows_alone_are_trained_where_the_heads_are_there(tmp_path: Path) -> None:
    classified = begun(tmp_path / "c", "BertForSequenceClassification", {"name": "classify"})
    masked = begun(tmp_path / "m", "BertForMaskedLM", {"name": "masked"})

    for built in (classified, masked):
        trained = [name for name, value in built.model.named_parameters() if value.requires_grad]
        assert [name for name in trained if "original1" not in name] == []


def test_a_head_that_the_objective_does_not_read_is_named_and_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = write_dataset(tmp_path / "data", ROWS)
    recipe = {
        "manifest": str(data), "output": str(tmp_path / "run"), "stop": {"steps": 2}, "threads": 1,
        "model": {"preset": "bert-test", **SMALL}, "objective": {"name": "masked"},
        "schedule": {"peak_lr": 0.1}, "optimizer": {"weight_decay": 0.5},
        "batch": {"sequences": 4, "microbatch": 4}, "checkpoint": {"export": False},
        "metrics": {"tensorboard": False, "peak_flops": 1e12}, "evaluation": None,
    }  # fmt: skip
    settings = TrainSettings.model_validate(recipe)
    caplog.set_level(logging.INFO, logger="train")

    with mock.patch.object(precision, "has_bf16_kernels", return_value=False):
        pretrain(settings)

    assert caplog.text.count("this CPU has no bf16 instructions") == 1

    assert "objective masked does not train pooler, pair_head: they stay" in caplog.text
    source = find_source(str(tmp_path / "run"))
    assert source is not None
    began = build_model(source.config, seed=settings.seed).state_dict()
    moved = {
        n.split(".")[0] for n, v in read_weights(source).items() if not torch.equal(v, began[n])
    }
    assert {"transform", "head_bias", "blocks"} <= moved
    assert not {"pooler", "pair_head"} & moved
