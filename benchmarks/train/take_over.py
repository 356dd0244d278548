"""A rank is killed in a step: do the others take over its rows in that step, and are the weights the same bits?

    python -m benchmarks.train.take_over [--worlds 2,3,4] [--place "in the reduce"]

Supervised runs with `parallel.reduction: tree`, dropout, clipping and eight micro-batches a step, on one host. In each, one rank
is killed at one place of a step, the first or the last by turns. Noted are the attempts (one: nobody began anew), seconds from the kill
until the step of the kill was done by the others, and whether the SHA-256 of weights and optimizer states is that of a run
on one rank that nothing struck.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from benchmarks.record import argument_parser, record
from benchmarks.train.chaos import state_sha256
from benchmarks.train.chaos_faults import FAULTS, PLAN_VARIABLE, strike
from tests.support.datasets import DatasetShape, write_dataset
from train import sections
from train.parallel.tree import TreeStrategy
from train.report.events import EVENTS_NAME, read_events
from train.supervisor.config import SupervisionConfig
from train.supervisor.hosts import HostBook
from train.supervisor.job import Job
from train.supervisor.leader import Supervisor
from train.supervisor.links import AgentLinks

HOST = "host-0"
STEPS, STRUCK_STEP = 6, 3
FLIP = "lowest bit of a gradient"  # at the place "backward"; at step 3 the sentinel looks at micro-batch 5
PLACES = (
    "data",
    "forward-backward",
    "backward",
    "before the reduce",
    "in the reduce",
    "summed",
    "step",
)


@dataclass(frozen=True)
class Bench:
    """One agent for all runs; each run forks its ranks from it."""

    folder: Path
    links: AgentLinks

    def recipe(self, name: str) -> Path:
        """Write the recipe of one run."""
        data = self.folder / "data"
        if not data.is_dir():
            write_dataset(data, DatasetShape(rows_per_shard=(80, 80)))
        recipe = {
            "manifest": str(data / "manifest.json"),
            "output": str(self.folder / name),
            "stop": {"steps": STEPS},
            "threads": 1,
            "model": {"preset": "gpt2-test", "dropout": 0.1},
            "optimizer": {"max_grad_norm": 0.5},
            "batch": {"sequences": 15, "microbatch": 2},
            "parallel": {"reduction": "tree", "sentinel_every_steps": 1},
            "evaluation": None,
            "checkpoint": {"every_steps": STEPS, "export": False, "retry_seconds": 0.1},
            "metrics": {"tensorboard": False, "peak_flops": 1e12},
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(recipe), encoding="utf-8")
        return path

    def run(self, recipe: Path, ranks: int) -> int:
        """Supervise one run to its end; returns its exit code."""
        if HOST not in self.links.by_host:
            os.environ[PLAN_VARIABLE] = str(self.folder / "plan.json")
            program = [sys.executable, "-m", "benchmarks.train.take_over_ranks"]
            command = [*program, "--recipe", str(recipe), "--agent"]
            self.links.start_here(HOST, command, address="127.0.0.1")
        supervisor = Supervisor(
            job=Job(
                output=recipe.with_suffix(""),
                argv=["--recipe", str(recipe)],
                ranks_per_host=ranks,
                session=recipe.stem,
                config=SupervisionConfig(floor_seconds=10.0, start_floor_seconds=120.0),
                takes_over=True,
            ),
            links=self.links,
            hosts=HostBook(hosts=[HOST], wanted=1),
            restart_agent=lambda host: False,
        )
        return supervisor.run()

    def undisturbed(self) -> str | None:
        """SHA-256 of weights and optimizer states after a run on one rank that nothing strikes."""
        output = self.folder / "undisturbed"
        if not output.is_dir():
            assert self.run(self.recipe(output.name), 1) == 0
        return state_sha256(output)

    def kill(self, place: str, *, ranks: int, rank: int, fault: str = "SIGKILL") -> dict[str, Any]:
        """Let a fault strike one rank at a place of a step; what became of the run."""
        name = f"{fault}-{place}-{rank}-of-{ranks}".replace(" ", "-")
        recipe, plan = self.recipe(name), self.folder / "plan.json"
        fields = {
            "fault": fault,
            "rank": rank,
            "section": place,
            "step": STRUCK_STEP,
            "struck": None,
        }
        plan.write_text(json.dumps(fields), encoding="utf-8")
        code = self.run(recipe, ranks)
        struck = json.loads(plan.read_text(encoding="utf-8"))["struck"]
        plan.unlink()
        output = recipe.with_suffix("")
        events = read_events(output / EVENTS_NAME)
        metrics = (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in metrics]
        after = next(one["time"] for one in records if one["step"] == STRUCK_STEP)
        found = {
            "exit_code": code,
            "attempts": sum(event["kind"] == "attempt" for event in events),
            "causes": [event["cause"] for event in events if event["kind"] == "take_over"],
            "taken_over_by": [event["ranks"] for event in events if event["kind"] == "take_over"],
            "steps_written": [one["step"] for one in records],
            "seconds_until_the_step_was_done": round(after - struck, 3),
            "is_equal": state_sha256(output) == self.undisturbed(),
        }
        shutil.rmtree(output)
        return found


def strike_within_steps() -> None:
    """Let faults strike also at places that are no sections of their own."""
    step = -1

    def follow(section: str, at: int) -> None:
        nonlocal step
        step = max(step, at)
        strike(section, at)

    sections.observe(follow)
    gradient, total, gather = (
        TreeStrategy._gradient,
        TreeStrategy.total,
        dist.all_gather_into_tensor,
    )

    def with_gradient(*args: Any, **more: Any) -> Any:
        found = gradient(*args, **more)

        def flip() -> None:
            found[:1].view(torch.int32).bitwise_xor_(1)

        FAULTS[FLIP] = flip
        strike("backward", step)
        return found

    def with_total(*args: Any, **more: Any) -> Any:
        strike("before the reduce", step)
        return total(*args, **more)

    def with_gather(*args: Any, **more: Any) -> Any:
        strike("in the reduce", step)
        found = gather(*args, **more)
        strike("summed", step)
        return found

    TreeStrategy._gradient, TreeStrategy.total = with_gradient, with_total  # type: ignore[method-assign]
    dist.all_gather_into_tensor = with_gather


def main() -> None:
    """Kill at each place, in worlds of several sizes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--worlds", default="2,3,4")
    parser.add_argument("--place", choices=PLACES, action="append")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), AgentLinks())
        try:
            for ranks in map(int, args.worlds.split(",")):
                for number, place in enumerate(args.place or PLACES):
                    rank = 0 if number % 2 else ranks - 1
                    started = time.monotonic()
                    found = bench.kill(place, ranks=ranks, rank=rank)
                    print(f"{time.monotonic() - started:.1f} s", flush=True)
                    record("take_over", found, case=f"rank {rank} of {ranks}, {place}")
        finally:
            bench.links.end(0)


if __name__ == "__main__":
    main()
