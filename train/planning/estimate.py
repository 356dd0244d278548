"""What each rank of a plan will hold and send, from the model on the meta device.

Parameters are counted exactly, with the cuts and splits that a run makes. Activations are those of
Korthikanti et al. 2022, section 4, without attention scores, which fused attention never keeps.

Shapes: B rows of a micro-batch, T tokens, D width.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from train.model.config import ModelConfig
from train.model.roles import Role, role_of
from train.model.transformer import make_model
from train.parallel.config import ParallelConfig
from train.parallel.pipeline_stages import StageCut, count_layers, cut_layers, needed_modules
from train.settings import TrainSettings

_COLUMNS = ("query", "key", "value", "up", "gate")
_ROWS = ("output", "down")
# Bytes of optimizer state for each element of a matrix and of a vector, beside fp32 weight and
# gradient; Adafactor keeps one number for each row and column.
_STATES = {"adamw": (8, 8), "adafactor": (0, 4), "sgd": (4, 4), "lion": (4, 4), "muon": (4, 8)}
# Bytes for each element of [B, T, D] in a layer at 16 bits: of those that tensor ranks all keep
# (norms, dropouts, residuals), and of those that they share.
_KEPT_WHOLE, _KEPT_SHARED = 10, 24
_FULL_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class RankLoad:
    """What one rank of a pipeline holds, and sends in a step, in bytes."""

    pipeline_rank: int
    layers: int
    parameters: int
    weights_bytes: int
    gradients_bytes: int
    states_bytes: int
    activations_bytes: int
    tensor_bytes: int
    data_bytes: int
    pipeline_bytes: int

    @property
    def memory_bytes(self) -> int:
        """Bytes held through a step; temporary buffers and the process itself come on top."""
        return (
            self.weights_bytes + self.gradients_bytes + self.states_bytes + self.activations_bytes
        )


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run will hold and send, before it starts.

    Attributes:
        microbatches: Number of micro-batches of each rank and step.
        bubble: Idle share of a step's work time, (p - 1) / (m v).
    """

    parameters: int
    ranks: list[RankLoad]
    microbatches: int
    bubble: float


