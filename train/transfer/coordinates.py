"""The coordinate check: how far a few steps move the activations of models of several sizes (Yang et al. 2022, appendix D.1).

Where settings transfer, the movement of every activation is the same at every size. Measured is the mean of
|activation after some steps - activation before the first|, of each layer on the same batch, its slope over the size on logarithmic axes, and
the same without the parametrisation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

import torch
from torch import Tensor, nn

from train.batch.batch import NO_LABEL, Batch
from train.model.config import ModelConfig
from train.model.sizes import with_size
from train.model.transformer import Model, build_model
from train.optim.config import OptimizerConfig
from train.optim.groups import build_optimizer

Axis = Literal["width", "depth"]
# A movement that grows faster with the size, or vanishes, means that settings do not transfer. Measured over 1 to 8 times the
# size: -0.25 to 0.1 as parametrised, from 0.5 to 2 for some layer of every family in the standard way. Small models
# move a little more than the limit of large ones, so the lower bound is wider.
MOST_SLOPE, LEAST_SLOPE = 0.3, -0.5
# Along the width the head's random part moves logits by one over its root (Yang et al. 2022, appendix J): less, never more.
LEAST_SLOPE_OF_LOGITS = -0.6
LOGITS, FIRST_BLOCK = "logits", "first block"
_ROWS, _TOKENS = 4, 16


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """What is run.

    Attributes:
        axis: What grows.
        factors: How often the base width, or the base depth.
        steps: Updates of each model.
        rate: Learning rate of the base model, the same for all sizes.
        seeds: Each size is measured with so many initial weights, and averaged.
    """

    axis: Axis
    factors: tuple[int, ...] = (1, 2, 4, 8)
    steps: int = 5
    rate: float = 0.01
    seeds: int = 3


@dataclass(frozen=True, kw_only=True)
class Movement:
    """How one layer moves.

    Attributes:
        layer: Name of the module.
        sizes: Mean movement at each factor.
        slope: Of log movement over log factor; NaN where it does not move at all.
        least_slope: The lowest that is no fault.
    """

    layer: str
    sizes: tuple[float, ...]
    slope: float
    least_slope: float = LEAST_SLOPE

    @property
    def transfers(self) -> bool:
        """Whether the movement neither grows nor vanishes with the size."""
        return self.least_slope <= self.slope <= MOST_SLOPE


@dataclass(frozen=True, kw_only=True)
class Coordinates:
    """The movements of all layers along one axis, as parametrised and in the standard way."""

    config: CheckConfig
    scaled: tuple[Movement, ...]
    standard: tuple[Movement, ...]

    @property
    def faults(self) -> tuple[Movement, ...]:
        """Layers whose movement depends on the size though it should not."""
        return tuple(one for one in self.scaled if not one.transfers)


def check_coordinates(
    shape: ModelConfig, optimizer: OptimizerConfig, config: CheckConfig
) -> Coordinates:
    """Measure both parametrisations of a shape along one axis.

    Args:
        shape: The base model; its own fields of muP are replaced.
        optimizer: Its settings; decay and penalties are left out, which act on weights alone.
        config: What is run.
    """
    plain = shape.model_copy(
        update={"mup_base_width": None, "mup_base_depth": None, "dropout": 0.0}
    )
    bare = optimizer.model_copy(update={"weight_decay": 0.0, "l1": None, "l2": None})
    return Coordinates(
        config=config,
        scaled=_movements([_scaled(plain, config.axis, n) for n in config.factors], bare, config),
        standard=_movements([_larger(plain, config.axis, n) for n in config.factors], bare, config),
    )


def _larger(shape: ModelConfig, axis: Axis, factor: int) -> ModelConfig:
    if axis == "width":
        return with_size(shape, layers=shape.num_layers, heads=shape.num_heads * factor)
    return with_size(shape, layers=shape.num_layers * factor, heads=shape.num_heads)


def _scaled(shape: ModelConfig, axis: Axis, factor: int) -> ModelConfig:
    """The larger shape with what carries settings over: muP along the width, CompleteP along the depth."""
    base: dict[str, Any] = {"mup_base_width": shape.width}
    if axis == "depth":
        base["mup_base_depth"] = shape.num_layers
    return _larger(shape, axis, factor).model_copy(update=base)


def _movements(
    shapes: Sequence[ModelConfig], optimizer: OptimizerConfig, config: CheckConfig
) -> tuple[Movement, ...]:
    measured = []
    for shape in shapes:
        runs = [_movement(shape, optimizer, config, seed) for seed in range(config.seeds)]
        measured.append({name: fmean(run[name] for run in runs) for name in runs[0]})
    return tuple(
        Movement(
            layer=name,
            sizes=tuple(one[name] for one in measured),
            slope=_slope(config.factors, [one[name] for one in measured]),
            least_slope=LEAST_SLOPE_OF_LOGITS
            if (name, config.axis) == (LOGITS, "width")
            else LEAST_SLOPE,
        )
        for name in measured[0]
        # One block of many is to move less in a deeper model: the sum of all is not.
        if config.axis == "width" or not name.endswith(FIRST_BLOCK)
    )


def _slope(factors: Sequence[int], sizes: Sequence[float]) -> float:
    """By least squares on logarithms."""
    if not all(size > 0 and math.isfinite(size) for size in sizes):
        return math.nan
    x, y = [math.log(one) for one in factors], [math.log(one) for one in sizes]
    across = sum((one - fmean(x)) ** 2 for one in x)
    return sum((a - fmean(x)) * (b - fmean(y)) for a, b in zip(x, y, strict=True)) / across


def _movement(
    shape: ModelConfig, optimizer: OptimizerConfig, config: CheckConfig, seed: int
) -> dict[str, float]:
    """Mean movement of each watched layer of one model."""
    model = build_model(shape, seed=seed).train()
    batch = made_batch(shape, seed=0)
    made = build_optimizer([model], optimizer)
    before = _activations(model, batch)
    labels = int((batch.labels != NO_LABEL).sum())
    for _ in range(config.steps):
        made.zero_grad()
        (model(batch).loss / labels).backward()
        for group in made.param_groups:
            group["lr"] = config.rate * group["lr_scale"]
        made.step()
    after = _activations(model, batch)
    return {name: float((after[name] - before[name]).abs().mean()) for name in before}


def _activations(model: Model, batch: Batch) -> dict[str, Tensor]:
    """Outputs of the watched layers, and the logits."""
    found: dict[str, Tensor] = {}
    watched = _watched(model)
    hooks = [module.register_forward_hook(_keep(found, name)) for name, module in watched.items()]
    try:
        with torch.no_grad():
            found[LOGITS] = model.logits(batch).detach()
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _keep(found: dict[str, Tensor], name: str) -> Callable[[nn.Module, Any, Tensor], None]:
    def keep(module: nn.Module, taken: Any, given: Tensor) -> None:
        del module, taken
        found[name] = given.detach().clone()

    return keep


def _watched(model: nn.Module) -> Mapping[str, nn.Module]:
    """The first and the last block of each stack, and the last block's parts: names that all depths share."""
    watched: dict[str, nn.Module] = {}
    for prefix, blocks in model.named_modules():
        if prefix.rpartition(".")[2] != "blocks" or not isinstance(blocks, nn.ModuleList):
            continue
        stack = prefix.removesuffix("blocks")
        watched[f"{stack}{FIRST_BLOCK}"] = blocks[0]
        last = blocks[len(blocks) - 1]
        for part in ("attention", "cross_attention", "mlp"):
            module = getattr(last, part, None)
            if module is not None:
                watched[f"{stack}last block's {part.replace('_', ' ')}"] = module
        watched[f"{stack}last block"] = last
    return watched


def made_batch(shape: ModelConfig, *, seed: int) -> Batch:
    """A batch of random tokens with labels as the family's objective gives them."""
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, shape.vocab_size, (_ROWS, _TOKENS), generator=draw)
    labels = ids.roll(-1, 1)
    decoder_ids = None
    if shape.family == "t5":
        labels = torch.randint(0, shape.vocab_size, (_ROWS, _TOKENS // 2), generator=draw)
        decoder_ids = labels.roll(1, 1)
        decoder_ids[:, 0] = 0
    elif shape.family == "bert":
        labels = torch.where(torch.arange(_TOKENS) % 4 == 0, ids, NO_LABEL)
    else:
        labels[:, -1] = NO_LABEL
    return Batch.of_whole_rows(ids, labels, decoder_ids=decoder_ids)
