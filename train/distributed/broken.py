"""Which errors only say that ranks lost each other."""

from __future__ import annotations

import traceback

# Frames of a call that needs all ranks: where one of them is gone, it raises in the others.
_COLLECTIVES = ("torch/distributed/distributed_c10d.py", "torch/distributed/rendezvous.py")
_COLLECTIVE_ERRORS = frozenset(
    {"RuntimeError", "DistError", "DistBackendError", "DistNetworkError", "DistStoreError"}
)


def is_of_collective(error: BaseException) -> bool:
    """Whether an error rose in a call that needs all ranks, by its class and the frames that it passed."""
    if type(error).__name__ not in _COLLECTIVE_ERRORS or not str(error):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.filename.endswith(_COLLECTIVES) for frame in frames)
