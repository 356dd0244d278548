"""Faults for a supervised run: each strikes one rank, once, at a section of a step.

    python -m benchmarks.train.chaos_faults AGENT_ARGUMENTS

is `python -m train supervise` whose ranks read the file that CHAOS_PLAN names when they enter a section.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import argument_parser
from schemas.errors import run_main
from train import sections
from train.commands import supervise
from train.parallel.gradients import GradientSums
from train.parallel.tree import TreeStrategy

PLAN_VARIABLE = "CHAOS_PLAN"
_HOG_BYTES, _GROUP_BYTES, _SMALL_FILE = 16 << 20, 64 << 20, 2_000
_CYCLE_SECONDS = 0.05, 0.15  # of a slow host: running, standing still


def _leave() -> None:
    os._exit(1)


def _raise() -> None:
    raise RuntimeError("injected at 0x7f00deadbeef")


def _raise_later() -> None:
    """An exception that arrives in the main thread between any two instructions."""
    main = ctypes.c_ulong(threading.main_thread().ident or 0)

    def strike() -> None:
        time.sleep(0.001)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(main, ctypes.py_object(RuntimeError))

    threading.Thread(target=strike, daemon=True).start()


def _hold_gil() -> None:
    ctypes.PyDLL(None).sleep(3600)


def _eat_memory() -> None:
    """Fill a memory group of its own until the kernel kills this rank."""
    own = f"chaos-{os.getpid()}"
    first, second = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    group, limit = (
        (first / own, "memory.limit_in_bytes") if first.is_dir() else (second / own, "memory.max")
    )
    group.mkdir()
    (group / limit).write_text(str(_GROUP_BYTES))
    (group / "cgroup.procs").write_text(str(os.getpid()))
    held = []
    while True:
        held.append(bytearray(b"x" * _HOG_BYTES))


def _fill_disk() -> None:
    """Let no file grow: what a full disk does to a checkpoint, without a file system of its own."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (_SMALL_FILE, resource.RLIM_INFINITY))


def _cut_checkpoint() -> None:
    """Cut the largest file of the newest checkpoint, and die."""
    folder = Path(_plan()["output"]) / "checkpoints"
    newest = folder / (folder / "latest").read_text().strip()
    largest = max((newest / "weights").glob("*.distcp"), key=lambda path: path.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)


def _alter_shard() -> None:
    """Change a byte of a shard that is read, and die: the next attempt meets it."""
    path = Path(_plan()["shard"])
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_host() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def _slow_down() -> None:
    """Let a process outside stop and continue this rank for the rest of its life."""
    victim = os.getpid()
    if os.fork() == 0:
        try:
            while True:
                os.kill(victim, signal.SIGSTOP)
                time.sleep(_CYCLE_SECONDS[1])
                os.kill(victim, signal.SIGCONT)
                time.sleep(_CYCLE_SECONDS[0])
        finally:
            os._exit(0)


def _signal(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _segfault() -> None:
    ctypes.string_at(0)


def _poison(change: Callable[[torch.Tensor], None]) -> Callable[[], None]:
    """Change the first gradient of this rank before it is summed with the others'."""

    def arm() -> None:
        reduce = GradientSums.reduce

        def poisoned(self: GradientSums, parts: Any, *args: Any, **more: Any) -> Any:
            GradientSums.reduce = reduce  # type: ignore[method-assign]
            first = next(p for part in parts for p in part.parameters() if p.grad is not None)
            change(first.grad.view(-1))
            return reduce(self, parts, *args, **more)

        GradientSums.reduce = poisoned  # type: ignore[method-assign]

    return arm


def _make_nan(flat: torch.Tensor) -> None:
    flat[0] = float("nan")


def _flip_weight() -> None:
    """Flip a bit of the first weight of this rank before its next forward pass."""
    accumulate = TreeStrategy.accumulate

    def with_flip(self: TreeStrategy, *args: Any, **more: Any) -> Any:
        TreeStrategy.accumulate = accumulate  # type: ignore[method-assign]
        weight = next(parameter for part in self.parts for parameter in part.parameters())
        weight.detach().view(-1)[:1].view(torch.int32).bitwise_xor_(1 << 22)
        return accumulate(self, *args, **more)

    TreeStrategy.accumulate = with_flip  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "SIGKILL": _signal(signal.SIGKILL),
    "SIGTERM": _signal(signal.SIGTERM),
    "SIGSTOP": _signal(signal.SIGSTOP),
    "SIGSEGV": _segfault,
    "abort": os.abort,
    "exit 1": _leave,
    "exception": _raise,
    "asynchronous exception": _raise_later,
    "GIL held": _hold_gil,
    "memory eaten": _eat_memory,
    "full disk": _fill_disk,
    "checkpoint cut": _cut_checkpoint,
    "shard altered": _alter_shard,
    "dead host": _kill_host,
    "slow host": _slow_down,
    "NaN in a gradient": _poison(_make_nan),
    "flipped bit": _flip_weight,
}


def _plan() -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(Path(os.environ[PLAN_VARIABLE]).read_text())
    return plan


def strike(section: str, step: int) -> None:
    """Inject the planned fault if this is its moment; the plan is taken down before it strikes."""
    path = Path(os.environ[PLAN_VARIABLE])
    if "RANK" not in os.environ or not path.is_file():
        return
    plan = _plan()
    is_here = section == plan["section"] and os.environ["RANK"] == str(plan["rank"])
    if not is_here or step < plan["step"] or plan["struck"] is not None:
        return
    struck = path.with_suffix(".struck")
    struck.write_text(json.dumps({**plan, "struck": time.time()}))
    struck.replace(path)  # other ranks read the plan at this very moment
    FAULTS[plan["fault"]]()


def main(argv: list[str] | None = None) -> int:
    """The verb, with faults."""
    parser = argument_parser(__doc__)
    supervise.add_arguments(parser)
    args = parser.parse_args(argv)
    sections.observe(strike)
    return supervise.supervise(args, [sys.executable, "-m", "benchmarks.train.chaos_faults"])


if __name__ == "__main__":
    run_main(main)
