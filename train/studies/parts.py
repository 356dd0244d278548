"""Parts of a recipe that an ablation knows by name: what the recipe is without each of them."""

from __future__ import annotations

from typing import Any

from schemas.settings import nearest

PARTS: dict[str, dict[str, Any]] = {
    "norm": {"model.norm": "none", "model.init": "tfixup"},
    "rmsnorm": {"model.norm": "layernorm"},
    "layernorm": {"model.norm": "rmsnorm"},
    "pre_norm": {"model.norm_position": "post"},
    "qk_norm": {"model.qk_norm": False},
    "learned_positions": {"model.positions": "sinusoidal"},
    "rotary": {"model.positions": "sinusoidal"},
    "bias": {"model.bias": False},
    "glu": {"model.activation": "gelu"},
    "tied_head": {"model.tied_head": False},
    "parallel_residual": {"model.parallel_residual": False},
    "grouped_queries": {"model.num_kv_heads": None},
    "z_loss": {"model.z_loss": 0.0},
    "dropout": {"model.dropout": 0.0},
    "label_smoothing": {"model.label_smoothing": 0.0},
    "augment": {"objective.augment": None},
    "weight_decay": {"optimizer.weight_decay": 0.0},
    "clipping": {"optimizer.max_grad_norm": None},
    "warmup": {"schedule.warmup": 0, "schedule.warmup_fraction": 0.0},
    "decay": {"schedule.lr_scheduler_type": "constant"},
    "batch_ramp": {"batch.ramp": None},
}


def part_changes(name: str) -> dict[str, Any]:
    """The changes that take a part out of a recipe.

    Raises:
        ValueError: No part is known by that name.
    """
    if name not in PARTS:
        raise ValueError(
            f"'{name}' is no part that is known by name{nearest(name, set(PARTS))}; say its changes: "
            f"{name}: {{key: value}}"
        )
    return dict(PARTS[name])
