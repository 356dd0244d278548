"""The axes of the mesh of ranks, from the outermost to the innermost one."""

from __future__ import annotations

from torch.distributed.device_mesh import DeviceMesh

from train.data.cursor import RankShare

REPLICATE, SHARD, PIPELINE, TENSOR = "dp_replicate", "dp_shard", "pp", "tp"


def rank_share(mesh: DeviceMesh) -> RankShare:
    """The rows that this rank reads: ranks of one tensor group and one pipeline read the same."""
    replicas, shards = mesh[REPLICATE], mesh[SHARD]
    rank = replicas.get_local_rank() * shards.size() + shards.get_local_rank()
    return RankShare(rank=rank, ranks=replicas.size() * shards.size())


def data_mesh(mesh: DeviceMesh) -> DeviceMesh:
    """The ranks that FSDP shards over; with several replicas also the axis of these (HSDP)."""
    return mesh[REPLICATE, SHARD] if mesh[REPLICATE].size() > 1 else mesh[SHARD]
