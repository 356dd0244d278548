"""What composing decides before any rank talks: who holds what, and what is wrapped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor

from train.distributed.world import World
from train.model.presets import resolve_model
from train.model.transformer import Model, build_model
from train.parallel.compose import build_strategy
from train.parallel.compose_pipeline import Cuts, pipeline_holders
from train.parallel.config import ParallelConfig, StrategyRequest
from train.parallel.fsdp import shard_blocks, shard_model
from train.parallel.mesh import PIPELINE, REPLICATE, SHARD, TENSOR
from train.parallel.pipeline_stages import count_layers, cut_layers

ALONE = World(rank=0, size=1, device=torch.device("cpu"))


def model_of(preset: str) -> Model:
    shape = {"preset": preset, "num_layers": 4, "num_heads": 2, "width": 16}
    return build_model(resolve_model(shape, vocab_size=50, seq_len=16), seed=1)


def cuts_of(model: Model, pp: int) -> Cuts:
    cuts = cut_layers(count_layers(model), pp)
    return Cuts(cuts=cuts, owners=list(range(pp)))


def test_a_tied_table_is_held_by_the_first_and_the_last_stage() -> None:
    model = model_of("gpt2-test")

    holders = pipeline_holders(model, cuts_of(model, 4), 4)

    assert holders["embedding.weight"] == {0, 3}
    shared = {name for name, ranks in holders.items() if len(ranks) > 1}
    assert shared == {"embedding.weight"}
    assert holders.keys() == {name for name, _ in model.named_parameters()}


def test_each_block_is_held_by_one_stage() -> None:
    model = model_of("gpt2-test")

    holders = pipeline_holders(model, cuts_of(model, 2), 2)

    owners = {name.split(".")[1]: ranks for name, ranks in holders.items() if "blocks" in name}
    assert owners == {"0": {0}, "1": {0}, "2": {1}, "3": {1}}


@pytest.mark.parametrize("steps_alone", [False, True])
def test_one_process_reads_all_rows_and_sums_nothing(*, steps_alone: bool) -> None:
    request = StrategyRequest(seed=1, parallel=ParallelConfig(), steps_alone=steps_alone)

    strategy = build_strategy(request, model_of("gpt2-test"), ALONE)

    assert (strategy.share.rank, strategy.share.ranks) == (0, 1)
    assert (strategy.copies, strategy.readers) == (1, 1)


def test_the_axes_are_those_of_the_recipe() -> None:
    assert {REPLICATE, SHARD, PIPELINE, TENSOR} <= set(ParallelConfig.model_fields)


@pytest.fixture
def mesh_of_one() -> Iterator[DeviceMesh]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield init_device_mesh("cpu", (1,), mesh_dim_names=(SHARD,))
    finally:
        dist.destroy_process_group()


def test_blocks_of_a_stage_are_sharded_and_what_stages_share_stays_whole(
    mesh_of_one: DeviceMesh,
) -> None:
    model = model_of("gpt2-test")

    sharded = shard_blocks(model, mesh_of_one)

    kinds = {name: isinstance(value, DTensor) for name, value in model.named_parameters()}
    assert sharded == {name for name, is_sharded in kinds.items() if is_sharded}
    assert sharded == {name for name in kinds if name.startswith("blocks.")}


def test_a_sharded_model_has_all_of_its_parameters_sharded(mesh_of_one: DeviceMesh) -> None:
    model = model_of("gpt2-test")

    shard_model(model, mesh_of_one)

    assert all(isinstance(value, DTensor) for value in model.parameters())
