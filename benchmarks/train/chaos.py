"""The chaos certificate: faults at seeded moments of a supervised run, and whether the same weights come out.

    python -m benchmarks.train.chaos --moments 20 [--fault SIGKILL] [--seed 1]

Each trial is a run of two ranks on hosts of one rank each, with one spare host, all on this machine. A
fault strikes one rank at a section of a step. Then: seconds until it is noticed, seconds until the next
attempt has done its first step, steps done twice, attempts, cause, verdict, and whether the SHA-256 of weights and
optimizer is that of the undisturbed run. Trials that a result file already holds are not repeated.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.progress import track

from benchmarks.record import RESULTS, argument_parser, record
from benchmarks.train.chaos_faults import FAULTS, PLAN_VARIABLE
from schemas.fingerprints import canonical_json, sha256_hex
from tests.support.datasets import DatasetShape, write_dataset
from train.checkpoint.index import INDEX_NAME, WEIGHTS_NAME
from train.checkpoint.pointer import CHECKPOINTS_NAME, latest_checkpoint, step_of
from train.report.events import EVENTS_NAME, Event, read_events
from train.supervisor.config import SupervisionConfig
from train.supervisor.hosts import HostBook
from train.supervisor.job import Job
from train.supervisor.leader import Supervisor
from train.supervisor.links import AgentLinks

STEPS, CHECKPOINT_STEPS, HOSTS, SPARES = 16, 4, 2, 1
# Where the faults that need a place strike; all others, anywhere.
PLACES = {
    "full disk": ("step",),
    "NaN in a gradient": ("forward-backward",),
    "flipped bit": ("forward-backward",),
}
ANYWHERE = ("data", "forward-backward", "reduce", "step")
# A shard that stays altered must end the run; a slow host is noted and the run goes on.
UNEQUAL = {"shard altered"}
# No exit code tells of a flipped bit: ranks compare their weights.
PARALLEL = {"flipped bit": {"reduction": "tree", "sentinel_every_steps": 1}}
LONG = {"slow host": 60}
# Nothing but its length tells of a hang; a loaded machine holds up other sections for seconds too.
FLOORS = {"GIL held": 3.0}
# There must be a whole checkpoint before the one that is cut.
FIRST_STEP = {"checkpoint cut": 3 * CHECKPOINT_STEPS + 1}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one fault did.

    Attributes:
        detect_seconds: From the fault until the supervisor saw that a rank had failed; None: it never had to.
        recover_seconds: From the fault until the next attempt had done its first step.
        steps_lost: Steps that were done again.
        is_equal: Whether the last weights and optimizer states are those of the undisturbed run.
    """

    fault: str
    moment: int
    rank: int
    section: str
    step: int
    detect_seconds: float | None
    recover_seconds: float | None
    steps_lost: int
    attempts: int
    causes: list[str]
    exit_code: int
    is_equal: bool
    flagged: int


