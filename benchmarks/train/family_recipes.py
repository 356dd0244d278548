"""A decoder, a BERT and a T5 of about 3 M parameters: one recipe each, over the same dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.corpora.two_languages import SEQ_LEN
from train.settings import TrainSettings

TOKENS, CHECKPOINTS = 10_000_000, 10
_SHAPE = {"preset": None, "width": 160, "num_heads": 5}
MODELS: dict[str, dict[str, Any]] = {
    "decoder": {**_SHAPE, "family": "gpt2", "num_layers": 5, "max_positions": SEQ_LEN},
    # Norms before each part need no long warm-up, which a run of this length has no room for.
    "bert": {
        **_SHAPE, "family": "bert", "num_layers": 5, "norm_position": "pre",
        "max_positions": SEQ_LEN + 2,
    },
    # T5 1.1's gated MLP; tied, for the table is a third of all weights.
    "t5": {
        **_SHAPE, "family": "t5", "num_layers": 2, "mlp_width": 640, "positions": "relative",
        "activation": "geglu", "norm": "rmsnorm", "bias": False, "max_positions": SEQ_LEN,
    },
}  # fmt: skip
OBJECTIVES: dict[str, dict[str, Any]] = {
    "decoder": {"name": "causal"},
    # A fifth is better than 15 % for small models (Wettig et al. 2023, table 2).
    "bert": {"name": "masked", "rate": 0.2, "whole_words": True},
    "t5": {"name": "span_corruption"},
}
# A BERT's step has labels at a fifth of its tokens: more rows, fewer steps.
ROWS = {"decoder": 4, "bert": 8, "t5": 8}


def pretraining(family: str, dataset: Path, output: Path, tokens: int) -> TrainSettings:
    """The recipe of a family: `tokens` packed tokens, ten checkpoints that all stay."""
    steps = tokens // (ROWS[family] * SEQ_LEN)
    every = max(1, steps // CHECKPOINTS)
    return TrainSettings.model_validate(
        {
            "manifest": str(dataset),
            "output": str(output),
            "seed": 1,
            "model": MODELS[family],
            "objective": OBJECTIVES[family],
            "batch": {"sequences": ROWS[family], "microbatch": ROWS[family]},
            "stop": {"steps": every * CHECKPOINTS},
            "schedule": {"peak_lr": 0.003, "min_lr": 0.0003, "warmup_fraction": 0.02},
            "checkpoint": {"every_steps": every, "keep_last": CHECKPOINTS, "export": False},
            "evaluation": {"every_steps": every, "max_rows": None},
            "metrics": {"tensorboard": False},
            "threads": 1,
        }
    )