def estimate(settings: TrainSettings, config: ModelConfig, *, world: int, seq_len: int) -> Estimate:
    """Estimate what a recipe's parallel strategy asks of each pipeline rank.

    Raises:
        SettingsError: The strategy does not fit the world or the model.
    """
    parallel = settings.parallel
    with torch.device("meta"):
        model = make_model(config)
    replicas = parallel.replicas(world)
    data_ranks = replicas * parallel.dp_shard
    per_rank = -(-settings.batch.sequences // data_ranks)
    microbatch = min(settings.batch.microbatch, per_rank)
    microbatches = -(-per_rank // microbatch)
    cuts = cut_layers(count_layers(model), parallel.num_stages)
    plan = _Plan(
        settings=settings,
        config=config,
        replicas=replicas,
        microbatches=microbatches,
        tokens=microbatch * seq_len,
    )
    loads = [
        plan.load(model, rank, [cut for cut in cuts if cut.index % parallel.pp == rank])
        for rank in range(parallel.pp)
    ]
    return Estimate(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        ranks=loads,
        microbatches=microbatches,
        bubble=(parallel.pp - 1) * parallel.pp / (microbatches * parallel.num_stages),
    )


def _is_matrix(name: str, parameter: torch.Tensor, optimizer: str) -> bool:
    """Whether it has the states of matrices: muon keeps those of vectors for tables and heads."""
    if optimizer == "muon":
        return role_of(name, parameter) is Role.HIDDEN
    return parameter.ndim > 1


@dataclass(frozen=True, kw_only=True)
class _Plan:
    settings: TrainSettings
    config: ModelConfig
    replicas: int
    microbatches: int
    tokens: int

    def load(self, model: nn.Module, rank: int, cuts: list[StageCut]) -> RankLoad:
        parallel = self.settings.parallel
        held = dict(_parameters_of(model, cuts, whole=parallel.pp == 1))
        elements = {name: _share(name, parameter, parallel) for name, parameter in held.items()}
        count = sum(elements.values())
        optimizer = self.settings.optimizer.name
        per_matrix, per_vector = _STATES[optimizer]
        states = sum(
            size * (per_matrix if _is_matrix(name, held[name], optimizer) else per_vector)
            for name, size in elements.items()
        )
        layers = sum(len(cut.layers) for cut in cuts)
        return RankLoad(
            pipeline_rank=rank,
            layers=layers,
            parameters=count,
            weights_bytes=4 * count,
            gradients_bytes=4 * count,
            states_bytes=states,
            activations_bytes=self._activations(rank, layers),
            tensor_bytes=self._tensor_bytes(layers),
            data_bytes=self._data_bytes(elements),
            pipeline_bytes=self._pipeline_bytes(cuts),
        )

    @property
    def _element_bytes(self) -> int:
        return 4 if self.settings.precision.compute == "fp32" else 2

    def _activations(self, rank: int, layers: int) -> int:
        parallel = self.settings.parallel
        x = self.tokens * self.config.width
        if self.settings.recompute == "full":
            each = _FULL_BYTES * x // (parallel.tp if parallel.sequence_parallel else 1)
        else:
            whole = _KEPT_WHOLE // (parallel.tp if parallel.sequence_parallel else 1)
            each = x * (whole + _KEPT_SHARED // parallel.tp) * self._element_bytes // 2
            if self.settings.recompute == "selective":
                each = each // 2  # products and attention; norms and activations are made again
        return each * layers * self._in_flight(rank)

    def _in_flight(self, rank: int) -> int:
        """Number of micro-batches whose activations a rank keeps at once."""
        parallel = self.settings.parallel
        if parallel.pp == 1:
            return 1
        if parallel.pipeline_schedule == "gpipe":
            return self.microbatches
        waiting = parallel.pp - rank
        if parallel.pipeline_schedule != "1f1b":
            waiting += parallel.pp - 1  # Narayanan et al. 2021, section 2.2
        return min(self.microbatches, waiting)

    def _tensor_bytes(self, layers: int) -> int:
        """Bytes of two sums forward and two backward in each layer, by rings (Shoeybi et al. 2019)."""
        tp = self.settings.parallel.tp
        one = self.tokens * self.config.width * self._element_bytes
        return 4 * layers * self.microbatches * _ring(one, tp)

    def _data_bytes(self, elements: dict[str, int]) -> int:
        """Bytes that FSDP gathers twice and scatters once a micro-batch, and replicas sum once a step."""
        parallel = self.settings.parallel
        shards = parallel.dp_shard
        count = sum(size for name, size in elements.items() if _is_sharded(name, parallel))
        gathered = 4 * count * (shards - 1)
        whole = 4 * (sum(elements.values()) - count)
        summed = _ring(4 * count, self.replicas) + _ring(whole, self.replicas * shards)
        return 3 * gathered * self.microbatches + summed

    def _pipeline_bytes(self, cuts: Iterable[StageCut]) -> int:
        x = self.tokens * self.config.width * 4
        sends = sum((not cut.is_last) + (not cut.is_first) for cut in cuts)
        streams = 2 if self.config.family == "t5" else 1
        return sends * x * self.microbatches * streams


def _ring(size: int, ranks: int) -> int:
    return 2 * size * (ranks - 1) // ranks


def _parameters_of(
    model: nn.Module, cuts: list[StageCut], *, whole: bool
) -> Iterable[tuple[str, nn.Parameter]]:
    if whole:
        yield from model.named_parameters()
        return
    for name in dict.fromkeys(name for cut in cuts for name in needed_modules(model, cut)):
        yield from model.get_submodule(name).named_parameters(prefix=name)


def _share(name: str, parameter: nn.Parameter, parallel: ParallelConfig) -> int:
    """Number of a parameter's elements on the rank that holds most of it."""
    owner, _, kind = name.rpartition(".")
    owner = owner.rpartition(".")[2]
    is_table = name in ("embedding.weight", "head.weight")
    size = parameter.numel()
    if is_table:
        size = -(-parameter.shape[0] // parallel.tp) * parameter.shape[1]
    elif owner in _COLUMNS or owner == "relative" or (owner in _ROWS and kind == "weight"):
        size //= parallel.tp
    return -(-size // parallel.dp_shard) if _is_sharded(name, parallel) else size


def _is_sharded(name: str, parallel: ParallelConfig) -> bool:
    """Whether FSDP shards a parameter; pipeline stages shard their blocks alone."""
    return parallel.pp == 1 or "blocks." in name
