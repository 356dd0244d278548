"""Heads that weights come without begin anew, from every form of weights and in every family."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from schemas.errors import ContractError
from schemas.manifest import SpecialIds
from train.exchange.folder import export_folder
from train.exchange.weights import WEIGHTS
from train.model.config import ModelConfig
from train.model.presets import resolve_model
from train.model.transformer import build_model, make_model
from train.warm_start.match import our_weights
from train.warm_start.source import Source, find_source, read_weights
from train.warm_start.start import Start, StartedModel
from train.warm_start.summary import StartReport

BERT = {
    "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 16,
}  # fmt: skip
TOKEN_HEAD = ["head_bias", "transform.bias", "transform.weight", "transform_norm.bias",
              "transform_norm.weight"]  # fmt: skip
PAIR_HEAD = ["pair_head.bias", "pair_head.weight"]
POOLER = ["pooler.bias", "pooler.weight"]
CLASS_HEAD = ["class_head.bias", "class_head.weight"]


def loaded(source: Source, **changes: Any) -> tuple[ModelConfig, list[str]]:
    """Load the weights into a run's shape; returns it and what is new."""
    shape = source.config.model_copy(update=changes)
    state, fresh = our_weights(source, read_weights(source), seed=0, shape=shape)
    make_model(shape).load_state_dict(state)
    return shape, sorted(fresh)


def published(folder: Path, kind: str, **more: Any) -> Source:
    torch.manual_seed(0)
    model = getattr(transformers, kind)(transformers.BertConfig(**BERT, **more))
    model.save_pretrained(folder)
    found = find_source(str(folder))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "fresh"),
    [
        ("BertModel", CLASS_HEAD + TOKEN_HEAD + PAIR_HEAD),
        ("BertForPreTraining", CLASS_HEAD),
        ("BertForMaskedLM", CLASS_HEAD + PAIR_HEAD + POOLER),
        ("BertForNextSentencePrediction", CLASS_HEAD + TOKEN_HEAD),
    ],
)
def test_a_published_bert_gets_a_head_for_classes(
    kind: str, fresh: list[str], tmp_path: Path
) -> None:
    shape, found = loaded(published(tmp_path, kind), num_classes=3)

    assert shape.num_classes == 3
    assert found == sorted(fresh)


def test_a_head_of_another_task_is_left_behind(tmp_path: Path) -> None:
    source = published(tmp_path, "BertForSequenceClassification", num_labels=4)

    assert source.config.num_classes == 4
    assert CLASS_HEAD[0] not in loaded(source)[1]
    assert loaded(source, num_classes=3)[1] == sorted(CLASS_HEAD + TOKEN_HEAD + PAIR_HEAD)
    assert loaded(source, num_classes=None)[1] == sorted(TOKEN_HEAD + PAIR_HEAD)


def test_an_own_export_and_own_tensors_get_a_head_for_classes(tmp_path: Path) -> None:
    config = resolve_model({"preset": "bert-test"}, vocab_size=50, seq_len=16)
    state = dict(build_model(config, seed=1).state_dict())
    export_folder(tmp_path, state, config, SpecialIds(pad=0, eos=1), None)
    source = find_source(str(tmp_path))
    assert source is not None
    own = Source(path=tmp_path, config=config, is_ours=True)
    wanted = config.model_copy(update={"num_classes": 2})

    assert loaded(source, num_classes=2)[1] == CLASS_HEAD
    found, fresh = our_weights(own, state, seed=0, shape=wanted)
    assert sorted(fresh) == CLASS_HEAD
    assert all(torch.equal(found[name], value) for name, value in state.items())


@pytest.mark.parametrize("preset", ["llama-test", "neox-test", "t5-v1.1-test"])
def test_an_untied_head_is_new_where_the_bare_model_was_saved(preset: str, tmp_path: Path) -> None:
    config = resolve_model({"preset": preset}, vocab_size=50, seq_len=16)
    state = dict(build_model(config, seed=1).state_dict())
    export_folder(tmp_path, state, config, SpecialIds(pad=0, eos=1), None)
    tensors = load_file(tmp_path / WEIGHTS)
    bare = {name: value for name, value in tensors.items() if name.split(".")[0] not in
            ("lm_head", "embed_out")}  # fmt: skip
    prefix = {"llama-test": "model.", "neox-test": "gpt_neox."}.get(preset, "")
    save_file({n.removeprefix(prefix): v for n, v in bare.items()}, tmp_path / WEIGHTS)
    described = json.loads((tmp_path / "config.json").read_text())
    described["architectures"] = ["TheBareModel"]
    (tmp_path / "config.json").write_text(json.dumps(described))
    source = find_source(str(tmp_path))
    assert source is not None

    assert loaded(source)[1] == ["head.weight"]


def test_nothing_but_a_head_may_be_missing(tmp_path: Path) -> None:
    source = published(tmp_path, "BertModel")
    tensors = load_file(tmp_path / WEIGHTS)
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, tmp_path / WEIGHTS)

    with pytest.raises(ContractError, match=r"layer.1.output.dense.weight: found none"):
        loaded(source, num_classes=2)


def test_weights_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    source = published(tmp_path, "BertForPreTraining")
    tensors = load_file(tmp_path / WEIGHTS)
    tensors["bert.pooler.dense.weight"][0, :3] = float("nan")
    save_file(tensors, tmp_path / WEIGHTS)

    with pytest.raises(ContractError, match=r"bert.pooler.dense.weight at 3 of 1,024 entries"):
        loaded(source)


@pytest.mark.parametrize(("classes", "loss"), [(None, 2.5), (3, None)])
def test_a_new_head_s_first_loss_is_not_held_against_the_source_s(
    classes: int | None, loss: float | None, tmp_path: Path
) -> None:
    source = replace(published(tmp_path, "BertForPreTraining"), heldout_loss=2.5)
    shape, fresh = loaded(source, num_classes=classes)
    started = StartedModel(model=make_model(shape), fresh=tuple(fresh))

    report = StartReport(
        start=Start(config=shape, source=source), started=started, source="bert", rows=4
    )

    assert report.loss_of_source == loss
