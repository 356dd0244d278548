"""Rotary positions and buckets of distances against transformers; masks against loops."""

from __future__ import annotations

import pytest
import torch

from train.model.encoder import both_ways_mask, partly_visible_mask
from train.model.encoder_decoder import causal_mask, relative_buckets
from train.model.positions import rotary_tables, rotate
from train.model.transformer import document_mask

# Two documents and padding; a row of padding alone.
DOCUMENT = torch.tensor([[1, 1, 1, 2, 2, 0], [0, 0, 0, 0, 0, 0]])


def test_rotary_positions_are_those_of_transformers() -> None:
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 3, 5, 8, generator=generator)
    positions = torch.tensor([[0, 1, 2, 3, 4], [0, 1, 0, 1, 900]])
    config = LlamaConfig(hidden_size=24, num_attention_heads=3, head_dim=8)
    theirs_cos, theirs_sin = LlamaRotaryEmbedding(config)(q, positions)
    expected, _ = apply_rotary_pos_emb(q, q, theirs_cos, theirs_sin)

    turned = rotate(q, *rotary_tables(positions, 8, 10_000.0))

    assert torch.allclose(turned, expected, atol=1e-4)


def test_components_beyond_the_rotated_width_stay() -> None:
    x = torch.randn(1, 1, 3, 8, generator=torch.Generator().manual_seed(0))

    turned = rotate(x, *rotary_tables(torch.tensor([[0, 1, 2]]), 4, 100.0))

    assert torch.equal(turned[..., 4:], x[..., 4:])
    assert torch.equal(turned[:, :, 0], x[:, :, 0])
    assert torch.allclose(turned.norm(dim=-1), x.norm(dim=-1))


def test_scores_depend_on_the_distance_alone() -> None:
    q, k = torch.randn(2, 1, 1, 1, 8, generator=torch.Generator().manual_seed(0))

    def score(query: int, key: int) -> float:
        tables = [rotary_tables(torch.tensor([[position]]), 8, 50.0) for position in (query, key)]
        return float((rotate(q, *tables[0]) * rotate(k, *tables[1])).sum())

    assert score(7, 3) == pytest.approx(score(104, 100), abs=1e-4)
    assert score(7, 3) != pytest.approx(score(7, 4), abs=1e-4)


@pytest.mark.parametrize("both_ways", [True, False])
def test_buckets_of_distances_are_those_of_transformers(
    both_ways: bool,  # noqa: FBT001
) -> None:
    from transformers.models.t5.modeling_t5 import T5Attention

    relative = torch.arange(-300, 301)[None]

    buckets = relative_buckets(relative, both_ways=both_ways, num_buckets=32, max_distance=128)

    expected = T5Attention._relative_position_bucket(
        relative, bidirectional=both_ways, num_buckets=32, max_distance=128
    )
    assert torch.equal(buckets, expected)


def test_a_token_attends_to_itself_and_earlier_tokens_of_its_document() -> None:
    mask = document_mask(DOCUMENT)

    for row, documents in enumerate(DOCUMENT.tolist()):
        for query in range(6):
            for key in range(6):
                allowed = key <= query and documents[key] == documents[query]
                assert bool(mask[row, 0, query, key]) == allowed


def test_visible_tokens_are_attended_to_by_earlier_ones() -> None:
    visible = torch.tensor([[True, True, False, False, True, False]] * 2)

    decoder, encoder = document_mask(DOCUMENT, visible), partly_visible_mask(DOCUMENT, visible)

    assert torch.equal(decoder, encoder)
    assert decoder[0, 0, 0].tolist() == [True, True, False, False, False, False]
    assert decoder[0, 0, 3].tolist() == [False, False, False, True, True, False]


def test_an_encoder_attends_both_ways_and_every_query_has_a_key() -> None:
    apart = both_ways_mask(DOCUMENT, across_documents=False)
    across = both_ways_mask(DOCUMENT, across_documents=True)

    assert apart[0, 0, 0].tolist() == [True, True, True, False, False, False]
    assert across[0, 0, 0].tolist() == [True, True, True, True, True, False]
    assert bool(apart.any(-1).all())
    assert bool(across.any(-1).all())


def test_new_tokens_attend_to_all_that_were_seen() -> None:
    mask = causal_mask(2, torch.device("cpu"), seen=3)

    assert mask.tolist() == [[True, True, True, True, False], [True, True, True, True, True]]
