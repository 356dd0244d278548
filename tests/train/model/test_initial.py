"""Initial values: scales by module, and muP by a coordinate check."""

import math

import pytest
import torch

from schemas.errors import SettingsError
from train.batch.batch import NO_LABEL, Batch
from train.model.config import ModelConfig
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.optim.config import OptimizerConfig
from train.optim.groups import build_optimizer


def std(state: dict[str, torch.Tensor], name: str) -> float:
    return float(state[name].std())


def test_tfixup_scales_by_depth_what_the_paper_names() -> None:
    config = resolve_model(
        {"preset": "t5-test", "width": 128, "num_layers": 4, "norm": "none", "init": "tfixup",
         "mlp_width": 256, "num_heads": 4, "head_width": 32},
        vocab_size=400, seq_len=16,
    )  # fmt: skip
    state = build_model(config, seed=0).state_dict()
    xavier = math.sqrt(2 / (128 + 128))
    wide = math.sqrt(2 / (128 + 256))

    encoder, decoder = 0.67 * 4**-0.25, (9 * 4) ** -0.25
    for stack, factor in (("encoder", encoder), ("decoder", decoder)):
        block = f"{stack}.blocks.2"
        assert std(state, f"{block}.attention.value.weight") == pytest.approx(xavier * factor, 0.03)
        assert std(state, f"{block}.attention.output.weight") == pytest.approx(
            xavier * factor, 0.03
        )
        assert std(state, f"{block}.mlp.up.weight") == pytest.approx(wide * factor, 0.03)
        assert std(state, f"{block}.attention.query.weight") == pytest.approx(xavier, 0.03)
    cross = std(state, "decoder.blocks.0.cross_attention.value.weight")
    assert cross == pytest.approx(xavier * decoder, 0.03)
    assert std(state, "embedding.weight") == pytest.approx(128**-0.5 * decoder, 0.03)
    assert not any("norm" in name for name in state)


def test_tfixup_with_norms_is_refused() -> None:
    with pytest.raises(SettingsError, match="replaces norms"):
        resolve_model({"init": "tfixup"}, vocab_size=10, seq_len=8)


def test_xavier_is_bounded_by_the_sizes_of_a_matrix() -> None:
    state = build_model(ModelConfig(width=64, vocab_size=50, init="xavier"), seed=0).state_dict()

    bound = math.sqrt(6 / (64 + 256))
    weight = state["blocks.0.mlp.up.weight"]
    assert float(weight.abs().max()) <= bound
    assert std(state, "blocks.0.mlp.up.weight") == pytest.approx(bound / math.sqrt(3), rel=0.03)


def test_normal_does_not_shrink_residual_outputs() -> None:
    config = ModelConfig(width=128, num_layers=8, vocab_size=50, init="normal")
    state = build_model(config, seed=0).state_dict()

    assert std(state, "blocks.3.mlp.down.weight") == pytest.approx(0.02, rel=0.03)


def activation_size(width: int, base: int | None, steps: int) -> float:
    """Mean size of the logits after some Adam steps at one learning rate."""
    config = ModelConfig(
        width=width, num_heads=width // 16, num_layers=2, vocab_size=64, max_positions=16,
        mup_base_width=base, init_std=0.1,
    )  # fmt: skip
    model = build_model(config, seed=0)
    optimizer = build_optimizer([model], OptimizerConfig(weight_decay=0.0))
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 64, (4, 16), generator=draw)
    labels = ids.roll(-1, 1)
    labels[:, -1] = NO_LABEL
    batch = Batch.of_whole_rows(ids, labels)
    start = model.logits(batch).detach()
    for _ in range(steps):
        optimizer.zero_grad()
        (model(batch).loss / 60).backward()
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * group["lr_scale"]
        optimizer.step()
    return float((model.logits(batch).detach() - start).abs().mean())


def test_coordinate_check_changes_keep_their_size_under_mup_and_grow_without() -> None:
    torch.set_num_threads(1)
    widths = (32, 256)

    with_mup = [activation_size(width, 32, steps=3) for width in widths]
    without = [activation_size(width, None, steps=3) for width in widths]

    assert with_mup[1] / with_mup[0] < 1.6
    assert without[1] / without[0] > 2.5