@dataclass(frozen=True)
class Bench:
    """Agents that are started once for all trials, and the dataset that all runs read."""

    folder: Path
    links: AgentLinks

    @property
    def plan(self) -> Path:
        return self.folder / "plan.json"

    def recipe(self, name: str, steps: int, parallel: Mapping[str, Any]) -> Path:
        """Write the recipe of one run, over a copy of the dataset."""
        data = self.folder / f"{name}-data"
        if not (self.folder / "data").is_dir():
            write_dataset(self.folder / "data", DatasetShape(rows_per_shard=(80, 80)))
        shutil.copytree(self.folder / "data", data)
        recipe = {
            "manifest": str(data / "manifest.json"),
            "output": str(self.folder / name),
            "stop": {"steps": steps},
            "threads": 1,
            "model": {"preset": "gpt2-test"},
            "batch": {"sequences": 4, "microbatch": 1},
            "parallel": parallel,
            "evaluation": None,
            "checkpoint": {"every_steps": CHECKPOINT_STEPS, "export": False, "retry_seconds": 0.1},
            "metrics": {"tensorboard": False, "peak_flops": 1e12},
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(recipe), encoding="utf-8")
        return path

    def start_missing(self, recipe: Path) -> None:
        """Start the agents that no trial has started yet, or that a trial has killed."""
        os.environ[PLAN_VARIABLE] = str(self.plan)
        for number in range(HOSTS + SPARES):
            host = f"host-{number}"
            if host not in self.links.by_host:
                program = [sys.executable, "-m", "benchmarks.train.chaos_faults"]
                self.links.start_here(
                    host, [*program, "--recipe", str(recipe), "--agent"], address="127.0.0.1"
                )
        while not all(link.is_ready for link in self.links.by_host.values()):
            for _ in self.links.receive(1.0):
                pass

    def run(self, recipe: Path, floor_seconds: float = 20.0) -> int:
        """Supervise one run to its end; returns its exit code."""
        self.start_missing(recipe)
        supervisor = Supervisor(
            job=Job(
                output=recipe.with_suffix(""),
                argv=["--recipe", str(recipe)],
                ranks_per_host=1,
                session=recipe.stem,
                config=SupervisionConfig(floor_seconds=floor_seconds, start_floor_seconds=60.0),
            ),
            links=self.links,
            hosts=HostBook(hosts=sorted(self.links.by_host), wanted=HOSTS),
            restart_agent=lambda host: False,
        )
        return supervisor.run()

    def try_fault(self, fault: str, moment: int, generator: random.Random) -> Trial:
        """Let a fault strike a run of its own at a moment that the generator draws."""
        name = f"{fault.replace(' ', '-')}-{moment}"
        steps, parallel = LONG.get(fault, STEPS), PARALLEL.get(fault, {})
        expected = self.undisturbed(steps, parallel)
        recipe = self.recipe(name, steps, parallel)
        plan: dict[str, Any] = {
            "fault": fault,
            "rank": generator.randrange(HOSTS),
            "section": generator.choice(PLACES.get(fault, ANYWHERE)),
            "step": generator.randrange(FIRST_STEP.get(fault, CHECKPOINT_STEPS + 1), STEPS - 1),
            "output": str(recipe.with_suffix("")),
            "shard": str(self.folder / f"{name}-data" / "shard-00000.parquet"),
            "struck": None,
        }
        self.plan.write_text(json.dumps(plan), encoding="utf-8")
        code = self.run(recipe, FLOORS.get(fault, 20.0))
        struck = json.loads(self.plan.read_text(encoding="utf-8"))["struck"]
        self.plan.unlink()
        assert struck is not None, f"{fault}: never struck"
        events = read_events(recipe.with_suffix("") / EVENTS_NAME)
        return Trial(
            fault=fault,
            moment=moment,
            rank=plan["rank"],
            section=plan["section"],
            step=plan["step"],
            exit_code=code,
            is_equal=state_sha256(recipe.with_suffix("")) == expected,
            **measured(events, struck),
        )

    def undisturbed(self, steps: int, parallel: Mapping[str, Any]) -> str | None:
        """SHA-256 of weights and optimizer states after a run that nothing strikes."""
        output = self.folder / f"undisturbed-{steps}-{parallel.get('reduction', 'flat')}"
        if not output.is_dir():
            code = self.run(self.recipe(output.name, steps, parallel))
            assert code == 0, f"the undisturbed run ended with {code}"
        return state_sha256(output)


def measured(events: Sequence[Event], struck: float) -> dict[str, Any]:
    """What the ledger of a run says of a fault that struck at that time."""
    begins = [event for event in events if event["kind"] == "attempt"]
    ends = [event for event in events if event["kind"] == "attempt_end"]
    failed = [event for event in ends if event.get("cause")]
    detect = recover = None
    lost = 0
    if failed and failed[0]["seconds_to_notice"] is not None:
        detect = begins[0]["time"] + failed[0]["seconds_to_notice"] - struck
    for begin, end in zip(begins[1:], ends[1:], strict=False):
        if recover is None and end["seconds_to_first_step"] is not None:
            recover = begin["time"] + end["seconds_to_first_step"] - struck
            resumed = next((e["step"] for e in events
                            if e["kind"] in ("resume", "start") and e["time"] > begin["time"]), 0)  # fmt: skip
            lost = max(failed[0]["last_step"] - resumed, 0)
    return {
        "detect_seconds": None if detect is None else round(detect, 3),
        "recover_seconds": None if recover is None else round(recover, 3),
        "steps_lost": lost,
        "attempts": len(begins),
        "causes": [event["cause"] for event in failed],
        "flagged": sum(event["kind"] == "straggler" and event["is_slow"] for event in events),
    }


