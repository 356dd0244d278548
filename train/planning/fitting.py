"""Find the largest micro-batch that fits by a forward and a backward pass of several sizes."""

from __future__ import annotations

import gc
import resource
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from schemas.errors import SettingsError
from train.batch.batch import Batch
from train.distributed.torch_private import TorchDispatchMode, tree_leaves
from train.model.config import ModelConfig
from train.model.transformer import build_model
from train.parallel.recompute import recompute_and_compile
from train.settings import TrainSettings

_HEADROOM = 0.9


@dataclass
class Fit:
    """Peak memory, in bytes, of each number of rows that was tried."""

    limit_bytes: int
    fixed_bytes: int
    peaks: dict[int, int] = field(default_factory=dict)

    @property
    def largest(self) -> int:
        """The most rows whose peak stays below the limit; 0 where none does."""
        fitting = [rows for rows, peak in self.peaks.items() if peak <= self.limit_bytes]
        return max(fitting, default=0)

    def describe(self) -> str:
        tried = ", ".join(f"{rows}: {peak / 1e9:.2f} GB" for rows, peak in self.peaks.items())
        return (
            f"largest micro-batch: {self.largest} rows within {self.limit_bytes / 1e9:.1f} GB "
            f"(weights, gradients and states take {self.fixed_bytes / 1e9:.2f}); {tried}"
        )


def largest_microbatch(
    settings: TrainSettings,
    config: ModelConfig,
    *,
    seq_len: int,
    limit_bytes: int | None = None,
) -> Fit:
    """Double the rows until memory or the batch ends; the growth is linear, so three sizes do.

    Measures one process with the whole model; parallel strategies share it, see `train plan`.

    Raises:
        SettingsError: Not even one row fits.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(config, seed=1).to(device)
    recompute_and_compile(model, recompute=settings.recompute, compiles=settings.compile)
    limit = limit_bytes or int(_free_bytes(device) * _HEADROOM)
    fixed = 4 * 4 * sum(parameter.numel() for parameter in model.parameters())
    fit = Fit(limit_bytes=limit, fixed_bytes=fixed)
    rows = 1
    while rows <= settings.batch.sequences:
        peak = fixed + activation_bytes(
            model, any_batch(rows, seq_len, config.vocab_size).to(device)
        )
        fit.peaks[rows] = peak
        if peak > limit:
            break
        rows *= 2
    if fit.largest == 0:
        raise SettingsError(
            f"batch.microbatch: one row needs {fit.peaks[1]} bytes, {limit} are free"
        )
    return fit


class _Made(TorchDispatchMode):
    """Records the storages that operations make, without keeping them alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._sizes: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                reference = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
                self._sizes[storage.data_ptr()] = (reference, storage.nbytes())
        return out

    def live_bytes(self, *, without: set[int]) -> int:
        """Bytes of the storages that are still alive, but for those at some addresses."""
        total = 0
        for address, (reference, size) in self._sizes.items():
            is_gone: bool = reference.expired()  # type: ignore[no-untyped-call]
            if address not in without and not is_gone:
                total += size
        return total


def activation_bytes(model: torch.nn.Module, batch: Batch) -> int:
    """Bytes that a forward pass leaves for the backward pass; each storage counts once.

    Counted as what is alive between the two: what selective recomputation keeps never passes through
    autograd's hooks for saved tensors.
    """
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    made = _Made()
    with made:
        sums = model(batch)
    gc.collect()
    kept = made.live_bytes(without=own)
    sums.loss.backward()
    model.zero_grad(set_to_none=True)
    return kept


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if sys.platform == "linux":
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable"):
                    return int(line.split()[1]) * 1024
    return resource.getrlimit(resource.RLIMIT_AS)[0]


def any_batch(rows: int, seq_len: int, vocab_size: int) -> Batch:
    """A batch of random tokens that all have a label, which is an objective's worst case."""
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(0, vocab_size, (rows, seq_len)))
    # A decoder of its own reads at most as many tokens.
    return Batch.of_whole_rows(ids, ids, decoder_ids=ids)
