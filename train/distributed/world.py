"""The process group: from torchrun's environment, or one process alone."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import (  # type: ignore[attr-defined] # public, not in __all__
    PrefixStore,
    ProcessGroup,
    TCPStore,
)
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh


@dataclass(kw_only=True, eq=False)
class World:
    """Who this process is among all ranks; both numbers change where ranks go on without a lost one.

    Attributes:
        generation: How often ranks were lost since the attempt began.
        timeout: How long a collective waits.
    """

    rank: int
    size: int
    device: torch.device
    generation: int = 0
    timeout: timedelta = timedelta(minutes=30)
    _meshes: dict[tuple[int, ...], DeviceMesh] = field(
        default_factory=dict, repr=False, compare=False
    )
    _groups: dict[tuple[int, ...], ProcessGroup] = field(
        default_factory=dict, repr=False, compare=False
    )
    _when_first: list[Callable[[], None]] = field(default_factory=list, repr=False)

    @property
    def is_first(self) -> bool:
        """Whether this rank speaks for all: logs, files, events."""
        return self.rank == 0

    def when_first(self, take_on: Callable[[], None]) -> None:
        """Have a function called where this rank becomes the first one later, because that one is lost."""
        self._when_first.append(take_on)

    def go_on_with(self, ranks: Sequence[int], *, generation: int) -> None:
        """Meet the ranks that are left under names of their own; each of them calls it.

        Every other reference to a group of before must be gone: peers learn from its closed connections that
        this rank waits no longer.

        Args:
            ranks: Their numbers when the attempt began, in order; they are numbered anew.
            generation: How often ranks were lost since then, this time included.
        """
        self._meshes.clear()
        self._groups.clear()
        dist.destroy_process_group()
        was_first, self.generation = self.is_first, generation
        self.rank, self.size = ranks.index(int(os.environ["RANK"])), len(ranks)
        if self.size > 1:
            _join(_backend(self.device), self.timeout, rank=self.rank, size=self.size,
                  generation=generation)  # fmt: skip
        if self.is_first and not was_first:
            for take_on in self._when_first:
                take_on()

    def sum(self, values: Tensor) -> Tensor:
        """Sum a tensor over all ranks, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def gather_values(self, value: Any) -> list[Any]:
        """What each rank gives, in the order of ranks, on all of them; for values among our own ranks."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - the flag is the data
        """Whether any rank says so; every rank gets the same answer."""
        if self.size == 1:
            return flag
        return bool(self.sum(torch.tensor([int(flag)], device=self.device)).item())

    def gather(self, values: Tensor) -> Tensor:
        """Vectors of all ranks as the rows of one tensor on the CPU, in the order of the ranks."""
        if self.size == 1:
            return values.cpu().unsqueeze(0)
        parts = [torch.empty_like(values, device=self.device) for _ in range(self.size)]
        dist.all_gather(parts, values.to(self.device))
        return torch.stack(parts).cpu()

    def tell(self, value: Any) -> Any:
        """What the first rank has, on all ranks; JSON can hold it."""
        if self.size == 1:
            return value
        text = json.dumps(value).encode() if self.is_first else b""
        size = self.sum(torch.tensor([len(text)], device=self.device))
        held = torch.zeros(int(size), dtype=torch.uint8, device=self.device)
        if self.is_first:
            held.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
        dist.broadcast(held, src=0)
        return json.loads(bytes(held.cpu().numpy().tobytes()))

    def mesh(self, shape: tuple[int, ...], names: tuple[str, ...]) -> DeviceMesh:
        """The device mesh of a shape; all ranks call it together, always with the same names.

        Made once: every group keeps a thread that wakes a hundred times a second, and DTensor's
        caches take equal meshes for one, so that a second mesh would use the first one's groups.
        """
        if shape not in self._meshes:
            made = init_device_mesh(self.device.type, shape, mesh_dim_names=names)
            self._meshes[shape] = made
        return self._meshes[shape]

    def group(self, ranks: Sequence[int]) -> ProcessGroup:
        """The group of some ranks, made once; all ranks of the world call it together."""
        key = tuple(ranks)
        if key not in self._groups:
            self._groups[key] = dist.new_group(list(key))
        return self._groups[key]

    def cpu_group(self) -> ProcessGroup:
        """A group of all ranks over gloo, made once; all of them call it together."""
        if () not in self._groups:
            self._groups[()] = dist.new_group(backend="gloo")
        return self._groups[()]

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def open_world(*, timeout_seconds: float) -> Iterator[World]:
    """Join the process group of torchrun, where there is one, and leave it at the end.

    gloo on CPUs, NCCL for CUDA tensors. The default timeout of 30 minutes would hide a dead rank;
    the recipe's `step_timeout_seconds` replaces it.
    """
    device = _device()
    if "RANK" not in os.environ:
        yield World(rank=0, size=1, device=device)
        return
    timeout = timedelta(seconds=timeout_seconds)
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    _join(_backend(device), timeout, rank=rank, size=size)
    try:
        yield World(rank=rank, size=size, device=device, timeout=timeout)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _backend(device: torch.device) -> str:
    return "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"


def _join(backend: str, timeout: timedelta, *, rank: int, size: int, generation: int = 0) -> None:
    """Join the process group that torchrun's variables describe.

    Its ranks meet at the agent's own store, which outlives them: after a restart gloo would find the addresses of
    the dead attempt there and wait for them. So each attempt has its own names in it, and so has each generation of it.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        dist.init_process_group(backend, timeout=timeout)
        return
    store = TCPStore(
        os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False, timeout=timeout
    )
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    dist.init_process_group(
        backend,
        store=PrefixStore(f"attempt-{attempt}-{generation}", store),
        rank=rank,
        world_size=size,
        timeout=timeout,
    )


def leave_process(code: int = 0) -> NoReturn:
    """End a rank that has closed all it opened, without the interpreter's own teardown.

    A gloo thread can hold the last reference to a tensor that Python made for some time after the
    collective is over. Where it lets go while the interpreter is torn down it asks for a lock that no
    longer exists, and a run that ended well dies of SIGABRT ("terminate called without an active
    exception"), which torchrun takes for a failure.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device
