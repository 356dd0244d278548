"""Training steps against peers: the same weights, batches and AdamW, fp32, A and B alternating.

    python -m benchmarks.races.train_speed --family gpt --vocab-size 8192
    PEER/bin/python -m benchmarks.races.train_speed --family bert --peer trainer
    PEER/bin/python -m benchmarks.races.train_speed --family llama --peer litgpt

PEER is a virtual environment with ours and `accelerate` or `litgpt` in it.

Losses of 20 steps are compared first; then rounds of one step each side. CPU time on one thread
gives the ratio; with --threads 2 it is wall clock. Memory is measured in a process of its own for
each side: the highest resident size of a step above what is held after set-up, where optimizer
states exist. One case for each shape and peer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.races.train_sides import (
    ROWS,
    TARGETS,
    TOKENS,
    Side,
    litgpt_side,
    make_batch,
    our_side,
    peer_inputs,
    shape_of,
    transformers_side,
)
from benchmarks.record import argument_parser, record
from train.model.config import ModelConfig

PARITY_STEPS = 20


def make_sides(args: argparse.Namespace) -> tuple[Side, Side]:
    """Ours and the peer's, from the same weights."""
    config = shape_of(args.family, args.vocab_size, args.dropout)
    ours = our_side(config)
    weights = {name: value.clone() for name, value in ours.model.state_dict().items()}
    if args.peer == "litgpt":
        return ours, litgpt_side(weights, config)
    return ours, transformers_side(args.family, weights, config)


def compile_sides(sides: tuple[Side, Side]) -> None:
    """Both through inductor, as each system does it: ours block by block, transformers whole."""
    ours, theirs = sides
    for name, module in ours.model.named_modules():
        if name.rpartition(".")[0].endswith("blocks"):
            module.compile()
    theirs.model.compile()


def parity(args: argparse.Namespace, sides: tuple[Side, Side]) -> float:
    """Largest relative difference of the losses over 20 steps of training."""
    worst = 0.0
    for number in range(args.parity_steps):
        batch = make_batch(args.family, args.vocab_size, 1000 + number)
        ours, theirs = (side.step(batch) for side in sides)
        worst = max(worst, abs(ours - theirs) / theirs)
    return worst


def race(args: argparse.Namespace, sides: tuple[Side, Side]) -> tuple[list[float], list[float]]:
    """Seconds of a step of each side by round; the side that goes first alternates."""
    clock = time.process_time if args.threads == 1 else time.perf_counter
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(-1, args.rounds):
        batch = make_batch(args.family, args.vocab_size, number + 1)
        for turn in (0, 1) if number % 2 else (1, 0):
            started = clock()
            for _ in range(args.steps):
                sides[turn].step(batch)
            if number >= 0:  # the round before warms up
                seconds[turn].append((clock() - started) / args.steps)
    return seconds


def race_trainer(
    args: argparse.Namespace, sides: tuple[Side, Side]
) -> tuple[list[float], list[float]]:
    """As `race`, the peer under transformers' Trainer; its steps are timed from end to end."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(-1, args.rounds):
        batch = make_batch(args.family, args.vocab_size, number + 1)
        started = time.process_time()
        for _ in range(args.steps):
            sides[0].step(batch)
        ours = (time.process_time() - started) / args.steps
        theirs = trainer_step_seconds(args, sides[1], number)
        if number >= 0:
            seconds[0].append(ours)
            seconds[1].append(theirs)
    return seconds


def trainer_step_seconds(args: argparse.Namespace, side: Side, seed: int) -> float:
    """CPU seconds of a step under Trainer; the first one, which sets up, is not counted."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    inputs = peer_inputs(args.family, make_batch(args.family, args.vocab_size, seed + 1))
    rows = [{name: value[row] for name, value in inputs.items()} for row in range(ROWS)]
    ends: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc, unused-ignore]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.process_time())

    arguments = TrainingArguments(
        output_dir="/nonexistent",
        use_cpu=True,
        per_device_train_batch_size=ROWS,
        max_steps=args.steps + 1,
        max_grad_norm=0.0,
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    constant = torch.optim.lr_scheduler.LambdaLR(side.optimizer, lambda _: 1.0)
    Trainer(
        model=side.model,
        args=arguments,
        train_dataset=rows * (args.steps + 1),
        optimizers=(side.optimizer, constant),
        callbacks=[Clock()],
    ).train()
    steps: int = args.steps
    return (ends[-1] - ends[0]) / steps


def held_and_peak(side: Side, args: argparse.Namespace) -> int:
    """Bytes resident at the height of a step above those after set-up (Linux)."""
    for parameter in side.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    side.optimizer.step()  # makes the states
    side.optimizer.zero_grad(set_to_none=True)
    batch = make_batch(args.family, args.vocab_size, 0)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts anew
    held = _status("VmRSS")
    side.step(batch)
    return _status("VmHWM") - held


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {field} in /proc/self/status")


def memory_in_a_process(args: argparse.Namespace, side: str) -> int:
    """Run this script for the memory of one side."""
    command = [sys.executable, "-m", "benchmarks.races.train_speed", *sys.argv[1:]]
    command += ["--memory-of", side]
    # Blocks of a megabyte go back to the system at once, so that what is resident is what is live.
    malloc = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576"}
    run = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **malloc}
    )
    return int(run.stdout)


