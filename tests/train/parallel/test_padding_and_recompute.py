"""Micro-batches of one shape, and activations computed again: neither changes a bit of the loss."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Literal

import pytest
import torch

from train.batch.batch import NO_LABEL, Batch
from train.distributed.precision import computing_in
from train.model.presets import resolve_model
from train.model.transformer import Model, build_model
from train.parallel.padding import pad_alike
from train.parallel.recompute import recompute_blocks
from train.parallel.tensor import block_lists, one_run

VOCABULARY = 50


def batch(tokens: int) -> Batch:
    ids = torch.arange(2 * tokens).view(2, tokens) % (VOCABULARY - 5) + 5
    labels = ids.roll(-1, 1).index_fill(1, torch.tensor([tokens - 1]), NO_LABEL)
    return Batch.of_whole_rows(ids, labels)


def model(preset: str = "gpt2-test") -> Model:
    torch.set_num_threads(1)
    config = resolve_model({"preset": preset}, vocab_size=VOCABULARY, seq_len=16)
    return build_model(config, seed=1).double()


def test_padding_has_no_label_and_changes_no_loss() -> None:
    short, long = batch(6), batch(9)

    padded, same = pad_alike([short, long])

    assert same is long
    assert padded.input_ids.shape == (2, 9)
    assert padded.document[:, 6:].sum() == 0
    assert set(padded.labels[:, 6:].flatten().tolist()) == {NO_LABEL}
    assert not padded.is_whole
    whole = model().eval()
    torch.testing.assert_close(whole(padded).loss, whole(short).loss)


@pytest.mark.parametrize("how", ["selective", "full"])
@pytest.mark.parametrize("preset", ["gpt2-test", "llama-test"])
def test_recomputation_gives_the_same_gradients(
    how: Literal["selective", "full"], preset: str
) -> None:
    plain = model(preset)
    again = deepcopy(plain)
    for blocks in block_lists(again).values():
        recompute_blocks(blocks, how)

    for one in (plain, again):
        one(batch(8)).loss.backward()

    gradients = {name: p.grad for name, p in plain.named_parameters()}
    found = {
        n.replace("_checkpoint_wrapped_module.", ""): p.grad for n, p in again.named_parameters()
    }
    assert found.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert gradient is not None
        assert torch.equal(found[name], gradient), name


def test_shared_blocks_are_computed_again_in_half_precision() -> None:
    torch.set_num_threads(1)
    shape = {"preset": "t5-test", "share_stacks": True}
    plain = build_model(resolve_model(shape, vocab_size=VOCABULARY, seq_len=16), seed=1)
    again = deepcopy(plain)
    for blocks in block_lists(again).values():
        recompute_blocks(blocks, "selective")

    for one in (plain, again):
        with computing_in(torch.bfloat16, torch.device("cpu")):
            loss = one(replace(batch(8), decoder_ids=batch(8).input_ids)).loss
        loss.backward()

    for gradient, found in zip(plain.parameters(), again.parameters(), strict=True):
        assert gradient.grad is not None
        assert found.grad is not None
        assert torch.equal(found.grad, gradient.grad)


def test_blocks_of_every_stack_are_listed() -> None:
    assert list(block_lists(model())) == ["blocks"]
    stacks = block_lists(model("t5-test"))
    assert len(stacks) == 2
    for blocks in stacks.values():
        (run,) = one_run(blocks)
        assert run == list(blocks.children())
