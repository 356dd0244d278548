"""T5 with one set of weights for both stacks, against a T5 whose stacks hold equal ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from schemas.manifest import SpecialIds
from train.batch.batch import Batch
from train.exchange.folder import export_folder
from train.model.config import ModelConfig
from train.model.encoder_decoder import EncoderDecoder
from train.model.initial import init_weights

SHAPE = {
    "family": "t5", "positions": "relative", "norm": "rmsnorm", "activation": "geglu", "bias": False,
    "vocab_size": 61, "width": 16, "num_heads": 2, "num_layers": 2, "mlp_width": 24, "tied_head": False,
}  # fmt: skip
OWN = ("cross_norm", "cross_attention")


def _models() -> tuple[EncoderDecoder, EncoderDecoder]:
    """A shared model, and one that holds the same numbers twice."""
    config = ModelConfig.model_validate({**SHAPE, "share_stacks": True})
    shared = EncoderDecoder(config)
    init_weights(shared, config, torch.Generator().manual_seed(3))
    apart = EncoderDecoder(ModelConfig.model_validate(SHAPE))
    apart.load_state_dict(shared.state_dict())
    return shared, apart


def _batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 61, (3, 12), generator=generator)
    labels = torch.randint(1, 61, (3, 7), generator=generator)
    decoder_ids = torch.cat([torch.zeros(3, 1, dtype=torch.long), labels[:, :-1]], dim=1)
    return Batch.of_whole_rows(ids, labels, decoder_ids=decoder_ids)


def test_it_computes_what_equal_stacks_compute_and_learns_from_both() -> None:
    shared, apart = _models()
    losses = []
    for model in (shared, apart):
        sums = model(_batch())
        sums.loss.backward()
        losses.append(sums.loss.item())

    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    theirs = dict(apart.named_parameters())
    for name, parameter in shared.named_parameters():
        expected = theirs[name].grad
        if name.startswith("encoder.blocks."):
            expected = expected + theirs[name.replace("encoder.", "decoder.", 1)].grad
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-6)


def test_its_parameters_are_counted_once() -> None:
    shared, apart = _models()

    assert sum(p.numel() for p in shared.parameters()) == shared.config.num_parameters()
    assert sum(p.numel() for p in apart.parameters()) == apart.config.num_parameters()
    assert not [
        name
        for name, _ in shared.named_parameters()
        if name.startswith("decoder.blocks.") and name.split(".")[3] not in OWN
    ]


def test_other_families_are_refused() -> None:
    with pytest.raises(ValueError, match="a gpt2 has one stack"):
        ModelConfig(share_stacks=True)


def test_transformers_reads_its_export(tmp_path: Path) -> None:
    shared, _ = _models()
    batch = _batch()
    special = SpecialIds(eos=1, pad=0)
    export_folder(tmp_path, shared.state_dict(), shared.config, special, None)

    peer = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    with torch.no_grad():
        theirs = peer(input_ids=batch.input_ids, decoder_input_ids=batch.decoder_ids).logits
        ours = shared.logits(batch)

    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
