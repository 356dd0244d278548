"""`train supervise`: a run that is started again by itself, on one host or on several."""

from __future__ import annotations

import argparse
import fcntl
import gc
import logging
import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from schemas.errors import PipelineError, SettingsError
from train.commands import pretrain
from train.commands.arguments import add_recipe_arguments, not_negative, positive, settings_of
from train.phases import split_phases
from train.recipe_facts import judge_recipe, ranks_of
from train.settings import TrainSettings, differing
from train.supervisor.door import (
    TOKEN_VARIABLE,
    Door,
    address_of,
    join_leader,
    token_of_environment,
)
from train.supervisor.hosts import HostBook
from train.supervisor.job import AskedToStop, Job
from train.supervisor.leader import Supervisor
from train.supervisor.links import AgentLinks
from train.supervisor.wire import Wire

logger = logging.getLogger(__name__)

SESSION_VARIABLE, LOCK_NAME = "TRAIN_SESSION", ".supervisor.lock"
_SPARE_SECONDS, _KEYS_SHOWN = 10.0, 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    pretrain.add_source_argument(parser)
    parser.add_argument("--ranks", type=positive, help="ranks of each host; default: the recipe's")
    parser.add_argument("--hosts", type=positive, default=1, help="hosts that work")
    parser.add_argument("--spares", type=not_negative, default=0, help="hosts that stand by")
    parser.add_argument(
        "--host-index", type=not_negative, default=0, help="which host this is; host 0 leads"
    )
    parser.add_argument("--leader", metavar="HOST:PORT", help="where host 0 listens")
    parser.add_argument(
        "--simulate", action="store_true", help="all hosts on this machine, on 127.0.0.2, 3 ..."
    )
    parser.add_argument("--host-name", help=argparse.SUPPRESS)
    parser.add_argument(
        "--scratch", type=Path, help="folder that the examination of a host writes to"
    )
    parser.add_argument("--agent", type=int, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Lead a run, or be the agent of a host of it."""
    return supervise(args, [sys.executable, "-m", "train", "supervise"])


def supervise(args: argparse.Namespace, program: Sequence[str]) -> int:
    """Do what the arguments say.

    Args:
        args: Of the verb.
        program: What starts this verb in another process.

    Returns:
        0 the run is done · 75 stopped on request, saved, go on later · 93 starting again would not help ·
        1 too many failures · 130 interrupted.
    """
    if args.source is not None:
        args.overrides += pretrain.start_from(args.source)
        args.source = None
    settings = settings_of(args)
    if settings.asynchronous is not None:
        raise SettingsError("asynchronous: parameter servers outlive their workers by themselves; "
                            "run `python -m train pretrain`")  # fmt: skip
    if args.agent is not None or args.host_index > 0:
        return _be_agent(args, settings)
    ranks = args.ranks or ranks_of(settings)
    judge_recipe(settings, ranks * args.hosts)
    if args.simulate:
        os.environ.setdefault(TOKEN_VARIABLE, secrets.token_hex(16))
    elif args.hosts + args.spares > 1 and args.leader is None:
        raise SettingsError("--hosts: several hosts need --leader HOST:PORT, the same on each")
    with ExitStack() as stack:
        stack.enter_context(held_folder(Path(settings.output)))
        return _lead(args, settings, ranks, program, stack)


def _lead(
    args: argparse.Namespace,
    settings: TrainSettings,
    ranks: int,
    program: Sequence[str],
    stack: ExitStack,
) -> int:
    asked = AskedToStop()
    asked.install()
    links, own = AgentLinks(), socket.gethostname()
    threads = {} if "OMP_NUM_THREADS" in os.environ or ranks == 1 else {"OMP_NUM_THREADS": "1"}
    os.environ.update({"OMP_WAIT_POLICY": "passive", **threads, **os.environ})
    arguments = _recipe_arguments(args)

    def start_own(host: str) -> bool:
        if host != own or args.simulate:
            return False
        links.start_here(
            host,
            [*program, *arguments, "--agent"],
            address=address_of(args.leader)[0] if args.leader else "127.0.0.1",
        )
        return True

    try:
        start_own(own)
        absent = _gather(args, settings, links, [*program, *arguments], stack)
        supervisor = Supervisor(
            job=Job(
                output=Path(settings.output),
                phases=[Path(phase.output) for phase in split_phases(settings)[:-1]],
                argv=arguments,
                ranks_per_host=ranks,
                session=_session(),
                config=settings.supervision,
                refuse=lambda size: _refuse(settings, size),
                takes_over=settings.takes_over,
            ),
            links=links,
            hosts=HostBook(hosts=links.in_order(), wanted=args.hosts),
            restart_agent=start_own,
            asked=asked,
        )
        for index, evidence in absent.items():
            supervisor.roster.note_absent(f"number {index}", evidence)
        code = supervisor.run()
    except BaseException:
        links.end(1)
        raise
    links.end(code)
    print(f"{settings.output}: {_MEANINGS.get(code, 'failed')} (exit code {code})", file=sys.stderr)
    return code


_MEANINGS = {
    0: "done",
    1: "failed too often; the same command goes on from the last checkpoint",
    75: "asked to stop; the same command goes on",
    93: "starting again would not help; events.jsonl says why",
    130: "interrupted; the same command goes on",
}


def _gather(
    args: argparse.Namespace,
    settings: TrainSettings,
    links: AgentLinks,
    program: Sequence[str],
    stack: ExitStack,
) -> dict[int, str]:
    """Wait for the agents of the other hosts, where there are some; the door stays open as long as the stack.

    Returns:
        By number, why the run begins without a host that was to stand by.

    Raises:
        PipelineError: Fewer hosts came than are to work.
    """
    wanted, count = args.hosts, args.hosts + args.spares
    if not args.simulate and count == 1:
        return {}
    name, port = address_of(args.leader) if args.leader else ("127.0.0.1", 0)
    address = ("127.0.0.1" if args.simulate else "", port)
    try:
        server = stack.enter_context(socket.create_server(address))
    except OSError as error:
        raise PipelineError(f"--leader: cannot listen on port {port}: {error.strerror}") from error
    judge = partial(_other_recipe, settings.model_dump(mode="json"))
    links.open(Door(server=server, token=token_of_environment(), judge=judge))
    if args.simulate:
        _simulate(links, server.getsockname()[1], count, program)
    numbers = range(1, count + 1) if args.simulate else range(count)
    seconds = settings.supervision.start_floor_seconds
    links.await_hosts(wanted, seconds)
    here = ", ".join(f"{link.index}: {host}" for host, link in links.by_host.items()) or "none"
    if len(links.by_host) < wanted:
        raise PipelineError(
            f"{len(links.by_host)} of {wanted} hosts came within {seconds:.0f} s to {name}:{server.getsockname()[1]}; "
            f"here: {here}"
        )
    links.await_hosts(count, _SPARE_SECONDS)
    there = {link.index for link in links.by_host.values()}
    absent = [number for number in numbers if number not in there]
    evidence = (
        f"did not come within {_SPARE_SECONDS:.0f} s to {name}:{server.getsockname()[1]}; here: {here}; "
        "the run begins without it and takes it in when it comes"
    )
    for number in absent:
        logger.warning("the host number %d %s", number, evidence)
    return dict.fromkeys(absent, evidence)


def _other_recipe(own: Mapping[str, Any], told: Mapping[str, Any]) -> str | None:
    """Why the settings of a host are not the run's, with both sides; None where they are."""
    found = differing(dict(own), dict(told))
    if not found:
        return None
    shown = "; ".join(
        f"{key} is {there} there, {here} here" for key, here, there in found[:_KEYS_SHOWN]
    )
    more = f" and {len(found) - _KEYS_SHOWN} more" if len(found) > _KEYS_SHOWN else ""
    return f"its recipe is another one: {shown}{more}"


def _simulate(links: AgentLinks, port: int, count: int, program: Sequence[str]) -> None:
    import subprocess

    for number in range(count):
        name = f"127.0.0.{number + 2}"
        command = [
            *program, "--leader", f"127.0.0.1:{port}", "--host-index", str(number + 1),
            "--host-name", name,
        ]  # fmt: skip
        links.simulated.append(subprocess.Popen(command, start_new_session=True))


def _be_agent(args: argparse.Namespace, settings: TrainSettings) -> int:
    """Fork ranks for the leader until it says that the run is over."""
    from train.loop import run as _loaded  # noqa: F401 - ranks are forked with all of it imported
    from train.supervisor.agent import Agent
    from train.supervisor.rank import die_with_parent

    if args.agent is not None:
        die_with_parent(os.getppid())
        wire = Wire(socket.socket(fileno=args.agent))
    else:
        if args.leader is None:
            raise SettingsError("--host-index: this host needs --leader HOST:PORT")
        name = args.host_name or f"{args.host_index}-{socket.gethostname()}"
        wire = join_leader(
            args.leader,
            name,
            index=args.host_index,
            seconds=settings.supervision.start_floor_seconds,
            own=args.host_name,
            recipe=settings.model_dump(mode="json"),
        )
    scratch = args.scratch or Path(settings.output)
    gc.freeze()  # what is imported stays shared between the ranks
    try:
        return Agent(wire, _run_rank, scratch=scratch).serve()
    except OSError as error:
        raise PipelineError(f"the supervisor is gone: {error}") from error


def _run_rank(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    pretrain.add_arguments(parser)
    return pretrain.run(parser.parse_args(arguments))


def _recipe_arguments(args: argparse.Namespace) -> list[str]:
    changes = [word for change in args.overrides for word in ("--set", change)]
    return ["--recipe", str(args.recipe), *changes]


def _refuse(settings: TrainSettings, size: int) -> None:
    judge_recipe(settings, size)


def _session() -> str:
    """Names the allocation: a scheduler that requeues a job gives it the same number again."""
    for name in (SESSION_VARIABLE, "SLURM_JOB_ID"):
        if os.environ.get(name):
            return os.environ[name]
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"


def held_folder(output: Path) -> ExitStack:
    """Hold the folder of a run against a second supervisor, and see that it can be written.

    Raises:
        SettingsError: It cannot.
        PipelineError: Another supervisor holds it.
    """
    folder = output / "checkpoints"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        file = (output / LOCK_NAME).open("w")
    except OSError as error:
        raise SettingsError(f"output {folder}: cannot be written ({error.strerror})") from error
    stack = ExitStack()
    stack.enter_context(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PipelineError(f"{output}: another supervisor looks after this run") from error
    return stack
