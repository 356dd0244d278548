"""T5 and BERT against transformers: logits, loss and every gradient, with padding and packing."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import BertForPreTraining, T5ForConditionalGeneration

from schemas.manifest import SpecialIds
from train.batch import Batch
from train.exchange.describe import read_shape
from train.exchange.folder import export_folder, load_folder
from train.exchange.names import to_hugging_face
from train.model.config import ModelConfig
from train.model.encoder import Encoder
from train.model.encoder_decoder import EncoderDecoder
from train.model.presets import resolve_model
from train.model.transformer import build_model

DOCUMENT = torch.tensor([[1] * 7 + [2] * 6 + [0] * 3, [1] * 16])
POSITIONS = torch.tensor([[*range(7), *range(6), 0, 0, 0], [*range(16)]])


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make_batch(ids: Tensor, labels: Tensor, **more: Tensor) -> Batch:
    return Batch(
        input_ids=ids,
        labels=labels,
        document=DOCUMENT,
        positions=POSITIONS,
        segment=torch.zeros_like(labels),
        segment_source=torch.zeros(1, dtype=torch.long),
        num_sources=1,
        is_whole=False,
        decoder_ids=more.get("decoder_ids"),
        token_types=more.get("token_types"),
        pair_labels=more.get("pair_labels"),
    )


def perturbed(config: ModelConfig) -> EncoderDecoder | Encoder:
    """A model whose biases and norms are not at their trivial start."""
    model = build_model(config, seed=2)
    assert isinstance(model, EncoderDecoder | Encoder)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model


def assert_gradients_equal(ours: torch.nn.Module, theirs: torch.nn.Module, c: ModelConfig) -> None:
    grads = to_hugging_face(
        {
            n: p.grad if p.grad is not None else torch.zeros_like(p)
            for n, p in ours.named_parameters()
        },
        c,
    )
    expected = {n: p.grad for n, p in theirs.named_parameters() if p.grad is not None}
    assert expected.keys() <= grads.keys()
    largest = max(float(grad.abs().max()) for grad in expected.values())
    for name, grad in expected.items():
        bound = 1e-5 * max(float(grad.abs().max()), 1e-6 * largest)
        if name.endswith("key.bias"):
            bound = 1e-6 * largest  # the true gradient is zero
        assert float((grads[name] - grad).abs().max()) <= bound, name


@pytest.mark.parametrize("preset", ["t5-test", "t5-v1.1-test"])
def test_t5_equals_transformers(preset: str, tmp_path: Path) -> None:
    config = resolve_model({"preset": preset}, vocab_size=90, seq_len=16)
    model = perturbed(config)
    assert isinstance(model, EncoderDecoder)
    export_folder(tmp_path, model.state_dict(), config, SpecialIds(pad=0, eos=1), None)
    theirs = T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    torch.manual_seed(0)
    ids, targets = torch.randint(2, 90, (2, 16)), torch.randint(2, 90, (2, 9))
    ids[0, 13:] = 0
    decoder_ids = torch.cat((torch.zeros(2, 1, dtype=torch.long), targets[:, :-1]), dim=1)
    targets[1, 7:] = -100
    batch = make_batch(ids, targets, decoder_ids=decoder_ids)

    sums = model(batch)
    sums.loss.backward()

    logits = theirs(
        input_ids=ids, attention_mask=(DOCUMENT > 0).long(), decoder_input_ids=decoder_ids
    ).logits
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="sum"
    )
    expected.backward()  # type: ignore[no-untyped-call]
    difference = (model.logits(batch) - logits).detach().abs().max()
    assert float(difference) <= 1e-5 * float(logits.abs().max().detach())
    assert sums.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert_gradients_equal(model, theirs, config)
    again = load_folder(tmp_path, read_shape(tmp_path)).state_dict()
    assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())


def test_bert_with_pairs_and_padding_equals_transformers(tmp_path: Path) -> None:
    config = resolve_model(
        {"preset": "bert-test", "attend_across_documents": True}, vocab_size=90, seq_len=16
    )
    model = perturbed(config)
    assert isinstance(model, Encoder)
    export_folder(tmp_path, model.state_dict(), config, SpecialIds(pad=0, eos=1), None)
    theirs = BertForPreTraining.from_pretrained(tmp_path).eval()
    torch.manual_seed(0)
    ids = torch.randint(2, 90, (2, 16))
    labels = torch.where(torch.rand(2, 16) < 0.3, torch.randint(2, 90, (2, 16)), -100)
    types, pairs = (DOCUMENT == 2).long(), torch.tensor([1, 0])
    batch = make_batch(ids, labels, token_types=types, pair_labels=pairs)

    sums = model(batch)
    sums.loss.backward()

    found = theirs(
        input_ids=ids,
        attention_mask=(DOCUMENT > 0).long(),
        token_type_ids=types,
        position_ids=POSITIONS,
    )
    cross_entropy = torch.nn.functional.cross_entropy
    masked = cross_entropy(found.prediction_logits.flatten(0, 1), labels.flatten(), reduction="sum")
    follows = cross_entropy(found.seq_relationship_logits, pairs, reduction="sum")
    (masked + follows).backward()  # type: ignore[no-untyped-call]
    real = DOCUMENT > 0
    difference = (model.logits(batch) - found.prediction_logits)[real].detach().abs().max()
    assert float(difference) <= 1e-5 * float(found.prediction_logits.abs().max().detach())
    assert sums.loss.item() == pytest.approx((masked + follows).item(), rel=1e-5)
    assert float(sums.loss_by_source.sum()) == pytest.approx(masked.item(), rel=1e-5)
    assert sums.pair_loss.item() == pytest.approx(follows.item(), rel=1e-5)
    assert_gradients_equal(model, theirs, config)


def test_packed_bert_documents_do_not_see_each_other() -> None:
    config = resolve_model({"preset": "bert-test"}, vocab_size=90, seq_len=16)
    model = perturbed(config)
    torch.manual_seed(0)
    ids = torch.randint(2, 90, (2, 16))
    other = ids.clone()
    other[0, 7:13] = 3
    labels = torch.full((2, 16), -100)

    first, second = (model.logits(make_batch(each, labels)) for each in (ids, other))

    assert torch.equal(first[0, :7], second[0, :7])
