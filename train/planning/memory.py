"""What training a preset takes on one rank: arithmetic, no torch.

Weights and gradients are fp32 (4 bytes each); the optimizer's states are listed. Activations per
layer follow Korthikanti et al. 2022 (arXiv 2205.05198, section 4.1) for attention that keeps no
scores, in fp32: per token 2 norms, queries, keys, values, the attention's result, and the MLP's
hidden values before and after the activation; with full recomputation only the layer's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from train.model.config import ModelConfig
from train.model.presets import PRESETS

# Bytes of state per parameter; Adafactor's factored moments are a row and a column of a matrix,
# muon keeps one momentum for matrices (Adam's two for the rest, a small part).
OPTIMIZER_BYTES = {"adamw": 8, "adafactor": 0, "sgd": 4, "lion": 4, "muon": 4}
_FP32 = 4
_LOGIT_CHUNK_BYTES = 2 * (64 << 20)  # logits and their gradient, of one chunk


@dataclass(frozen=True, kw_only=True)
class TrainingShape:
    """The settings of training that memory depends on."""

    seq_len: int = 2048
    microbatch: int = 8
    dp_shard: int = 1
    tp: int = 1
    pp: int = 1
    optimizer: str = "adamw"
    recompute: Literal["none", "full"] = "none"


@dataclass(frozen=True, kw_only=True)
class TrainingNeeds:
    """What one rank needs to train a preset.

    Attributes:
        family: Family of the model.
        parameters: Exact number of parameters of the whole model.
        state_bytes: Bytes of weights, gradients and optimizer states.
        activation_bytes: Estimated bytes that are kept between forward and backward.
        flops_per_token: FLOPs of the whole model's forward and backward pass.
    """

    family: str
    parameters: int
    state_bytes: int
    activation_bytes: int
    flops_per_token: int

    @property
    def total_bytes(self) -> int:
        return self.state_bytes + self.activation_bytes


def training_needs(preset: str, shape: TrainingShape) -> TrainingNeeds:
    """Compute what a rank holds when it trains a preset."""
    config = ModelConfig.model_validate(PRESETS[preset])
    parameters = config.num_parameters()
    per_parameter = 2 * _FP32 + OPTIMIZER_BYTES[shape.optimizer]
    ranks = shape.dp_shard * shape.tp * shape.pp
    tokens = shape.seq_len * shape.microbatch
    layers = config.num_layers * (2 if config.family == "t5" else 1)
    # The first pipeline stage holds the activations of `pp` micro-batches at once (1F1B), each of
    # 1/pp of the layers: as much as one rank without pipelines.
    kept = layers * tokens * _layer_values(config, shape) * _FP32
    return TrainingNeeds(
        family=config.family,
        parameters=parameters,
        state_bytes=parameters * per_parameter // ranks,
        activation_bytes=kept + _LOGIT_CHUNK_BYTES,
        flops_per_token=config.flops_per_token(shape.seq_len),
    )


def _layer_values(config: ModelConfig, shape: TrainingShape) -> int:
    """Values kept per token and layer: those between the blocks are whole on each tensor rank."""
    if shape.recompute == "full":
        return config.width
    attention = config.num_heads * config.head_width * 2
    attention += 2 * config.num_kv_heads * config.head_width
    hidden = config.mlp_width * (3 if config.is_gated else 2)
    return 4 * config.width + (attention + hidden) // shape.tp
