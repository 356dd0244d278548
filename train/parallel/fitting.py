"""The largest micro-batch that fits, found by trying: a forward and a backward pass each."""

from __future__ import annotations

import gc
import resource
import sys
from dataclasses import dataclass, field

import numpy as np
import torch

from schemas.errors import SettingsError
from train.batch import Batch
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.parallel.compose import recompute_and_compile
from train.settings import TrainSettings

_HEADROOM = 0.9


@dataclass
class Fit:
    """Peak memory of each size that was tried."""

    limit_bytes: int
    fixed_bytes: int
    peaks: dict[int, int] = field(default_factory=dict)

    @property
    def largest(self) -> int:
        """The largest that stays below the limit."""
        fitting = [rows for rows, peak in self.peaks.items() if peak <= self.limit_bytes]
        return max(fitting, default=0)

    def describe(self) -> str:
        """For people."""
        tried = ", ".join(f"{rows}: {peak / 1e9:.2f} GB" for rows, peak in self.peaks.items())
        return (
            f"largest micro-batch: {self.largest} rows within {self.limit_bytes / 1e9:.1f} GB "
            f"(weights, gradients and states take {self.fixed_bytes / 1e9:.2f}); {tried}"
        )


def largest_microbatch(
    settings: TrainSettings, *, vocab_size: int, seq_len: int, limit_bytes: int | None = None
) -> Fit:
    """Double the rows until memory or the batch ends; the growth is linear, so three sizes do.

    Measures one process with the whole model; layouts share it, see `train plan`.

    Raises:
        SettingsError: Not even one row fits.
    """
    config = resolve_model(settings.model, vocab_size=vocab_size, seq_len=seq_len)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(config, seed=1).to(device)
    recompute_and_compile(settings, model)
    limit = limit_bytes or int(_free_bytes(device) * _HEADROOM)
    fixed = 4 * 4 * sum(parameter.numel() for parameter in model.parameters())
    fit = Fit(limit_bytes=limit, fixed_bytes=fixed)
    rows = 1
    while rows <= settings.batch.sequences:
        peak = fixed + activation_bytes(model, any_batch(rows, seq_len, vocab_size).to(device))
        fit.peaks[rows] = peak
        if peak > limit:
            break
        rows *= 2
    if fit.largest == 0:
        raise SettingsError(
            f"batch.microbatch: one row needs {fit.peaks[1]} bytes, {limit} are free"
        )
    return fit


def activation_bytes(model: torch.nn.Module, batch: Batch) -> int:
    """Bytes kept for the backward pass, as autograd saves them; each storage counts once."""
    seen: dict[int, int] = {}
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        sums = model(batch)
    sums.loss.backward()
    model.zero_grad(set_to_none=True)
    gc.collect()
    return sum(seen.values())


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
    """Any tokens, each with a label: the worst case of an objective."""
    rng = np.random.default_rng(0)
    ids = torch.from_numpy(rng.integers(0, vocab_size, (rows, seq_len)))
    # A decoder of its own reads at most as many tokens.
    return Batch(
        input_ids=ids,
        labels=ids,
        document=torch.ones_like(ids),
        positions=torch.arange(seq_len).expand(rows, -1),
        segment=torch.arange(rows)[:, None].expand(-1, seq_len),
        segment_source=torch.zeros(rows, dtype=torch.int64),
        num_sources=1,
        is_whole=True,
        decoder_ids=ids,
    )
