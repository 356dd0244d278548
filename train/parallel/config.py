"""How ranks are laid out; imports nothing heavy."""

from __future__ import annotations

from pydantic import Field

from schemas.errors import SettingsError
from schemas.settings import Settings


class ParallelConfig(Settings):
    """Degrees along each axis of the mesh; their product is the world size.

    `dp_replicate: null` takes the ranks that the others leave.
    """

    dp_replicate: int | None = Field(default=None, gt=0)
    dp_shard: int = Field(default=1, gt=0, description="FSDP2: ranks that share one copy")
    tp: int = Field(default=1, gt=0, description="ranks that share every matrix")
    pp: int = Field(default=1, gt=0, description="pipeline stages")

    def replicas(self, world_size: int) -> int:
        """Return the replicas that fill the world.

        Raises:
            SettingsError: The degrees do not multiply to the world size.
        """
        inner = self.dp_shard * self.tp * self.pp
        replicas = self.dp_replicate or max(world_size // inner, 1)
        if replicas * inner != world_size:
            raise SettingsError(
                f"parallel: dp_replicate {replicas} x dp_shard {self.dp_shard} x tp {self.tp} x "
                f"pp {self.pp} = {replicas * inner} ranks, but the world has {world_size}"
            )
        return replicas

    def data_ranks(self, world_size: int) -> int:
        """Ranks that read different rows."""
        return self.replicas(world_size) * self.dp_shard
