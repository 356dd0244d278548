"""Initial values, which depend on the configuration and a generator alone.

All schemes set vectors alike: biases to zero, norms to one.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from train.model.config import ModelConfig

_RESIDUAL = ("attention.output.weight", "mlp.down.weight")
_TABLES = ("embedding.weight", "position.weight", "token_type.weight", "relative.weight")
_FIXED_UP = ("value.weight", "output.weight", "up.weight", "gate.weight", "down.weight")


def init_weights(model: nn.Module, config: ModelConfig, generator: Generator) -> None:
    """Give every parameter its first value, in the order of the parameters.

    Schemes, as `config.init` or the family names them:
        gpt2: normal with `init_std`; what writes into the residual stream is divided by the root of
            twice the layers (Radford et al. 2019).
        normal: normal with `init_std` everywhere (Devlin et al. 2019).
        xavier: matrices uniform by the sum of their sizes (Glorot and Bengio 2010), tables normal.
        t5: normal by the width that feeds a matrix, see `_t5_std`.
        tfixup: Xavier, scaled by the depth (Huang et al. 2020), for models without norms and schedules
            without warm-up.

    With `mup_base_width`, matrices between hidden units start with a variance of one over the width ratio, and what is looked up
    or gives logits starts as at the base width (Yang et al. 2022, table 8); `train.optim.groups` scales rates. With
    `mup_base_depth`, what writes into the residual stream is divided by the root of twice the base layers: the sum itself
    gives each part less (Dey et al. 2025).
    """
    scheme = config.init or {"t5": "t5", "bert": "normal"}.get(config.family, "gpt2")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim < 2:
                if name.endswith("bias"):
                    parameter.zero_()
                continue
            match scheme:
                case "t5":
                    parameter.normal_(0.0, _t5_std(name, parameter, config), generator=generator)
                case "xavier" | "tfixup":
                    _glorot(name, parameter, config, generator)
                    if scheme == "tfixup":
                        parameter.mul_(_tfixup_factor(name, config))
                case _:
                    std = _gaussian_std(name, config, shrinks=scheme == "gpt2")
                    parameter.normal_(0.0, std, generator=generator)
            # t5 and xavier follow the width by themselves, gpt2 and normal do not.
            if scheme in ("gpt2", "normal") and not name.endswith((*_TABLES, "head.weight")):
                parameter.mul_(config.width_ratio**-0.5)


def _gaussian_std(name: str, config: ModelConfig, *, shrinks: bool) -> float:
    if shrinks and name.endswith(_RESIDUAL):
        return config.init_std / math.sqrt(2 * config.num_layers / config.depth_ratio)
    return config.init_std


def _glorot(name: str, parameter: Tensor, config: ModelConfig, generator: Generator) -> None:
    if name.endswith(_TABLES):
        parameter.normal_(0.0, config.base_width**-0.5, generator=generator)
    else:
        nn.init.xavier_uniform_(parameter, generator=generator)


def _tfixup_factor(name: str, config: ModelConfig) -> float:
    """What T-Fixup multiplies a matrix by.

    Source: Huang et al. 2020, section 3.3: values, outputs, MLPs and embeddings, by (9N)^-1/4 in
    decoders over a memory and 0.67 N^-1/4 in stacks without one; queries and keys stay.
    """
    if not name.endswith((*_FIXED_UP, "embedding.weight")):
        return 1.0
    over_memory = config.family == "t5" and not name.startswith("encoder.")
    factor = 1 / (9 * config.num_layers) if over_memory else 0.67**4 / config.num_layers
    return math.sqrt(math.sqrt(factor))


def _t5_std(name: str, parameter: Tensor, config: ModelConfig) -> float:
    """Standard deviation of T5's initial values: by the width that feeds a matrix.

    Queries are smaller by the root of the head width, which replaces the scale of attention. An
    untied head starts at width ** -0.5 as in t5x, not at 1 as in transformers, whose first loss
    is far above ln V.
    """
    if name == "embedding.weight":
        return 1.0
    if name.endswith("query.weight"):
        return 1 / math.sqrt(config.width * config.head_width)
    if name.endswith("relative.weight"):
        return 1 / math.sqrt(config.base_width)
    if name == "head.weight":
        return 1 / math.sqrt(config.base_width)
    return 1 / math.sqrt(parameter.shape[1])
