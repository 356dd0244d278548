"""How much of the hardware a run uses: MFU (Chowdhery et al. 2022, appendix B)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from train.distributed.world import World

# Dense bf16 operations per second, from the makers' data sheets.
_PEAKS = {
    "H200": 989e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
    "V100": 125e12,
}
_SIZE, _REPEATS = 768, 6


@dataclass(kw_only=True)
class ModelSpeed:
    """Which share of the hardware's peak a run's own operations are (MFU).

    Attributes:
        flops_per_token: Operations of the model for one token, forward and backward; None for
            models that cannot say.
        peak_flops: Operations of one rank in a second at most; None: as `peak_flops` finds them,
            when they are first asked for.
    """

    flops_per_token: float | None
    peak_flops: float | None
    world: World

    def mfu(self, tokens_per_second: float) -> float | None:
        """Share of the peak of all ranks together; None where the operations are not known, and on all but the first."""
        if self.flops_per_token is None or not self.world.is_first:
            return None
        if self.peak_flops is None:
            self.peak_flops = peak_flops(self.world.device)
        return tokens_per_second * self.flops_per_token / (self.peak_flops * self.world.size)


def peak_flops(device: torch.device) -> float:
    """The most operations per second: from the data sheet, or measured on a product of matrices.

    A measured peak depends on the load of the machine; measuring takes a fifth of a second.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for known, peak in _PEAKS.items():
            if known in name:
                return peak
    matrix = torch.rand(_SIZE, _SIZE, device=device)
    best = float("inf")
    for _ in range(_REPEATS):
        started = time.perf_counter()
        float((matrix @ matrix)[0, 0])
        best = min(best, time.perf_counter() - started)
    return 2 * _SIZE**3 / best
