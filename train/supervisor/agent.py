"""The agent of a host: forks ranks from a process that has imported everything, and watches them.

It is the parent of the ranks, so it alone can see each exit with its code (pidfd) and each stop
(`waitid(WSTOPPED)`). It decides nothing: what it sees goes to the supervisor, which tells it what to do. It stays
without threads, so that forking is safe; the store of the process groups lives in a child of its own.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined] # public, not in __all__

from schemas.errors import PipelineError
from train.distributed.world import leave_process
from train.sections import MAX_BYTES, SOCKET_VARIABLE
from train.supervisor.kernel import kernel_kills
from train.supervisor.rank import become_child, live, stack_path
from train.supervisor.sniff import sniff
from train.supervisor.wire import Message, Wire

logger = logging.getLogger(__name__)

RunRank = Callable[[list[str]], int]
_STORE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class _Child:
    """A rank as its parent holds it."""

    rank: int
    pid: int
    pidfd: int
    reports: socket.socket


class Agent:
    """Does what the supervisor says, and tells it what happens to the ranks of this host."""

    def __init__(self, wire: Wire, run_rank: RunRank, *, scratch: Path) -> None:
        """Make an agent.

        Args:
            wire: The connection to the supervisor.
            run_rank: What a rank does with the arguments that the supervisor sends.
            scratch: Folder that the examination of the host writes to.
        """
        self._wire, self._run_rank, self._scratch = wire, run_rank, scratch
        self._children: dict[int, _Child] = {}
        self._helpers: dict[int, int] = {}  # process by pidfd: the store, an examination
        self._selector = selectors.DefaultSelector()
        self._kills_before = 0
        self._code: int | None = None

    def serve(self) -> int:
        """Work until the supervisor says that it is over; returns the exit code that it gives.

        Raises:
            ConnectionError: The supervisor is gone; the ranks are ended.
            PipelineError: The supervisor does not take this host.
        """
        woken, wake = socket.socketpair()
        for end in (woken, wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wire, selectors.EVENT_READ, self._obey)
        self._selector.register(woken, selectors.EVENT_READ, lambda: self._see_stops(woken))
        self._tell("ready", pid=os.getpid(), host=socket.gethostname())
        try:
            while self._code is None:
                for key, _ in self._selector.select():
                    key.data()
        finally:
            signal.set_wakeup_fd(-1)
            self._signal_all(signal.SIGKILL)
            for pid in self._helpers.values():
                _signal(pid, signal.SIGKILL)
        return self._code

    def _tell(self, what: str, **fields: Any) -> None:
        self._wire.send(tell=what, **{"at": time.monotonic(), **fields})

    def _obey(self) -> None:
        for message in self._wire.receive():
            match message.get("do"):
                case "spawn":
                    self._spawn(message)
                case "store":
                    self._open_store(str(message["address"]))
                case "signal":
                    self._signal_one(int(message["rank"]), int(message["number"]))
                case "sniff":
                    self._sniff()
                case "learnt":
                    self._pass_on(self._children, {"learnt": message["seconds"]})
                case "regroup":
                    left = [rank for rank in message["ranks"] if rank in self._children]
                    said = {"generation": message["generation"], "ranks": message["ranks"]}
                    self._pass_on(left, said)
                case "end":
                    self._code = int(message["code"])
                case "refuse":
                    raise PipelineError(f"the leader refuses this host: {message['reason']}")

    def _spawn(self, message: Message) -> None:
        self._kills_before = kernel_kills()
        for local_rank, rank in enumerate(message["ranks"]):
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._become_rank(message, rank, local_rank, theirs, parent)
            theirs.close()
            ours.setblocking(False)
            child = _Child(rank=rank, pid=pid, pidfd=os.pidfd_open(pid), reports=ours)
            self._watch(child)
            self._tell("spawned", rank=rank, pid=pid)

    def _watch(self, child: _Child) -> None:
        self._children[child.rank] = child
        self._selector.register(child.pidfd, selectors.EVENT_READ, lambda: self._bury(child))
        self._selector.register(child.reports, selectors.EVENT_READ, lambda: self._hear(child))

    def _become_rank(
        self, message: Message, rank: int, local_rank: int, reports: socket.socket, parent: int
    ) -> NoReturn:
        code = 1
        try:
            become_child(parent)
            self._let_go()
            os.set_inheritable(reports.fileno(), True)
            os.environ.update({key: str(value) for key, value in message["environment"].items()})
            os.environ.update(
                RANK=str(rank),
                LOCAL_RANK=str(local_rank),
                LOCAL_WORLD_SIZE=str(len(message["ranks"])),
            )
            os.environ[SOCKET_VARIABLE] = str(reports.detach())
            code = live(
                self._run_rank, message["argv"], stack=stack_path(Path(message["folder"]), rank)
            )
        finally:
            leave_process(code)

    def _let_go(self) -> None:
        """Close in a child what only the agent uses."""
        self._selector.close()
        self._wire.close()
        for child in self._children.values():
            child.reports.close()
            os.close(child.pidfd)

    def _open_store(self, address: str) -> None:
        """Hold the store in a child: its threads must not be where ranks are forked."""
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                become_child(parent)
                self._let_go()
                store = TCPStore(
                    address, 0, is_master=True, wait_for_workers=False,
                    timeout=timedelta(seconds=_STORE_SECONDS),
                )  # fmt: skip
                theirs.sendall(json.dumps(store.port).encode())
                theirs.close()
                while True:
                    signal.pause()
            finally:
                leave_process(1)
        theirs.close()
        self._keep_helper(pid)
        ours.settimeout(_STORE_SECONDS)
        said = ours.recv(64)
        ours.close()
        self._tell("store", port=json.loads(said) if said else None)

    def _sniff(self) -> None:
        """Examine the host in a child: what hangs there hangs nobody else."""
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                become_child(parent)
                self._let_go()
                # Threads that the agent may have used are not in its fork, and would be waited for.
                torch.set_num_threads(1)
                theirs.sendall(json.dumps(sniff(self._scratch)).encode())
            finally:
                leave_process(0)
        theirs.close()
        self._keep_helper(pid)
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear_sniff(ours))

    def _hear_sniff(self, ours: socket.socket) -> None:
        self._selector.unregister(ours)
        ours.settimeout(1.0)
        said = b""
        with suppress(OSError):
            while data := ours.recv(MAX_BYTES):
                said += data
        ours.close()
        self._tell("sniffed", faults=json.loads(said) if said else ["the examination died"])

    def _keep_helper(self, pid: int) -> None:
        pidfd = os.pidfd_open(pid)
        self._helpers[pidfd] = pid
        self._selector.register(pidfd, selectors.EVENT_READ, lambda: self._bury_helper(pidfd))

    def _bury_helper(self, pidfd: int) -> None:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        self._selector.unregister(pidfd)
        os.close(pidfd)
        del self._helpers[pidfd]

    def _hear(self, child: _Child) -> None:
        """Pass on what a rank reports."""
        # Its end may have been seen in the same look as this report, and before it.
        while child.reports.fileno() >= 0:
            try:
                data = child.reports.recv(MAX_BYTES)
            except (BlockingIOError, ConnectionError):
                return
            if not data:
                self._selector.unregister(child.reports)
                return
            with suppress(ValueError):  # cut where it was too long
                message = json.loads(data)
                what = "words" if "words" in message else "section"
                self._tell(what, rank=child.rank, **message)

    def _bury(self, child: _Child) -> None:
        """Tell how a rank ended, after all that it said."""
        end = os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED)
        assert end is not None
        self._selector.unregister(child.pidfd)
        if child.reports.fileno() in self._selector.get_map():
            self._hear(child)
            with suppress(KeyError):
                self._selector.unregister(child.reports)
        os.close(child.pidfd)
        child.reports.close()
        del self._children[child.rank]
        is_signal = end.si_code != os.CLD_EXITED
        self._tell(
            "exit",
            rank=child.rank,
            code=None if is_signal else end.si_status,
            signal=end.si_status if is_signal else None,
            kernel_kills=kernel_kills() - self._kills_before,
        )

    def _see_stops(self, woken: socket.socket) -> None:
        with suppress(BlockingIOError):
            woken.recv(4096)
        for child in list(self._children.values()):
            while True:
                how = os.WSTOPPED | os.WCONTINUED | os.WNOHANG
                try:
                    seen = os.waitid(os.P_PIDFD, child.pidfd, how)
                except ChildProcessError:
                    break
                if seen is None:
                    break
                what = "continued" if seen.si_code == os.CLD_CONTINUED else "stopped"
                self._tell(what, rank=child.rank, signal=seen.si_status)

    def _signal_one(self, rank: int, number: int) -> None:
        if rank in self._children:
            _signal(self._children[rank].pid, number)

    def _signal_all(self, number: int) -> None:
        for rank in list(self._children):
            self._signal_one(rank, number)

    def _pass_on(self, ranks: Iterable[int], said: dict[str, Any]) -> None:
        for rank in ranks:
            with suppress(OSError):
                self._children[rank].reports.send(json.dumps(said).encode())


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
