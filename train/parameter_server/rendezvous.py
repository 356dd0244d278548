"""How servers and workers find each other: keys of one store, and a link of each pair."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from torch.distributed import TCPStore  # type: ignore[attr-defined] # public, not in __all__

from train.distributed.links import GlooLink

# With torchrun the store outlives the processes: what a dead attempt said must not be heard.
_ATTEMPT = f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
_START, _READY = f"{_ATTEMPT}-start_step", f"{_ATTEMPT}-server_ready"
_JOINED, _FOLDER = f"{_ATTEMPT}-worker_joined", f"{_ATTEMPT}-folder_ready"
_WORKER_ENDED = f"{_ATTEMPT}-worker_ended"
_LOOK_SECONDS, _TELL_SECONDS = 0.1, 5
_OBSERVER, _PATIENT_SECONDS = "observer", 30 * 86400.0


@dataclass(frozen=True, kw_only=True)
class Rendezvous:
    """The store of a run on parameter servers; the first server listens.

    Attributes:
        timeout_seconds: How long a process waits for another one.
    """

    store: TCPStore
    timeout_seconds: float

    @classmethod
    def open(cls, rank: int, *, timeout_seconds: float) -> Rendezvous:
        """Join the store that MASTER_ADDR and MASTER_PORT name; rank 0 listens, unless torchrun does."""
        has_agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        store = TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=rank == 0 and not has_agent,
            wait_for_workers=False,
            timeout=timedelta(seconds=timeout_seconds),
        )
        return cls(store=store, timeout_seconds=timeout_seconds)

    def tell_folder_is_ready(self) -> None:
        """Tell all that the first server holds the run's folder, and that its checkpoint stands."""
        self.store.set(_FOLDER, "")

    def wait_for_folder(self) -> None:
        """Wait until the first server has told it."""
        self.store.wait([_FOLDER])

    def tell_server_is_ready(self, number: int) -> None:
        """Tell the first server that another one has read the checkpoint."""
        self.store.set(f"{_READY}-{number}", "")

    def wait_for_servers(self, numbers: Iterable[int]) -> None:
        """Wait until these servers are ready."""
        self.store.wait([f"{_READY}-{number}" for number in numbers])

    def tell_start_step(self, step: int) -> None:
        """Tell the workers which step is the next one to do."""
        self.store.set(_START, str(step))

    def start_step(self) -> int:
        """Wait for the step that the first server told."""
        return int(self.store.get(_START))

    def links_to_servers(self, servers: int, worker: int) -> list[GlooLink]:
        """Join as a worker; a link to each server."""
        self.store.set(f"{_JOINED}-{worker}", "")
        return [self._link(server, str(worker), end="worker") for server in range(servers)]

    def links_to_workers(self, server: int, workers: int) -> list[Callable[[], GlooLink]]:
        """Functions that wait for a worker each, and give the link to it."""
        return [partial(self._link_to_worker, server, worker) for worker in range(workers)]

    def link_to_observer(self, server: int) -> GlooLink:
        """The link over which the first server reads the weights of this one."""
        return self._link(server, _OBSERVER, end="server")

    def links_of_observer(self, servers: Iterable[int]) -> list[GlooLink]:
        """Links over which the first server reads the weights of others."""
        return [self._link(server, _OBSERVER, end="worker") for server in servers]

    def _link(self, server: int, other: str, *, end: str) -> GlooLink:
        # A client of the store answers one thread at a time, and waiting for a peer takes it whole.
        own = self.store.clone()  # type: ignore[attr-defined]
        # The first server reads the weights when it saves, which may be hours from now.
        seconds = _PATIENT_SECONDS if other == _OBSERVER else self.timeout_seconds
        return GlooLink(
            own, f"{_ATTEMPT}-asynchronous-{server}-{other}", end=end, timeout_seconds=seconds
        )

    def _link_to_worker(self, server: int, worker: int) -> GlooLink:
        """Wait for a worker; one that died before it joined would be waited for until the timeout.

        Raises:
            ConnectionError: It ended, or did not come in time.
        """
        own = self.store.clone()  # type: ignore[attr-defined]
        until = time.monotonic() + self.timeout_seconds
        while not own.check([f"{_JOINED}-{worker}"]):
            if own.check([f"{_WORKER_ENDED}-{worker}"]) or time.monotonic() > until:
                raise ConnectionError(f"worker {worker} did not join")
            time.sleep(_LOOK_SECONDS)
        return self._link(server, str(worker), end="server")


def tell_worker_ended(host: str, port: int, worker: int) -> bool:
    """Tell the servers, who may be waiting for it to join; False where nobody listens yet."""
    try:
        store = TCPStore(
            host, port, is_master=False, wait_for_workers=False,
            timeout=timedelta(seconds=_TELL_SECONDS),
        )  # fmt: skip
        store.set(f"{_WORKER_ENDED}-{worker}", "")
    except RuntimeError:  # the first server does not listen yet
        return False
    return True
