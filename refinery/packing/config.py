"""Settings of packing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Settings


class PackingConfig(Settings):
    """Rows, shards and lanes."""

    seq_len: int = Field(default=2048, ge=8, description="tokens per row")
    layout: Literal["concat", "document", "bestfit"] = "concat"
    shard_tokens: int = Field(
        default=32_000_000, gt=0, description="about, per shard; a task holds one in memory"
    )
    row_group_rows: int = Field(default=256, gt=0)
    lanes: int = Field(default=48, gt=0)
