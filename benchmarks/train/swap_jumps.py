"""How far a swap moves the loss of a run that goes on: against the same run without it, over several seeds.

    python -m benchmarks.train.swap_jumps WORK [--seeds 3]

Each run trains a small GPT on English books for 400 steps; a copy of it goes on from its checkpoint at step 280 and is asked for a swap by
the request that `train swap` writes, which it makes at step 281. The jump is the largest excess of the loss, as a mean over 10 steps, over
the run that stayed as it was, in the 100 steps after the swap; "at the end" is the mean excess over the last 50 steps. What is recorded is
not done again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import mean
from typing import Any

from rich.progress import track

from benchmarks.corpora.text_files import DATA
from benchmarks.record import RESULTS, argument_parser, record
from benchmarks.train.clean_curves import FILES, SEQ_LEN, pack
from train.loop.run import pretrain
from train.loop.swaps import Swap, run_of, write_request
from train.report.events import read_events
from train.settings import TrainSettings

STEPS, SAVED_STEP, WINDOW, LOOK = 400, 280, 10, 100
SWAP_STEP = SAVED_STEP + 1  # a request is seen in the first step
RATES = {"adamw": 3e-3, "muon": 3e-3, "lion": 3e-4}


def swap(*overrides: str, rewarm: int = 0, blend: int = 0) -> dict[str, Any]:
    """A request, but for its run."""
    return {"at": None, "overrides": overrides, "rewarm_steps": rewarm, "blend_steps": blend}


def optimizer(name: str, *, rewarm: int) -> dict[str, Any]:
    """Another optimizer at its own rate."""
    rate = f"schedule.peak_lr={RATES[name]}"
    return swap(f"optimizer.name={name}", rate, rewarm=rewarm)


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "adamw to muon, at once": ("adamw", optimizer("muon", rewarm=0)),
    "adamw to muon, warm-up of 20": ("adamw", optimizer("muon", rewarm=20)),
    "adamw to lion, at once": ("adamw", optimizer("lion", rewarm=0)),
    "adamw to lion, warm-up of 20": ("adamw", optimizer("lion", rewarm=20)),
    "muon to adamw, at once": ("muon", optimizer("adamw", rewarm=0)),
    "muon to adamw, warm-up of 20": ("muon", optimizer("adamw", rewarm=20)),
    "muon to lion, warm-up of 20": ("muon", optimizer("lion", rewarm=20)),
    "gelu to relu, at once": ("adamw", swap("model.activation=relu", blend=0)),
    "gelu to relu, blended over 20": ("adamw", swap("model.activation=relu", blend=20)),
    "gelu to relu, blended over 100": ("adamw", swap("model.activation=relu", blend=100)),
    "half the rate": ("adamw", swap(f"schedule.peak_lr={RATES['adamw'] / 2}")),
    "twice the batch": ("adamw", swap("batch.sequences=16")),
    "dropout 0 to 0.1": ("adamw", swap("model.dropout=0.1")),
}


def recipe(data: str, output: Path, optimizer_name: str, seed: int) -> TrainSettings:
    """A small GPT with a checkpoint where the swap is made."""
    return TrainSettings.model_validate(
        {
            "manifest": data,
            "output": str(output),
            "seed": seed,
            "threads": 1,
            "model": {
                "preset": "gpt2-tiny",
                "num_layers": 2,
                "width": 64,
                "max_positions": SEQ_LEN,
            },
            "batch": {"sequences": 8, "microbatch": 8},
            "stop": {"steps": STEPS},
            "optimizer": {"name": optimizer_name},
            "schedule": {
                "peak_lr": RATES[optimizer_name],
                "lr_scheduler_type": "constant",
                "warmup": 40,
            },
            "evaluation": None,
            "checkpoint": {"every_steps": SAVED_STEP, "keep_last": 9, "export": False},
            "metrics": {"tensorboard": False, "peak_flops": 1e12},
            "precision": {"compute": "fp32"},
        }
    )


def losses(output: Path) -> list[float]:
    """The loss of each step."""
    lines = (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["loss"] for line in lines]


def stayed(data: str, scratch: Path, optimizer_name: str, seed: int) -> Path:
    """The run without a swap."""
    output = scratch / f"stayed-{optimizer_name}-{seed}"
    if not (output / "certificate.json").is_file():
        shutil.rmtree(output, ignore_errors=True)
        pretrain(recipe(data, output, optimizer_name, seed))
    return output


def swapped(data: str, scratch: Path, case: str, seed: int) -> Path:
    """The same run from its checkpoint on, with the swap."""
    optimizer_name, asked = CASES[case]
    before = stayed(data, scratch, optimizer_name, seed)
    output = scratch / "swapped"
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(before, output)
    checkpoints = output / "checkpoints"
    kept = f"step-{SAVED_STEP:08d}"
    for path in checkpoints.glob("step-*"):
        if path.name != kept:
            shutil.rmtree(path)
    (checkpoints / "latest").write_text(kept, encoding="utf-8")
    for name in ("end.json", "certificate.json"):
        (output / name).unlink(missing_ok=True)
    write_request(output, Swap(**asked, run=run_of(read_events(output / "events.jsonl"))))
    pretrain(recipe(data, output, optimizer_name, seed))
    return output


def excess(found: list[float], expected: list[float]) -> tuple[float, float]:
    """The largest excess of a mean over `WINDOW` steps after a swap, and the mean one at the end."""
    over = [one - other for one, other in zip(found, expected, strict=True)][SWAP_STEP:]
    windows = [mean(over[start : start + WINDOW]) for start in range(LOOK - WINDOW + 1)]
    return max(windows), mean(over[-50:])


def markdown(cases: dict[str, dict[str, Any]]) -> str:
    """The table as docs/branches.md has it."""
    head = "| swap | largest jump, by seed | at the end |\n|---|---|---|"
    rows = []
    for name, case in cases.items():
        ends = ", ".join(f"{value:+.3f}" for value in case["at_the_end"])
        jumps = ", ".join(f"{value:+.3f}" for value in case["jumps"])
        rows.append(f"| {name} | {jumps} | {ends} |")
    return "\n".join([head, *rows])


def main() -> None:
    """Make each swap from each seed."""
    parser = argument_parser(__doc__)
    parser.add_argument("work", type=Path, nargs="?", help="folder for the runs; they stay there")
    parser.add_argument("--texts", type=Path, default=DATA / "text")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="print the table, train nothing")
    args = parser.parse_args()
    path = RESULTS / "swap_jumps.json"
    done: dict[str, Any] = json.loads(path.read_text("utf-8"))["cases"] if path.is_file() else {}
    if args.table:
        print(markdown(done))
        return
    if args.work is None:
        parser.error("WORK: give the folder for the runs")
    data = str(pack(args.texts / FILES["en"], args.work / "data-en"))
    for case in track(list(CASES)):
        jumps = list(done.get(case, {}).get("jumps", []))
        ends = list(done.get(case, {}).get("at_the_end", []))
        for seed in range(len(jumps) + 1, args.seeds + 1):
            expected = losses(stayed(data, args.work, CASES[case][0], seed))
            jump, end = excess(losses(swapped(data, args.work, case, seed)), expected)
            jumps.append(round(jump, 4))
            ends.append(round(end, 4))
            record("swap_jumps", {"jumps": jumps, "at_the_end": ends}, case=case)


if __name__ == "__main__":
    main()
