"""A block's parts against loops over heads and tokens, and against transformers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.model.attention import added_mask
from train.model.config import ModelConfig
from train.model.layers import MLP, Attention, Block, LayerCache, make_after_norm
from train.model.transformer import document_mask


def config_of(**fields: Any) -> ModelConfig:
    return ModelConfig.model_validate({"width": 12, "num_heads": 4, "bias": False} | fields)


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0.0, 0.5, generator=generator)
    return module.eval()


def plain_attention(layer: Attention, x_TD: Tensor, num_kv_heads: int) -> Tensor:
    """One row, head by head and token by token, as eq. 1 of Vaswani et al. 2017 says."""
    heads = layer.query(x_TD).chunk(4, -1)
    keys, values = (part(x_TD).chunk(num_kv_heads, -1) for part in (layer.key, layer.value))
    mixed = []
    for head, queries in enumerate(heads):
        group = head // (4 // num_kv_heads)
        rows = []
        for token, query in enumerate(queries):
            seen = keys[group][: token + 1]
            weights = torch.softmax(seen @ query / math.sqrt(len(query)), 0)
            rows.append(weights @ values[group][: token + 1])
        mixed.append(torch.stack(rows))
    output: Tensor = layer.output(torch.cat(mixed, -1))
    return output


@pytest.mark.parametrize("num_kv_heads", [4, 2, 1])
def test_attention_is_causal_and_shares_heads_of_keys(num_kv_heads: int) -> None:
    layer = Attention(config_of(num_kv_heads=num_kv_heads))
    seeded(layer)
    x_BTD = draws(2, 5, 12)

    mixed = layer(x_BTD, None, None)

    expected = torch.stack([plain_attention(layer, row, num_kv_heads) for row in x_BTD])
    assert torch.allclose(mixed, expected, atol=1e-6)


@pytest.mark.parametrize("num_kv_heads", [4, 2])
def test_cached_tokens_give_what_the_whole_row_gives(num_kv_heads: int) -> None:
    layer = Attention(config_of(num_kv_heads=num_kv_heads))
    seeded(layer)
    x_BTD, cache = draws(2, 5, 12), LayerCache()

    steps = [
        layer(x_BTD[:, t : t + 1], torch.ones(1, 1, 1, t + 1, dtype=torch.bool), None, cache)
        for t in range(5)
    ]

    assert cache.tokens == 5
    assert torch.allclose(torch.cat(steps, 1), layer(x_BTD, None, None), atol=1e-6)


def test_a_reordered_cache_holds_the_chosen_rows() -> None:
    cache = LayerCache()
    keys, values = draws(3, 2, 4, 5), draws(3, 2, 4, 5, seed=1)
    cache.extend(keys, values)

    cache.reorder(torch.tensor([2, 2, 0]))

    assert cache.kept is not None
    assert torch.equal(cache.kept[0], keys[[2, 2, 0]])
    assert torch.equal(cache.kept[1], values[[2, 2, 0]])
    assert LayerCache().tokens == 0


def test_the_memory_is_projected_once() -> None:
    layer = Attention(config_of(family="t5", positions="relative"))
    seeded(layer)
    x_BTD, memory, cache = draws(2, 3, 12), draws(2, 6, 12, seed=1), LayerCache()
    expected = layer(x_BTD, None, None, None, memory)

    layer(x_BTD[:, :1], None, None, cache, memory)
    again = layer(x_BTD, None, None, cache, torch.zeros_like(memory))

    assert cache.tokens == 6
    assert torch.allclose(again, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", torch.relu),
        ("gelu", lambda x: x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))),
        ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")),
    ],
)
def test_an_mlp_is_two_products_around_its_activation(activation: str, function: Any) -> None:
    mlp = MLP(config_of(activation=activation, mlp_width=7))
    seeded(mlp)
    x_BTD = draws(2, 3, 12)

    expected = function(x_BTD @ mlp.up.weight.T) @ mlp.down.weight.T
    assert torch.allclose(mlp(x_BTD), expected, atol=1e-6)


@pytest.mark.parametrize("activation", ["swiglu", "geglu"])
def test_a_gated_mlp_multiplies_two_projections(activation: str) -> None:
    mlp = MLP(config_of(activation=activation, mlp_width=7))
    seeded(mlp)
    x_BTD = draws(2, 3, 12)
    assert mlp.gate is not None
    gate = x_BTD @ mlp.gate.weight.T
    swish = gate * torch.sigmoid(gate)
    active = swish if activation == "swiglu" else F.gelu(gate, approximate="tanh")

    expected = (active * (x_BTD @ mlp.up.weight.T)) @ mlp.down.weight.T

    assert torch.allclose(mlp(x_BTD), expected, atol=1e-6)


@pytest.mark.parametrize("position", ["pre", "post", "sandwich"])
def test_norms_lie_where_the_configuration_says(position: str) -> None:
    block = Block(config_of(norm_position=position))
    seeded(block)
    x = draws(2, 4, 12)
    attend = block.attention
    first, second, after_first, after_second = (
        block.attention_norm, block.mlp_norm, block.attention_after, block.mlp_after,
    )  # fmt: skip

    changed = block(x, None, None)

    if position == "post":
        middle = first(x + attend(x, None, None))
        expected = second(middle + block.mlp(middle))
    else:
        middle = x + after_first(attend(first(x), None, None))
        expected = middle + after_second(block.mlp(second(middle)))
    assert torch.allclose(changed, expected, atol=1e-6)
    assert isinstance(after_first, nn.LayerNorm) == (position == "sandwich")
    assert isinstance(make_after_norm(config_of()), nn.Identity)


def test_a_block_is_the_layer_of_llama_in_transformers() -> None:
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

    config = config_of(
        family="llama", num_kv_heads=2, head_width=4, mlp_width=20, positions="rotary",
        norm="rmsnorm", activation="swiglu", num_heads=4,
    )  # fmt: skip
    block = Block(config)
    seeded(block)
    theirs_config = LlamaConfig(
        hidden_size=12, num_attention_heads=4, num_key_value_heads=2, head_dim=4,
        intermediate_size=20, rms_norm_eps=config.norm_eps, attn_implementation="eager",
    )  # fmt: skip
    theirs = LlamaDecoderLayer(theirs_config, 0).eval()
    names = {
        "self_attn.q_proj": "attention.query", "self_attn.k_proj": "attention.key",
        "self_attn.v_proj": "attention.value", "self_attn.o_proj": "attention.output",
        "mlp.gate_proj": "mlp.gate", "mlp.up_proj": "mlp.up", "mlp.down_proj": "mlp.down",
        "input_layernorm": "attention_norm", "post_attention_layernorm": "mlp_norm",
    }  # fmt: skip
    ours = block.state_dict()
    theirs.load_state_dict({f"{a}.weight": ours[f"{b}.weight"] for a, b in names.items()})
    x, positions = draws(2, 5, 12), torch.arange(5)[None].expand(2, 5)
    cos, sin = LlamaRotaryEmbedding(theirs_config)(x, positions)
    mask = torch.full((5, 5), -torch.inf).triu(1)[None, None]

    expected = theirs(x, attention_mask=mask, position_embeddings=(cos, sin))

    expected = expected[0] if isinstance(expected, tuple) else expected
    assert torch.allclose(block(x, None, (cos[:, None], sin[:, None])), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_mask_that_is_made_once_gives_the_same_bits_as_its_bits(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    document = torch.tensor([[1] * 9 + [2] * 7, [1] * 4 + [2] * 8 + [0] * 4])
    mask = document_mask(document)
    query, key, value = (torch.randn(2, 3, 16, 8, dtype=dtype) for _ in range(3))

    made = added_mask(mask, query)
    one = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    other = F.scaled_dot_product_attention(query, key, value, attn_mask=made)

    assert made.dtype == dtype
    assert torch.equal(made == 0, mask)
    assert torch.equal(one, other)


def test_a_mask_is_of_the_type_that_scores_have_with_autocast() -> None:
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool).tril()
    with torch.autocast("cpu", torch.bfloat16):
        assert added_mask(mask, torch.zeros(1)).dtype == torch.bfloat16
    assert added_mask(mask, torch.zeros(1)).dtype == torch.float32
