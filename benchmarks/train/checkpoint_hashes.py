"""What the index and its SHA-256 cost: seconds to save and to load with them, and as torch alone does.

    python -m benchmarks.train.checkpoint_hashes [--megabytes 512]

CPU time of the process, one thread; the disk's own time depends on the machine and is the same for both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from benchmarks.record import argument_parser, record
from train.checkpoint.config import CheckpointConfig
from train.checkpoint.state_file import verify_checkpoint
from train.checkpoint.store import CheckpointStore, load_tensors
from train.distributed.world import World

TENSORS = 32


def main() -> None:
    """Save and load the same tensors in both ways."""
    parser = argument_parser(__doc__)
    parser.add_argument("--megabytes", type=int, default=512)
    args = parser.parse_args()
    torch.set_num_threads(1)
    numbers = args.megabytes * 1_000_000 // 4 // TENSORS
    tensors = {f"w{index}": torch.randn(numbers) for index in range(TENSORS)}
    world = World(rank=0, size=1, device=torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "torch"
        store = CheckpointStore(
            folder=Path(folder) / "ours", config=CheckpointConfig(asynchronous=False), world=world
        )
        ours = store.path(1)
        state: dict[str, Any] = {"identity": {}, "settings": {}}
        seconds = {
            "save_torch": _cpu(lambda: save(tensors, checkpoint_id=plain, no_dist=True)),
            "save_ours": _cpu(lambda: store.save(1, tensors, state)),
            "load_torch": _cpu(lambda: load(tensors, checkpoint_id=plain, no_dist=True)),
            "load_ours": _cpu(lambda: load_tensors(ours, tensors, world_size=1)),
            "verify_ours": _cpu(lambda: verify_checkpoint(ours)),
        }
    record("checkpoint_hashes", {"megabytes": args.megabytes, "cpu_seconds": seconds})


def _cpu(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return round(time.process_time() - started, 2)


if __name__ == "__main__":
    main()
