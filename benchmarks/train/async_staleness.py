"""Staleness and losses of asynchronous runs with a slow worker, by the bound on staleness.

One parameter server and four workers over gloo, each a process, through the same code as
`train pretrain` with `asynchronous:`; the last worker sleeps for as long at each of its gradients that
the others do four. A bound of 0 is synchronous SGD: all wait for the slow one.

    python -m benchmarks.train.async_staleness
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch.multiprocessing as mp

from benchmarks.record import argument_parser, record
from benchmarks.train.ranks import enter_rank, free_port
from tests.support.datasets import DatasetShape, write_dataset
from train.distributed.world import leave_process
from train.parameter_server.run import pretrain_asynchronous
from train.parameter_server.work import compute_gradient
from train.settings import TrainSettings

WORKERS, STEPS, BOUNDS = 4, 40, (0, 2, 8)
PAUSE_SECONDS, SLOW_SECONDS = 0.05, 0.25
SHOWN_STEPS = (0, 9, 19, 29, 39)


def settings(dataset: str, output: str, bound: int) -> TrainSettings:
    return TrainSettings.model_validate(
        {
            "manifest": dataset,
            "output": output,
            "model": {
                "preset": "gpt2-test",
                "num_layers": 2,
                "num_heads": 2,
                "width": 32,
                "dropout": 0.0,
            },
            "batch": {"sequences": 16, "microbatch": 4},
            "stop": {"steps": STEPS},
            "schedule": {"peak_lr": 0.5, "lr_scheduler_type": "constant"},
            "optimizer": {"name": "sgd", "momentum": 0.0, "max_grad_norm": 0.5},
            "asynchronous": {"workers": WORKERS, "servers": 1, "staleness": bound},
            "checkpoint": {"every_steps": 1000, "export": False},
            "metrics": {"peak_flops": 1e9, "tensorboard": False},
            "threads": 1,
        }
    )


def rank_of_run(rank: int, port: int, run: TrainSettings) -> None:
    enter_rank(rank, WORKERS + 1, port)

    def slowed(*arguments: Any, **named: Any) -> Any:
        # Sleeping, not computing: on a few cores busy workers would slow each other.
        time.sleep(SLOW_SECONDS if rank == WORKERS else PAUSE_SECONDS)
        return compute_gradient(*arguments, **named)

    pretrain_asynchronous(run, gradient=slowed)
    leave_process()


def measure(dataset: str, folder: Path, bound: int) -> dict[str, Any]:
    run = settings(dataset, str(folder / f"bound-{bound}"), bound)
    # Forked from a server that has imported torch once: starting takes longer than training here.
    multiprocessing.set_forkserver_preload(["torch", "train.parameter_server.run"])
    mp.start_processes(  # type: ignore[attr-defined, no-untyped-call]
        rank_of_run, (free_port(), run), nprocs=WORKERS + 1, start_method="forkserver"
    )
    lines = (Path(run.output) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    last = records[-1]
    return {
        "bound": bound,
        "staleness": last["staleness"],
        "refused": last["refused"],
        "loss": {str(step + 1): round(records[step]["loss"], 4) for step in SHOWN_STEPS},
        "heldout_loss": round(last["heldout"]["loss"], 4),
        # The first step waits for processes to start. The fast workers end before the slow one.
        "seconds_to_step_30": round(sum(record["seconds"] for record in records[1:30]), 2),
        "seconds": round(sum(record["seconds"] for record in records[1:]), 2),
    }


def main() -> None:
    argument_parser(__doc__).parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shape = DatasetShape(rows_per_shard=(400, 240), heldout_rows=40)
        dataset = str(write_dataset(folder / "data", shape).parent)
        for bound in BOUNDS:
            rows.append(measure(dataset, folder, bound))
            print(rows[-1], file=sys.stderr, flush=True)
    record(
        "async_staleness",
        {
            "workers": WORKERS,
            "steps_of_workers": STEPS,
            "pause_seconds": PAUSE_SECONDS,
            "slow_worker_seconds": SLOW_SECONDS,
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
