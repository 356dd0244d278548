"""Folders of weights: back and forth, in shards, and what is refused."""

import json
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from schemas.errors import ContractError, SettingsError
from schemas.manifest import SpecialIds
from train.exchange.configuration import hugging_face_config
from train.exchange.describe import read_shape
from train.exchange.folder import OWN_SHAPE, export_folder, load_folder
from train.exchange.weights import INDEX, read_weights
from train.model.presets import resolve_model
from train.model.transformer import Model, build_model

SPECIAL = SpecialIds(pad=0, eos=1)
CASES = ["gpt2-test", "opt-test", "neox-test", "llama-test", "t5-test", "t5-v1.1-test", "bert-test"]


def built(preset: str, **fields: object) -> Model:
    config = resolve_model({"preset": preset, **fields}, vocab_size=97, seq_len=24)
    return build_model(config, seed=3)


def written(model: Model, folder: Path, **more: int) -> Path:
    export_folder(folder, dict(model.state_dict()), model.config, SPECIAL, None, **more)
    return folder


def assert_same_weights(found: Model, expected: Model) -> None:
    assert found.state_dict().keys() == expected.state_dict().keys()
    for name, value in found.state_dict().items():
        assert torch.equal(value, expected.state_dict()[name]), name


@pytest.mark.parametrize("preset", CASES)
def test_a_folder_loads_back_to_the_same_weights(preset: str, tmp_path: Path) -> None:
    model = built(preset)

    written(model, tmp_path)

    assert_same_weights(load_folder(tmp_path, read_shape(tmp_path)), model)


def test_an_exported_folder_brings_its_tokenizer(tmp_path: Path) -> None:
    """AutoTokenizer of the export gives the ids that the training data was made of."""
    tokenizer = tmp_path / "tokenizer"
    trained = Tokenizer(BPE())
    trained.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trained.decoder = ByteLevelDecoder()
    texts = ["the quick brown fox jumps", "敏捷的棕色狐狸跳过了懒狗", "x = 1\n\ty"]
    special = ["<pad>", "</s>"]
    trainer = BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    trained.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=trained, eos_token="</s>", pad_token="<pad>")
    fast.save_pretrained(tokenizer)
    model = built("gpt2-test")

    export_folder(tmp_path / "out", dict(model.state_dict()), model.config, SPECIAL, tokenizer)

    loaded = AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in texts:
        assert loaded(text).input_ids == trained.encode(text).ids
        assert loaded.decode(loaded(text).input_ids) == text
    assert (loaded.eos_token_id, loaded.pad_token_id) == (SPECIAL.eos, SPECIAL.pad)


def test_shards_load_here_and_in_transformers(tmp_path: Path) -> None:
    model = built("llama-test")

    written(model, tmp_path, shard_bytes=20_000)

    index = json.loads((tmp_path / INDEX).read_text())
    files = set(index["weight_map"].values())
    assert len(files) > 2
    assert index["metadata"]["total_size"] == 4 * sum(p.numel() for p in model.parameters())
    assert_same_weights(load_folder(tmp_path, read_shape(tmp_path)), model)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(theirs[n], v) for n, v in read_weights(tmp_path).items())


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    written(built("llama-test"), tmp_path, shard_bytes=20_000)
    lost = sorted(tmp_path.glob("model-*.safetensors"))[1]
    lost.unlink()

    with pytest.raises(ContractError, match=lost.name):
        read_weights(tmp_path)


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")

    with pytest.raises(ContractError, match="never read"):
        read_weights(tmp_path)


@pytest.mark.parametrize("preset", ["gpt2-test", "llama-test"])
def test_a_missing_tensor_is_named(preset: str, tmp_path: Path) -> None:
    model = built(preset)
    written(model, tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    dropped = next(name for name in sorted(state) if ".1." in name)
    del state[dropped]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ContractError, match=dropped):
        load_folder(tmp_path, model.config)


def test_a_misshapen_tensor_is_named_with_both_shapes(tmp_path: Path) -> None:
    model = built("llama-test")
    written(model, tmp_path)
    wider = model.config.model_copy(update={"vocab_size": 99})

    with pytest.raises(ContractError, match=r"found \(97, 32\), expected \(99, 32\)"):
        load_folder(tmp_path, wider)


def test_a_shape_without_counterpart_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="norm_position: 'sandwich'"):
        hugging_face_config(built("gpt2-test", norm_position="sandwich").config)


def test_a_shape_without_counterpart_is_written_under_our_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = built("gpt2-test", positions="sinusoidal")

    with caplog.at_level(logging.WARNING):
        written(model, tmp_path)

    assert "sinusoidal" in caplog.text
    assert (tmp_path / OWN_SHAPE).is_file()
    assert read_weights(tmp_path).keys() == model.state_dict().keys()


def test_the_bare_encoder_of_a_bert_begins_its_heads_anew(tmp_path: Path) -> None:
    model = built("bert-test")
    written(model, tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    bare = {n.removeprefix("bert."): v for n, v in state.items() if n.startswith("bert.")}
    save_file(bare, tmp_path / "model.safetensors", metadata={"format": "pt"})

    found = load_folder(tmp_path, model.config).state_dict()

    expected = model.state_dict()
    for name in ("embedding.weight", "blocks.1.mlp.down.weight", "pooler.weight"):
        assert torch.equal(found[name], expected[name])
