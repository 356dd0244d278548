"""How much of a supervised run's time goes into its weights, when ranks or whole agents are killed again and again?

    python -m benchmarks.train.effective_time [--steps 600] [--seed 1]

One run of `train supervise` with two ranks for each mean time between failures. SIGKILL strikes after half to one and a half
times that, as drawn: a rank, which the agent forks anew (warm), or the agent itself with its ranks, which the supervisor starts
anew with all imports (cold). Recorded: seconds from each kill until the next step was done, and the share of the time that
went into steps which the weights hold, measured and by 1 - (u + t/2) / MTTF: u the mean of those seconds, t the seconds between
checkpoints, MTTF the run's seconds over its kills.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import Any, Literal

from rich.progress import track

from benchmarks.process_memory import descendants
from benchmarks.record import ROOT, argument_parser, record
from tests.support.datasets import DatasetShape, write_dataset
from train.report.events import EVENTS_NAME, read_events
from train.report.run_files import read_run

Victim = Literal["rank", "agent"]
CASES: tuple[tuple[Victim, float], ...] = (("rank", 10.0), ("rank", 30.0), ("agent", 30.0))
CHECKPOINT_STEPS = 20
_RUN_SECONDS = 900
_LAST_BYTES = 8192  # more than a line of metrics


def kill_one(supervisor: int, victim: Victim) -> bool:
    """Kill the agent of a supervisor, or its youngest child, which is a rank; False where there is none."""
    children = descendants(supervisor)
    agents = [pid for pid, parent, _ in children if parent == supervisor]
    ranks = [pid for pid, parent, _ in children if parent in agents]
    chosen = agents if victim == "agent" else ranks
    if not ranks or not chosen:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(max(chosen), signal.SIGKILL)
        return True
    return False


def recipe(folder: Path, steps: int) -> Path:
    """The recipe of a run of steps of about a tenth of a second."""
    data = folder.parent / "data"
    if not data.is_dir():
        write_dataset(data, DatasetShape(rows_per_shard=(400, 400)))
    settings = {
        "manifest": str(data / "manifest.json"),
        "output": str(folder / "run"),
        "stop": {"steps": steps},
        "threads": 1,
        "model": {"preset": "gpt2-test", "num_layers": 4, "width": 128, "mlp_width": 512},
        "batch": {"sequences": 64, "microbatch": 16},
        "evaluation": None,
        "checkpoint": {"every_steps": CHECKPOINT_STEPS, "keep_last": 2, "export": False},
        "supervision": {"restarts": {"general": 1000}},
        "metrics": {"tensorboard": False, "peak_flops": 1e12},
    }
    folder.mkdir()
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def last_time(metrics: Path) -> float:
    """When the newest step was done; 0 before the first one."""
    try:
        with metrics.open("rb") as file:
            file.seek(max(metrics.stat().st_size - _LAST_BYTES, 0))
            whole = file.read().rpartition(b"\n")[0]
        return float(json.loads(whole.rpartition(b"\n")[2])["time"])
    except (OSError, ValueError):
        return 0.0


def last_attempt(run: Path) -> float:
    """When the newest attempt began."""
    events = read_events(run / EVENTS_NAME)
    return max((event["time"] for event in events if event["kind"] == "attempt"), default=0.0)


def strike(path: Path, victim: Victim, mttf: float, generator: random.Random) -> list[float]:
    """Supervise a run to its end and kill as it goes; seconds from each kill until the next step was done."""
    run = path.parent / "run"
    command = [sys.executable, "-m", "train", "supervise", "--recipe", str(path), "--ranks", "2"]
    waits, killed = [], 0.0
    with (path.parent / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log,
            env={"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        started, due = time.time(), None
        while process.poll() is None:
            assert time.time() - started < _RUN_SECONDS, f"the run hangs: {path.parent}/log.txt"
            newest = last_time(run / "metrics.jsonl")
            # Ranks that are left may still write the step that they had done.
            if killed and newest > killed and newest > last_attempt(run) > killed:
                waits.append(round(newest - killed, 3))
                killed = 0.0
            if newest and not killed:
                due = due or time.time() + mttf * generator.uniform(0.5, 1.5)
                if time.time() > due and kill_one(process.pid, victim):
                    killed, due = time.time(), None
            time.sleep(0.02)
    assert process.returncode == 0, (path.parent / "log.txt").read_text("utf-8")[-2000:]
    return waits


def measured(run: Path, waits: list[float]) -> dict[str, Any]:
    """What the records of a run and the seconds after its kills say."""
    events, seconds = read_events(run / EVENTS_NAME), [r["seconds"] for r in read_run(run).records]
    begins = [event for event in events if event["kind"] == "attempt"]
    ends = [event for event in events if event["kind"] == "attempt_end"]
    whole = begins[-1]["time"] + ends[-1]["seconds"] - begins[0]["time"]
    between = CHECKPOINT_STEPS * median(seconds)
    assert waits, "nothing was killed: take more steps"
    return {
        "kills": len(waits),
        "attempts": len(begins),
        "causes": sorted({end["cause"] for end in ends if end.get("cause")}),
        "seconds": round(whole, 1),
        "seconds_to_next_step": {"mean": round(mean(waits), 2), "median": median(waits), "worst": max(waits)},
        "seconds_between_checkpoints": round(between, 2),
        "effective_measured": round(sum(seconds) / whole, 4),
        "effective_by_formula": round(1 - (mean(waits) + between / 2) / (whole / len(waits)), 4),
    }  # fmt: skip


def main() -> None:
    """Strike each case, and record it."""
    parser = argument_parser(__doc__)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for victim, mttf in track(CASES):
            name = f"{victim} every {mttf:.0f} s"
            path = recipe(Path(folder) / name.replace(" ", "-"), args.steps)
            waits = strike(path, victim, mttf, random.Random(f"{args.seed} {name}"))
            found = measured(path.parent / "run", waits)
            print(name, found, flush=True)
            record("effective_time", {"steps": args.steps, **found}, case=name)


if __name__ == "__main__":
    main()
