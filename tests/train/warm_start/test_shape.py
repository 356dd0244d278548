"""What a recipe may change of a loaded shape, how new rows are told, whose tokenizer it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from schemas.errors import ContractError, SettingsError
from schemas.manifest import read_manifest
from schemas.vocabulary import read_vocabulary
from tests.support.extended import BASE_SIZE, SIZE, write_two_datasets
from train.model.presets import resolve_model
from train.warm_start.config import StartRequest, WarmStartConfig
from train.warm_start.growth import grow_vocabulary
from train.warm_start.initial_rows import plan_rows
from train.warm_start.new_rows_report import lines, summary, write_report
from train.warm_start.shape import changed_shape, new_shape
from train.warm_start.source import Source
from train.warm_start.tokenizers import vocabulary_grows

LOADED = resolve_model({"preset": "gpt2-test"}, vocab_size=BASE_SIZE, seq_len=16)


def request(**model: object) -> StartRequest:
    return StartRequest(seed=1, model=model, names_model=bool(model))


def test_dropout_may_change_and_width_may_not() -> None:
    changed = changed_shape(LOADED, request(dropout=0.25), "weights")

    assert changed == LOADED.model_copy(update={"dropout": 0.25})
    assert changed_shape(LOADED, request(), "weights") is LOADED
    with pytest.raises(SettingsError, match=r"model.width: 999 in the recipe, \d+ in weights"):
        changed_shape(LOADED, request(width=999), "weights")


def test_new_weights_have_the_shape_of_the_preset() -> None:
    assert new_shape(request(preset="gpt2-test"), vocab_size=BASE_SIZE, seq_len=16) == LOADED


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    """The folder of the extended dataset; the base is beside it."""
    return write_two_datasets(tmp_path).extended


def source(folder: Path, *, tokenizer: Path | None, sha256: str | None = None) -> Source:
    """A source of 97 rows."""
    return Source(
        path=folder, config=LOADED, is_ours=False, tokenizer=tokenizer, tokenizer_sha256=sha256
    )


def test_a_table_grows_where_the_base_is_the_models_own(extended: Path) -> None:
    base, manifest = extended.parent / "base", read_manifest(extended)
    extension = read_vocabulary(extended / "tokenizer")
    own = source(base, tokenizer=base / "tokenizer")

    assert vocabulary_grows(own, manifest, extended / "tokenizer", extension)
    same = source(base, tokenizer=None, sha256=manifest.tokenizer.sha256)
    assert not vocabulary_grows(same, manifest, None, None)


def test_ids_that_moved_are_refused_with_both_texts(extended: Path) -> None:
    base, manifest = extended.parent / "base", read_manifest(extended)
    path = base / "tokenizer" / "tokenizer.json"
    described = json.loads(path.read_text())
    vocab = described["model"]["vocab"]
    vocab["t7"], vocab["t8"] = vocab["t8"], vocab["t7"]
    path.write_text(json.dumps(described))
    own = source(base, tokenizer=base / "tokenizer")

    with pytest.raises(ContractError, match="id 7 is 't8' in the tokenizer of the weights, 't7'"):
        vocabulary_grows(
            own, manifest, extended / "tokenizer", read_vocabulary(extended / "tokenizer")
        )


def test_a_smaller_table_is_refused_with_what_to_do(extended: Path) -> None:
    with pytest.raises(ContractError, match="refinery vocabulary extend"):
        vocabulary_grows(source(extended, tokenizer=None), read_manifest(extended), None, None)


def test_new_rows_are_summed_up_and_listed(extended: Path, tmp_path: Path) -> None:
    extension = read_vocabulary(extended / "tokenizer")
    assert extension is not None
    old = torch.randn(BASE_SIZE, 4, generator=torch.Generator().manual_seed(0))

    growth = grow_vocabulary(
        {"embedding.weight": old}, extension, rows=SIZE, rule="subword_mean", seed=1
    )

    found = summary(growth)
    assert (found["rows"], found["tensors"]) == (SIZE - BASE_SIZE, ["embedding.weight"])
    assert sum(found["by_rule"].values()) == SIZE - BASE_SIZE
    assert lines(growth)[0] == "new: 14 rows (97 to 110) in each of embedding.weight"
    written = write_report(tmp_path, growth).read_text("utf-8").splitlines()
    assert [json.loads(line)["id"] for line in written] == list(range(BASE_SIZE, SIZE))
    starts = plan_rows(extension.tokens, "subword_mean", without_text=())
    assert [start.token.id for start in starts] == list(range(BASE_SIZE, SIZE))


def test_a_preset_is_a_source_too() -> None:
    assert WarmStartConfig(source="gpt2-test").source == "gpt2-test"
