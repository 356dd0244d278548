"""Start the processes of an asynchronous run on this machine, and outlive those that die.

torchrun ends all processes when one fails; servers need not.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from types import FrameType

from train.parallel.config import AsynchronousConfig

logger = logging.getLogger(__name__)

_HOST = "127.0.0.1"


def launch(config: AsynchronousConfig, arguments: list[str]) -> int:
    """Run `python -m train ARGUMENTS` once per server and worker; the first server's exit code.

    It is 1 where a signal ended that server.

    SIGTERM is passed on: the workers stop, the servers save.
    """
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        port = listener.getsockname()[1]
    processes: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    for rank in range(config.processes):
        processes.append(_start(rank, config, port, arguments))
    servers, workers = processes[: config.servers], processes[config.servers :]
    try:
        code = _wait_for_first(servers, workers, port)
    finally:
        for process in processes:
            if process.returncode is None and processes[0].returncode != 0:
                process.kill()
    if code < 0:
        logger.error("the first server was ended by signal %d", -code)
        code = 1
    for number, process in enumerate(workers):
        if process.wait() != 0:
            logger.warning("worker %d ended with exit code %d", number, process.returncode)
    return code


def _wait_for_first(
    servers: list[subprocess.Popen[bytes]], workers: list[subprocess.Popen[bytes]], port: int
) -> int:
    """Exit code of the first server; it ends with any other: the weights are no longer whole."""
    first, told = servers[0], set[int]()
    while True:
        try:
            return first.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            if any(server.poll() not in (None, 0) for server in servers[1:]):
                first.kill()
            for number, worker in enumerate(workers):
                if worker.poll() not in (None, 0) and number not in told:
                    # torch is imported only where a worker has died.
                    from train.parameter_server.rendezvous import tell_worker_ended

                    if tell_worker_ended(_HOST, port, number):
                        told.add(number)


def _start(
    rank: int, config: AsynchronousConfig, port: int, arguments: list[str]
) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "RANK": str(rank),
        "WORLD_SIZE": str(config.processes),
        "MASTER_ADDR": _HOST,
        "MASTER_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "train", *arguments], env=environment)
    name = "server" if rank < config.servers else "worker"
    number = rank if rank < config.servers else rank - config.servers
    logger.info("%s %d: process %d", name, number, process.pid)
    return process
