"""GPT-2 and LLaMA against transformers: logits, loss, every gradient, greedy text, folders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from schemas.errors import ContractError
from schemas.manifest import SpecialIds
from train.data.packed import PackedRows
from train.exchange.describe import read_shape
from train.exchange.folder import export_folder, load_folder
from train.exchange.names import to_hugging_face
from train.model.presets import resolve_model
from train.model.transformer import Transformer, build_model
from train.objectives.causal import CausalObjective
from train.objectives.config import CausalConfig

TOKENS = 24
LENGTHS = ([10, 9], [24])  # of the documents in each row; the first row ends in padding


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(params=["gpt2-test", "llama-test"])
def model(request: pytest.FixtureRequest) -> Transformer:
    config = resolve_model({"preset": request.param}, vocab_size=97, seq_len=TOKENS)
    model = build_model(config, seed=3)
    assert isinstance(model, Transformer)
    return model


def packed_rows() -> PackedRows:
    ids = np.random.default_rng(0).integers(2, 97, (2, TOKENS)).astype(np.int32)
    ids[0, 19:] = 0
    return PackedRows(
        input_ids=ids,
        next_token=np.array([-1, 7], np.int32),
        sample_index=np.arange(2),
        segment_row=np.array([0, 0, 1], np.int32),
        segment_start=np.array([0, 10, 0], np.int32),
        segment_length=np.array([10, 9, 24], np.int32),
        segment_source=np.array([0, 1, 0], np.int32),
        sources=("a", "b"),
    )


def exported(model: Transformer, folder: Path) -> torch.nn.Module:
    export_folder(folder, model.state_dict(), model.config, SpecialIds(pad=0, eos=1), None)
    theirs: torch.nn.Module = AutoModelForCausalLM.from_pretrained(folder)
    return theirs.eval()


def relative(a: Tensor, b: Tensor, floor: float = 0.0) -> float:
    a, b = a.detach(), b.detach()
    return float((a - b).abs().max() / max(float(b.abs().max()), floor))


def test_logits_of_packed_documents_equal_documents_alone(
    model: Transformer, tmp_path: Path
) -> None:
    rows = packed_rows()
    theirs = exported(model, tmp_path)

    ours = model.logits(CausalObjective(CausalConfig()).build(rows, seed=0))

    for row, start, length in ((0, 0, 10), (0, 10, 9), (1, 0, 24)):
        alone = torch.from_numpy(rows.input_ids[row : row + 1, start : start + length]).long()
        expected = theirs(alone).logits[0]
        assert relative(ours[row, start : start + length], expected) <= 1e-5


def test_loss_and_every_gradient_equal_transformers(model: Transformer, tmp_path: Path) -> None:
    rows = packed_rows()
    theirs = exported(model, tmp_path)

    sums = model(CausalObjective(CausalConfig()).build(rows, seed=0))
    sums.loss.backward()

    total = torch.zeros(())
    for row, start, length in ((0, 0, 10), (0, 10, 9), (1, 0, 24)):
        alone = torch.from_numpy(rows.input_ids[row : row + 1, start : start + length]).long()
        following = [*alone[0, 1:].tolist(), int(rows.next_token[1]) if row == 1 else -100]
        total = total + torch.nn.functional.cross_entropy(
            theirs(alone).logits[0], torch.tensor(following), reduction="sum"
        )
    total.backward()  # type: ignore[no-untyped-call]
    assert sums.loss.item() == pytest.approx(total.item(), rel=1e-5)
    assert sums.labels_by_source.tolist() == [9 + 24, 8]
    grads = to_hugging_face(
        {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, model.config
    )
    expected = {n: p.grad for n, p in theirs.named_parameters() if p.grad is not None}
    assert grads.keys() == expected.keys()
    largest = max(float(grad.abs().max()) for grad in expected.values())
    for name, grad in grads.items():
        assert relative(grad, expected[name], 1e-6 * largest) <= 1e-5, name


def test_a_folder_loads_back_to_the_same_weights(model: Transformer, tmp_path: Path) -> None:
    exported(model, tmp_path)

    again = load_folder(tmp_path, read_shape(tmp_path))

    for name, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name


def test_a_missing_tensor_is_named(model: Transformer, tmp_path: Path) -> None:
    exported(model, tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    dropped = next(name for name in sorted(state) if ".1." in name)
    del state[dropped]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ContractError, match=dropped):
        load_folder(tmp_path, model.config)
