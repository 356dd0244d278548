"""The same kind of model at another size."""

from __future__ import annotations

from train.model.config import ModelConfig


def with_size(shape: ModelConfig, *, layers: int, heads: int) -> ModelConfig:
    """The shape with so many layers and heads; all widths grow with the heads, a head's stays.

    `heads` is a multiple of the heads that share keys and values.
    """
    changes = {
        "num_layers": layers,
        "num_heads": heads,
        "num_kv_heads": heads * shape.num_kv_heads // shape.num_heads,
        "width": shape.width * heads // shape.num_heads,
        "mlp_width": max(1, shape.mlp_width * heads // shape.num_heads),
    }
    return shape.model_copy(update=changes)