def state_sha256(output: Path) -> str | None:
    """SHA-256 over the bytes of every tensor of the newest checkpoint, weights and optimizer; None without one."""
    newest = latest_checkpoint(output / CHECKPOINTS_NAME)
    if newest is None:
        return None
    index = json.loads((newest / WEIGHTS_NAME / INDEX_NAME).read_text(encoding="utf-8"))
    chunks = {
        name: sorted([chunk["offsets"], chunk["sha256"]] for chunk in tensor["chunks"])
        for name, tensor in index["tensors"].items()
    }
    return sha256_hex(canonical_json({"step": step_of(newest), "chunks": chunks}))


def summary(trials: Sequence[Trial]) -> dict[str, Any]:
    """One row of the certificate: the trials of one fault."""

    def middle(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return round(median(known), 2) if known else None

    return {
        "trials": len(trials),
        "detect_seconds": middle([trial.detect_seconds for trial in trials]),
        "recover_seconds": middle([trial.recover_seconds for trial in trials]),
        "steps_lost": middle([trial.steps_lost for trial in trials]),
        "attempts": middle([trial.attempts for trial in trials]),
        "causes": sorted({cause for trial in trials for cause in trial.causes}),
        "exit_codes": sorted({trial.exit_code for trial in trials}),
        "equal": sum(trial.is_equal for trial in trials),
        "flagged": sum(bool(trial.flagged) for trial in trials),
    }


def markdown(faults: dict[str, dict[str, Any]]) -> str:
    """The certificate as docs/survival.md has it."""
    head = (
        "| fault | trials | noticed after | next step after | steps again | attempts | causes found | exit "
        "code | same weights |\n|---|---:|---:|---:|---:|---:|---|---:|---:|"
    )

    def seconds(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f} s"

    rows = [
        f"| {fault} | {row['trials']} | {seconds(row['detect_seconds'])} | {seconds(row['recover_seconds'])} "
        f"| {row['steps_lost']:g} | {row['attempts']:g} | {', '.join(row['causes']) or '-'} "
        f"| {', '.join(map(str, row['exit_codes']))} | {row['equal']} of {row['trials']} |"
        for fault, row in faults.items()
    ]
    return "\n".join([head, *rows])


def main() -> None:
    """Fill the certificate."""
    parser = argument_parser(__doc__)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault", choices=FAULTS, action="append")
    parser.add_argument("--table", action="store_true", help="print the certificate, try nothing")
    args = parser.parse_args()
    path = RESULTS / "chaos.json"
    if args.table:
        print(markdown(json.loads(path.read_text("utf-8"))["faults"]))
        return
    before = json.loads(path.read_text("utf-8"))["trials"] if path.is_file() else []
    trials = [Trial(**fields) for fields in before]
    done = {(trial.fault, trial.moment) for trial in trials}
    wanted = [(fault, moment) for moment in range(args.moments) for fault in args.fault or FAULTS]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), AgentLinks())
        try:
            for fault, moment in track([one for one in wanted if one not in done]):
                generator = random.Random(f"{args.seed} {fault} {moment}")
                started = time.monotonic()
                trials.append(bench.try_fault(fault, moment, generator))
                print(
                    f"{fault} {moment}: {time.monotonic() - started:.1f} s", trials[-1], flush=True
                )
                rows = {one: summary([t for t in trials if t.fault == one])
                        for one in FAULTS if any(t.fault == one for t in trials)}  # fmt: skip
                record("chaos", {"faults": rows, "trials": [asdict(trial) for trial in trials]})
        finally:
            bench.links.end(0)


if __name__ == "__main__":
    main()
