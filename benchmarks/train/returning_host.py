"""A host dies in a step and comes back later: the others go on, and the run returns to its full size with the same bits.

    python -m benchmarks.train.returning_host [--trials 5]

Two hosts of one rank each, on loopback addresses, with `parallel.reduction: tree` and no spare. One is killed in a step; when its loss is
noted, its agent is started anew, as a scheduler does, and comes in through the open door. Noted are the attempts and
what ended each, seconds from the kill until the step of the kill was done by the other, seconds from the host's return
until the first step of both, and whether weights and optimizer states have the SHA-256 of a run that nothing struck.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.record import argument_parser, record
from benchmarks.train.chaos import state_sha256
from benchmarks.train.chaos_faults import PLAN_VARIABLE
from tests.support.datasets import DatasetShape, write_dataset
from train.report.events import EVENTS_NAME, Event, read_events
from train.supervisor.config import SupervisionConfig
from train.supervisor.door import TOKEN_VARIABLE, Door, token_of_environment
from train.supervisor.hosts import HostBook
from train.supervisor.job import Job
from train.supervisor.leader import Supervisor
from train.supervisor.links import AgentLinks

HOSTS = ("127.0.0.2", "127.0.0.3")
STEPS, STRUCK_STEP, CHECKPOINT_STEPS = 90, 6, 4
_READY_SECONDS, _LOOK_SECONDS = 240.0, 0.05


@dataclass
class Bench:
    """A supervisor in this process, and agents of two hosts that come to it over the network."""

    folder: Path
    links: AgentLinks = field(default_factory=AgentLinks)
    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _leader: str = ""

    def recipe(self, name: str) -> Path:
        """Write the recipe of one run."""
        data = self.folder / "data"
        if not data.is_dir():
            write_dataset(data, DatasetShape(rows_per_shard=(200, 200)))
        recipe = {
            "manifest": str(data / "manifest.json"),
            "output": str(self.folder / name),
            "stop": {"steps": STEPS},
            "threads": 1,
            "model": {"preset": "gpt2-test", "dropout": 0.1},
            "batch": {"sequences": 4, "microbatch": 1},
            "parallel": {"reduction": "tree"},
            "evaluation": None,
            "checkpoint": {"every_steps": CHECKPOINT_STEPS, "export": False, "retry_seconds": 0.1},
            "metrics": {"tensorboard": False, "peak_flops": 1e12},
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(recipe), encoding="utf-8")
        return path

    def open(self) -> None:
        """Let hosts in."""
        os.environ.setdefault(TOKEN_VARIABLE, "of this benchmark")
        os.environ[PLAN_VARIABLE] = str(self.folder / "plan.json")
        server = socket.create_server(("127.0.0.1", 0))
        self._leader = f"127.0.0.1:{server.getsockname()[1]}"
        self.links.open(Door(server=server, token=token_of_environment()))

    def start(self, host: str, recipe: Path) -> None:
        """Start the agent of a host, as its scheduler does."""
        self.agents[host] = subprocess.Popen(
            [
                sys.executable, "-m", "benchmarks.train.returning_host_ranks", "--recipe", str(recipe),
                "--leader", self._leader, "--host-index", str(HOSTS.index(host) + 1), "--host-name", host,
            ]
        )  # fmt: skip

    def run(self, recipe: Path) -> int:
        """Supervise one run to its end; returns its exit code."""
        if not self._leader:
            self.open()
        for host in HOSTS:
            if host not in self.links.by_host:
                self.start(host, recipe)
        self.links.await_hosts(len(HOSTS), _READY_SECONDS)
        supervisor = Supervisor(
            job=Job(
                output=recipe.with_suffix(""),
                argv=["--recipe", str(recipe)],
                ranks_per_host=1,
                session=recipe.stem,
                config=SupervisionConfig(floor_seconds=20.0, start_floor_seconds=240.0),
                takes_over=True,
            ),
            links=self.links,
            hosts=HostBook(hosts=list(HOSTS), wanted=len(HOSTS)),
            restart_agent=lambda host: False,
        )
        return supervisor.run()

    def undisturbed(self) -> str | None:
        """SHA-256 of weights and optimizer states after a run that nothing strikes."""
        output = self.folder / "undisturbed"
        if not output.is_dir():
            assert self.run(self.recipe(output.name)) == 0
        return state_sha256(output)

    def lose_and_return(self, name: str, rank: int) -> dict[str, Any]:
        """Let the host of a rank die in a step and come back; what became of the run."""
        expected, recipe, plan = self.undisturbed(), self.recipe(name), self.folder / "plan.json"
        output, host = recipe.with_suffix(""), HOSTS[rank]
        fault = {"fault": "dead host", "rank": rank, "section": "forward-backward"}
        plan.write_text(
            json.dumps({**fault, "step": STRUCK_STEP, "struck": None}), encoding="utf-8"
        )
        back = threading.Thread(target=self._bring_back, args=(host, recipe), daemon=True)
        back.start()
        code = self.run(recipe)
        struck = json.loads(plan.read_text(encoding="utf-8"))["struck"]
        plan.unlink()
        events = read_events(output / EVENTS_NAME)
        metrics = (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        times = {one["step"]: one["time"] for one in map(json.loads, metrics)}
        found = {
            "exit_code": code,
            "outcomes": [event["outcome"] for event in events if event["kind"] == "attempt_end"],
            "hosts": [f"{e['host']} {e['state']}" for e in events if e["kind"] == "host"],
            "ranks": [event["ranks"] for event in events if event["kind"] == "attempt"],
            "seconds_until_the_step_was_done": round(times[STRUCK_STEP] - struck, 3),
            "seconds_from_return_to_full_size": _seconds_to_full_size(events),
            "steps_again": len(metrics) - len(times),
            "is_equal": state_sha256(output) == expected,
        }
        shutil.rmtree(output)
        return found

    def _bring_back(self, host: str, recipe: Path) -> None:
        """Start the agent of a host anew once its loss is noted."""
        path = recipe.with_suffix("") / EVENTS_NAME
        while not (path.is_file() and '"lost"' in path.read_text(encoding="utf-8")):
            time.sleep(_LOOK_SECONDS)
        self.agents[host].wait()
        self.start(host, recipe)

    def end(self) -> None:
        """Let the agents end."""
        self.links.end(0)
        for agent in self.agents.values():
            agent.wait(30)


def _seconds_to_full_size(events: list[Event]) -> float | None:
    """From a host's return until the first step of the attempt that has it; None where there was none."""
    came = next((e["time"] for e in events if e["kind"] == "host" and e["state"] == "joined"), None)
    begins = [event for event in events if event["kind"] == "attempt"]
    ends = [event for event in events if event["kind"] == "attempt_end"]
    for begin, end in zip(begins, ends, strict=True):
        if came is not None and begin["time"] > came and end["seconds_to_first_step"] is not None:
            return round(float(begin["time"] + end["seconds_to_first_step"] - came), 3)
    return None


def main() -> None:
    """Lose each host by turns."""
    parser = argument_parser(__doc__)
    parser.add_argument("--trials", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            for number in range(args.trials):
                # The second host: the first one has the store, whose loss begins a new attempt.
                found = bench.lose_and_return(f"trial-{number}", 1 - number % 2)
                print(found, flush=True)
                record("returning_host", found, case=f"trial {number}, host {2 - number % 2}")
        finally:
            bench.end()


if __name__ == "__main__":
    main()
