"""Norms, positions, attention and penalties against other implementations."""

import math

import pytest
import torch
import torch.nn.functional as F

from train.model.attention import attend_with_bias
from train.model.config import ModelConfig
from train.model.loss import Penalties, cross_entropy_sums
from train.model.norms import MaskedBatchNorm
from train.model.positions import sinusoids
from train.model.presets import resolve_model
from train.model.transformer import build_model, make_model


def draws(*shape: int, seed: int = 0) -> torch.Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.requires_grad_()


@pytest.fixture(params=[0, 1 << 20], ids=["computed again", "kept"])
def kept_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("train.model.attention.KEPT_BYTES", request.param)
    return int(request.param)


@pytest.mark.usefixtures("kept_bytes")
@pytest.mark.parametrize("mask_rows", [None, 1, 3])
def test_attention_with_bias_equals_the_plain_formula(mask_rows: int | None) -> None:
    q, k, v, bias = draws(3, 2, 5, 4), draws(3, 2, 6, 4), draws(3, 2, 6, 4), draws(1, 2, 5, 6)
    mask = None
    if mask_rows is not None:
        mask = torch.rand(mask_rows, 1, 5, 6, generator=torch.Generator().manual_seed(1)) < 0.6
        mask[..., 0] = True

    found = attend_with_bias(q, k, v, bias, mask, scale=0.7)
    scores = q @ k.mT * 0.7 + bias
    expected = torch.softmax(scores if mask is None else scores.where(mask, -torch.inf), -1) @ v

    weights = draws(3, 2, 5, 4, seed=9).detach()
    inputs = (q, k, v, bias)
    gradients = torch.autograd.grad((found * weights).sum(), inputs)
    wanted = torch.autograd.grad((expected * weights).sum(), inputs)
    assert torch.allclose(found, expected)
    assert all(torch.allclose(a, b) for a, b in zip(gradients, wanted, strict=True))


def test_attention_dropout_keeps_the_mean_and_its_gradient() -> None:
    q, k, v = (draws(1, 1, 4, 8, seed=s) for s in range(3))
    plain = attend_with_bias(q, k, v, None, None, scale=0.3).detach()

    torch.manual_seed(0)
    many = torch.stack(
        [attend_with_bias(q, k, v, None, None, scale=0.3, dropout=0.2) for _ in range(4000)]
    )

    assert torch.allclose(many.mean(0), plain, atol=0.05)
    (gradient,) = torch.autograd.grad(many.mean(0).sum(), v)
    assert torch.allclose(gradient.sum(), torch.tensor(32.0, dtype=torch.float64), rtol=0.02)


@pytest.mark.usefixtures("kept_bytes")
def test_dropped_attention_has_the_gradient_of_finite_differences() -> None:
    q, k, v, bias = (draws(2, 1, 3, 3, seed=s) for s in range(4))

    def run(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return attend_with_bias(q, k, v, bias, None, scale=1.0, dropout=0.4)

    assert torch.autograd.gradcheck(run, (q, k, v, bias[:1].detach().requires_grad_()))


def test_batch_norm_counts_real_tokens_only() -> None:
    norm = MaskedBatchNorm(6, 1e-5).double()
    reference = torch.nn.BatchNorm1d(6, eps=1e-5).double()
    x, real = draws(3, 5, 6), torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]) > 0
    norm.real_BT = real

    found = norm(x)

    assert torch.allclose(found[real], reference(x[real]))
    assert torch.allclose(norm.running_mean, reference.running_mean)
    assert torch.allclose(norm.running_var, reference.running_var)
    norm.eval()
    reference.eval()
    assert torch.allclose(norm(x)[real], reference(x[real]))
    assert norm(x * 1e30)[~real].count_nonzero() == 0  # no statistic holds padding in bounds


def test_sinusoids_are_those_of_the_formula() -> None:
    found = sinusoids(torch.tensor([[0, 3]]), 6)

    angles = [3 / 10_000 ** (2 * i / 6) for i in range(3)]
    expected = [f(a) for a in angles for f in (math.sin, math.cos)]
    assert found[0, 0].tolist() == [0, 1, 0, 1, 0, 1]
    assert found[0, 1].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("chunk", [64, 10_000])
def test_smoothing_and_z_loss_equal_torch(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.model.loss.chunk_rows", lambda _: chunk)
    hidden, weight, bias = draws(100, 8), draws(30, 8, seed=1), draws(1, 30, seed=2)
    labels = torch.arange(100) % 30

    loss, each = cross_entropy_sums(
        hidden, weight, labels, bias[0], extra=Penalties(label_smoothing=0.1, z_loss=1e-2)
    )
    logits = hidden @ weight.T + bias[0]
    expected = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=0.1)
    expected = expected + 1e-2 * logits.logsumexp(-1).square().sum()

    inputs = (hidden, weight, bias)
    found = torch.autograd.grad(loss, inputs)
    wanted = torch.autograd.grad(expected, inputs)
    assert torch.allclose(loss, expected)
    assert torch.allclose(each, F.cross_entropy(logits, labels, reduction="none"))
    assert all(torch.allclose(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(
    ("preset", "fields"),
    [
        ("gpt2-test", {"norm_position": "sandwich"}),
        ("gpt2-test", {"norm_position": "post", "norm": "rmsnorm"}),
        ("gpt2-test", {"norm": "batchnorm", "positions": "sinusoidal"}),
        ("gpt2-test", {"positions": "rotary", "rotary_fraction": 0.5, "bias": False}),
        ("llama-test", {"norm_position": "sandwich", "activation": "geglu", "tied_head": True}),
        ("bert-test", {"norm_position": "pre", "positions": "rotary", "activation": "swiglu"}),
        ("bert-test", {"norm_position": "sandwich", "positions": "sinusoidal"}),
        ("t5-test", {"norm_position": "sandwich", "norm": "layernorm"}),
        ("t5-test", {"norm_position": "post", "bias": True, "tied_head": False}),
    ],
)
def test_counted_parameters_are_those_of_the_model(preset: str, fields: dict[str, object]) -> None:
    config = resolve_model({"preset": preset, **fields}, vocab_size=50, seq_len=16)

    with torch.device("meta"):
        model = make_model(config)

    assert config.num_parameters() == sum(p.numel() for p in model.parameters())
    assert torch.isfinite(build_model(config, seed=0).state_dict()["embedding.weight"]).all()


def test_parallel_parts_both_read_what_came_in() -> None:
    config = ModelConfig(vocab_size=50, parallel_residual=True)
    block = build_model(config, seed=0).blocks[0]
    x = torch.randn(1, 4, 64, generator=torch.Generator().manual_seed(0))

    found = block(x, None, None)

    attended = block.attention(block.attention_norm(x), None, None)
    assert torch.allclose(found, x + attended + block.mlp(block.mlp_norm(x)), atol=1e-6)
