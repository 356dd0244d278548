"""Which tokenizer belongs to which weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.errors import ContractError, SettingsError
from schemas.manifest import Manifest, SpecialIds, read_manifest
from schemas.vocabulary import VOCABULARY_FILE
from tests.support.extended import BASE_SIZE, SIZE, TwoDatasets, write_two_datasets
from train.exchange.folder import export_folder
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.settings import TrainSettings
from train.warm_start.start import Start, choose_start


@pytest.fixture
def data(tmp_path: Path) -> TwoDatasets:
    return write_two_datasets(tmp_path)


def _model(folder: Path, rows: int, tokenizer: Path | None, preset: str = "gpt2-test") -> Path:
    config = resolve_model({"preset": preset}, vocab_size=rows, seq_len=16)
    state = dict(build_model(config, seed=4).state_dict())
    export_folder(folder, state, config, SpecialIds(pad=0, eos=1), tokenizer)
    return folder


def _start(dataset: Path, source: Path, **changes: object) -> Start:
    settings = TrainSettings.model_validate(
        {
            "manifest": str(dataset), "output": "unused", "stop": {"steps": 1},
            "warm_start": {"source": str(source)}, **changes,
        }
    )  # fmt: skip
    manifest: Manifest = read_manifest(dataset)
    return choose_start(settings.start_request, manifest, tokenizer=lambda: dataset / "tokenizer")


def test_spare_rows_of_the_base_are_where_new_ids_begin(data: TwoDatasets, tmp_path: Path) -> None:
    source = _model(tmp_path / "model", 128, data.base / "tokenizer")  # T5 has 28 such rows

    start = _start(data.extended, source)

    assert start.grows
    assert start.config.vocab_size == 128
    assert start.new_rows == (BASE_SIZE, SIZE)


def test_a_model_of_the_extended_tokenizer_does_not_grow_again(
    data: TwoDatasets, tmp_path: Path
) -> None:
    source = _model(tmp_path / "model", SIZE, data.extended / "tokenizer")

    start = _start(data.extended, source)

    assert not start.grows
    assert start.new_rows == (BASE_SIZE, SIZE)


def test_ids_that_moved_are_refused_with_both_texts(data: TwoDatasets, tmp_path: Path) -> None:
    source = _model(tmp_path / "model", BASE_SIZE, data.base / "tokenizer")
    path = source / "tokenizer.json"
    path.write_text(path.read_text().replace('"t7": 7', '"seven": 7'))

    with pytest.raises(ContractError, match=r"id 7 is 'seven' .* 't7' in the manifest's"):
        _start(data.extended, source)


def test_a_smaller_tokenizer_without_a_reason_is_refused(data: TwoDatasets, tmp_path: Path) -> None:
    source = _model(tmp_path / "model", 5000, None)

    with pytest.raises(ContractError, match=r"5,000 rows, the manifest's tokenizer 97 ids"):
        _start(data.base, source)


def test_an_extension_of_another_size_is_refused(data: TwoDatasets, tmp_path: Path) -> None:
    source = _model(tmp_path / "model", BASE_SIZE, data.base / "tokenizer")
    path = data.extended / "tokenizer" / VOCABULARY_FILE
    described = json.loads(path.read_text())
    described["size"] -= 1
    described["tokens"].pop()
    path.write_text(json.dumps(described))

    with pytest.raises(ContractError, match=r"110 ids, the manifest's tokenizer has 111"):
        _start(data.extended, source)


def test_a_recipe_that_contradicts_the_weights_names_both(
    data: TwoDatasets, tmp_path: Path
) -> None:
    source = _model(tmp_path / "model", BASE_SIZE, data.base / "tokenizer")

    with pytest.raises(SettingsError, match=r"model.num_layers: 3 in the recipe, 2 in"):
        _start(data.base, source, model={"num_layers": 3})
    dropout = _start(data.base, source, model={"dropout": 0.1}).config.dropout
    assert dropout == 0.1


def test_a_preset_starts_anew(data: TwoDatasets) -> None:
    start = _start(data.base, Path("llama-test"))

    assert start.source is None
    assert start.config.family == "llama"
