"""SIGTERM during a step that takes longer than the grace of the launcher: what is lost?

Two ranks under torchrun, a GPT whose second step is made so large that it takes 45 s here, and a launcher that kills its
ranks 30 s after SIGTERM (torchrun's own default). One run is left alone; the other one gets SIGTERM 5, 20 and 35 s into the
second step, and the same command again each time. Recorded: seconds from SIGTERM to the end of torchrun, its exit code, the
checkpoints, and whether both runs end with the same weights, bit for bit.

    python -m benchmarks.train.sigterm
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import ROOT, argument_parser, record
from tests.support.datasets import DatasetShape, write_dataset
from train.warm_start.source import find_source, read_weights

RANKS, GRACE_SECONDS, STEP_SECONDS, MOMENTS = 2, 30, 45, (5, 20, 35)
SMALL_STEP, MEASURED_STEP, MICROBATCH = 8, 64, 4
SHAPE = DatasetShape(rows_per_shard=(2000,), seq_len=128, padded=False)
# The console script `torchrun` where the package is not installed: its entry point, registered by hand.
LAUNCH = (
    "import sys; sys.argv[0] = 'torchrun'; from train.distributed.torchrun import register; register(); "
    "from torch.distributed.run import main; main()"
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A run of a small step and a large one, into a folder of its own."""

    folder: Path
    manifest: Path
    rows: int

    @property
    def output(self) -> Path:
        return self.folder / "run"

    def write(self) -> Path:
        """The recipe as a file."""
        ramp = {"start_sequences": SMALL_STEP, "over_tokens": 1, "quantum": SMALL_STEP}
        settings = {
            "manifest": str(self.manifest), "output": str(self.output), "threads": 1,
            "model": {"preset": "gpt2-test", "num_layers": 4, "width": 256, "num_heads": 4, "mlp_width": 1024},
            "batch": {"sequences": self.rows, "microbatch": MICROBATCH, "ramp": ramp},
            "stop": {"steps": 2}, "schedule": {"peak_lr": 1e-3}, "precision": {"compute": "fp32"},
            "metrics": {"tensorboard": False, "peak_flops": 1e12}, "evaluation": None,
        }  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "recipe.yaml"
        path.write_text(json.dumps(settings), "utf-8")
        return path

    def start(self) -> subprocess.Popen[str]:
        """torchrun on the recipe."""
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
            "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(GRACE_SECONDS),
        }  # fmt: skip
        launcher = ["--standalone", "--nproc-per-node", str(RANKS), "-m", "train", "pretrain"]
        return subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *launcher, "--recipe", str(self.write())],
            env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def records(self) -> list[dict[str, Any]]:
        """The metrics of the steps that are done."""
        path = self.output / "metrics.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        return [json.loads(line) for line in lines]

    def checkpoints(self) -> list[str]:
        return sorted(path.name for path in (self.output / "checkpoints").glob("step-*"))


def run_to_its_end(recipe: Recipe) -> float:
    """Seconds of the run's second step."""
    run = recipe.start()
    errors = run.communicate()[1]
    if run.returncode:
        raise SystemExit(errors)
    return float(recipe.records()[-1]["seconds"])


def interrupt(recipe: Recipe, moment: float) -> dict[str, Any]:
    """Start or resume the run, and send SIGTERM some seconds into its second step."""
    is_resumed = bool(recipe.records())
    started = len((recipe.output / "events.jsonl").read_text("utf-8")) if is_resumed else 0
    run = recipe.start()
    while run.poll() is None and not _has_begun_the_second(recipe, started):
        time.sleep(0.1)
    time.sleep(moment)
    sent = time.monotonic()
    run.send_signal(signal.SIGTERM)
    errors = run.communicate(timeout=GRACE_SECONDS + STEP_SECONDS)[1]
    return {
        "seconds_into_the_step": moment,
        "seconds_to_end": round(time.monotonic() - sent, 2),
        "exit_code": run.returncode,
        "checkpoints": recipe.checkpoints(),
        "tracebacks": errors.count("Traceback"),
    }


def _has_begun_the_second(recipe: Recipe, started: int) -> bool:
    if not started:
        return bool(recipe.records())
    return len((recipe.output / "events.jsonl").read_text("utf-8")) > started


def weights_of(recipe: Recipe) -> dict[str, torch.Tensor]:
    source = find_source(str(recipe.output))
    assert source is not None
    return read_weights(source)


def main() -> None:
    argument_parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = write_dataset(folder / "data", SHAPE).parent
        measured = run_to_its_end(
            Recipe(folder=folder / "measured", manifest=manifest, rows=MEASURED_STEP)
        )
        unit = RANKS * MICROBATCH
        rows = unit * round(STEP_SECONDS * MEASURED_STEP / measured / unit)
        whole = Recipe(folder=folder / "whole", manifest=manifest, rows=rows)
        cut = Recipe(folder=folder / "cut", manifest=manifest, rows=rows)
        stops = [interrupt(cut, moment) for moment in MOMENTS]
        step_seconds = [run_to_its_end(whole), run_to_its_end(cut)]
        ours, theirs = weights_of(whole), weights_of(cut)
        equal = ours.keys() == theirs.keys() and all(
            torch.equal(value, theirs[name]) for name, value in ours.items()
        )
    record(
        "sigterm",
        {
            "ranks": RANKS, "grace_seconds": GRACE_SECONDS, "rows": rows, "microbatch": MICROBATCH,
            "step_seconds": {"alone": round(step_seconds[0], 1), "after_stops": round(step_seconds[1], 1)},
            "stops": stops, "equal_weights": equal,
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
