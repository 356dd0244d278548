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
    # More labels of each row: after 0.9 M tokens the loss at 40 % is below that at 20 %, though it is the harder task.
    "bert": {"name": "masked", "rate": 0.4, "whole_words": True},
    "t5": {"name": "span_corruption"},
}
# Steps of 512 tokens: with 2,048 and a rate of 3e-3 a BERT had still learnt no more than how frequent words are
# after 5 M tokens (6.8 nats), and a T5 needed five times the tokens for the same loss.
ROWS = {"decoder": 4, "bert": 2, "t5": 2}
PEAK_LR = {"decoder": 0.003, "bert": 0.001, "t5": 0.002}


def pretraining(family: str, dataset: Path, output: Path, tokens: int) -> TrainSettings:
    """The recipe of a family: `tokens` packed tokens, ten checkpoints that all stay."""
    steps = tokens // (ROWS[family] * SEQ_LEN)
    every, peak = max(1, steps // CHECKPOINTS), PEAK_LR[family]
    return TrainSettings.model_validate(
        {
            "manifest": str(dataset),
            "output": str(output),
            "seed": 1,
            "model": MODELS[family],
            "objective": OBJECTIVES[family],
            "batch": {"sequences": ROWS[family], "microbatch": ROWS[family]},
            "stop": {"steps": every * CHECKPOINTS},
            "schedule": {"peak_lr": peak, "min_lr": peak / 10, "warmup_fraction": 0.02},
            "checkpoint": {"every_steps": every, "keep_last": CHECKPOINTS, "export": False},
            "evaluation": {"every_steps": every, "max_rows": None},
            "metrics": {"tensorboard": False},
            "threads": 1,
        }
    )
