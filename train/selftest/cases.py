"""The selftest's models, parallel strategies and rows: small, awkward, and the same in every process."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.manifest import SpecialIds
from train.data.packed import PackedRows

# Layers and vocabulary that nothing divides: two stages differ in depth, the last tensor rank has
# fewer rows. 26 tokens over 4 ranks leave a short share.
SEQ_LEN, VOCAB, ROWS, STEPS = 26, 1003, 16, 5
_SHAPE = {"width": 32, "num_heads": 4, "mlp_width": 48, "dropout": 0.0, "init_std": 0.2}
_SENTINELS = tuple(range(VOCAB - 1, VOCAB - 21, -1))
SPECIAL = SpecialIds(pad=0, eos=1, bos=2, cls=3, sep=4, mask=5, sentinels=_SENTINELS)
SOURCES = ("web", "zh")


@dataclass(frozen=True, kw_only=True)
class Family:
    """A model and what it is trained on."""

    name: str
    model: dict[str, Any]
    objective: dict[str, Any]


FAMILIES = (
    Family(
        name="gpt2",
        model={"preset": "gpt2-test", **_SHAPE, "num_layers": 17},
        objective={"name": "causal"},
    ),
    Family(
        name="llama",
        model={"preset": "llama-7b", **_SHAPE, "num_layers": 16, "num_kv_heads": 4},
        objective={"name": "causal"},
    ),
    Family(
        name="t5",
        model={"preset": "t5-small", **_SHAPE, "head_width": 8, "num_layers": 8},
        objective={"name": "span_corruption"},
    ),
    Family(
        name="bert",
        model={"preset": "bert-base", **_SHAPE, "num_layers": 16},
        objective={"name": "masked"},
    ),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A parallel strategy under the name that the matrix shows."""

    name: str
    parallel: dict[str, Any]
    microbatches: int = 2

    @property
    def microbatch(self) -> int:
        """Rows of a micro-batch, so that each rank has the wanted number of them."""
        degrees = self.parallel
        data_ranks: int = degrees.get("dp_replicate", 1) * degrees.get("dp_shard", 1)
        return max(ROWS // data_ranks // self.microbatches, 1)


def cases(world: int) -> list[Case]:
    """The parallel strategies of a world of 4 or 8 ranks."""
    outer = world // 4
    pipe = {"pp": 4, "dp_replicate": outer}
    tensor = {"tp": 4, "dp_replicate": outer}
    product = {"pp": 2, "tp": 2, "dp_replicate": outer, "sequence_parallel": True}
    sharded = {"pp": 2, "dp_shard": 2, "dp_replicate": outer}
    return [
        Case(name="dp", parallel={"dp_replicate": world}),
        Case(name="fsdp", parallel={"dp_replicate": 1, "dp_shard": world}),
        Case(name="hsdp", parallel={"dp_replicate": 2, "dp_shard": world // 2}),
        Case(name="tp", parallel=tensor),
        Case(name="tp+sp", parallel={**tensor, "sequence_parallel": True}),
        *(
            Case(name=f"pp {kind}", parallel={**pipe, "pipeline_schedule": kind}, microbatches=4)
            for kind in ("gpipe", "1f1b", "interleaved", "zero_bubble")
        ),
        Case(name="fsdp x tp", parallel={"dp_replicate": 1, "dp_shard": world // 2, "tp": 2}),
        Case(
            name="pp x fsdp",
            parallel={**sharded, "pipeline_schedule": "interleaved"},
            microbatches=4,
        ),
        Case(name="pp x tp x dp", parallel=product, microbatches=4),
    ]


def make_rows(samples: NDArray[np.int64]) -> PackedRows:
    """Rows of one to three documents and some padding, a function of the sample's number."""
    ids, next_tokens, segments = [], [], []
    for index, sample in enumerate(samples.tolist()):
        rng = np.random.default_rng(sample)
        real = int(rng.integers(SEQ_LEN // 2, SEQ_LEN + 1))
        row = np.zeros(SEQ_LEN, np.int32)
        row[:real] = rng.integers(6, VOCAB - 20, real)
        ids.append(row)
        next_tokens.append(int(rng.integers(6, 900)) if real == SEQ_LEN else -1)
        inner = sorted({int(cut) for cut in rng.integers(2, real - 2, int(rng.integers(0, 3)))})
        bounds = [0, *inner, real]
        for number, (start, end) in enumerate(pairwise(bounds)):
            segments.append((index, start, end - start, (sample + number) % len(SOURCES)))
    columns = np.array(segments, np.int32).T
    return PackedRows(
        input_ids=np.stack(ids),
        next_token=np.array(next_tokens, np.int32),
        sample_index=samples,
        segment_row=columns[0],
        segment_start=columns[1],
        segment_length=columns[2],
        segment_source=columns[3],
        sources=SOURCES,
    )