def gemm_rate(threads: int) -> float:
    """Best FLOP/s of the model's largest kind of product, fp32."""
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    a, b = torch.randn(ROWS * TOKENS, 256), torch.randn(1024, 256)
    best = 0.0
    for _ in range(5):
        started = clock()
        for _ in range(10):
            a @ b.T
        best = max(best, 10 * 2 * a.numel() * len(b) / (clock() - started))
    return best


def step_flops(family: str, config: ModelConfig) -> float:
    """Products of a step, forward and backward; causal attention counts half its square."""
    table = config.vocab_size * config.width
    square = 12 * config.num_layers * config.width * TOKENS
    if family == "t5":
        mlp = (3 if config.is_gated else 2) * config.width * config.mlp_width
        attention = 4 * config.width * config.num_heads * config.head_width
        encoder = config.num_layers * (attention + mlp)
        decoder = config.num_layers * (2 * attention + mlp)
        memory = (
            config.num_layers * attention // 2
        )  # keys and values of the memory, at TOKENS positions
        targets = 6 * (decoder - memory + table) + square * (1 + TARGETS / TOKENS)
        return ROWS * (TOKENS * (6 * (encoder + memory) + square) + TARGETS * targets)
    blocks = config.num_parameters() - table * (1 if config.tied_head else 2)
    blocks -= config.max_positions * config.width if config.positions == "learned" else 0
    if family == "bert":
        return ROWS * TOKENS * (6 * (blocks + 0.15 * table) + square)
    return ROWS * TOKENS * (6 * (blocks + table) + square / 2)


def arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--family", choices=("gpt", "llama", "t5", "bert"), default="gpt")
    parser.add_argument("--peer", choices=("loop", "trainer", "litgpt"), default="loop")
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1, help="in each round")
    parser.add_argument("--parity-steps", type=int, default=PARITY_STEPS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--skip-memory", action="store_true")
    parser.add_argument("--memory-of", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    sides = make_sides(args)
    if args.memory_of:
        print(held_and_peak(sides[args.memory_of == "theirs"], args))
        return
    if args.compile:
        compile_sides(sides)
    worst = parity(args, sides) if args.dropout == 0 else None
    run: Callable[..., tuple[list[float], list[float]]]
    run = race_trainer if args.peer == "trainer" else race
    ours, theirs = run(args, sides)
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    config = shape_of(args.family, args.vocab_size, args.dropout)
    rate = gemm_rate(args.threads)
    result: dict[str, Any] = {
        **{k: getattr(args, k) for k in ("family", "peer", "vocab_size", "dropout", "rounds")},
        "threads": args.threads,
        "compiled": args.compile,
        "measure": "CPU time" if args.threads == 1 else "wall clock",
        "parameters": config.num_parameters(),
        "tokens_per_step": ROWS * (TOKENS + (TARGETS if args.family == "t5" else 0)),
        "seconds_ours": round(statistics.median(ours), 3),
        "seconds_theirs": round(statistics.median(theirs), 3),
        "ratio_median": round(statistics.median(ratios), 3),
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
        "largest_relative_loss_difference": worst,
        "gemm_gflops": round(rate / 1e9, 1),
        "gemm_share": round(step_flops(args.family, config) / statistics.median(ours) / rate, 3),
    }
    if not args.skip_memory and args.peer != "trainer":
        peaks = [memory_in_a_process(args, side) for side in ("ours", "theirs")]
        result["peak_mb"] = [round(peak / 1e6, 1) for peak in peaks]
        result["peak_ratio"] = round(peaks[0] / peaks[1], 3)
    case = f"{args.family}, {args.peer}, {args.vocab_size} ids, dropout {args.dropout:g}"
    case += f", {args.threads} threads" + (", compiled" if args.compile else "")
    record("train_speed", result, case=case)


if __name__ == "__main__":
    main()
