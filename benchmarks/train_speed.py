"""CPU time of a training step against the same model in transformers, one thread, alternating.

Prints one JSON line. Both sides start from the same weights and see the same batches; the losses
of every step are compared first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from schemas.manifest import SpecialIds
from train.batch import Batch
from train.data.packed import PackedRows
from train.exchange.folder import export_folder
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.objectives.causal import CausalObjective
from train.objectives.config import CausalConfig

ROWS, TOKENS = 8, 512


def make_batch(vocab_size: int, seed: int) -> Batch:
    """Whole rows of one document each, of random ids."""
    ids = np.random.default_rng(seed).integers(0, vocab_size, (ROWS, TOKENS)).astype(np.int32)
    rows = PackedRows(
        input_ids=ids,
        next_token=np.full(ROWS, -1, np.int32),
        sample_index=np.arange(ROWS),
        segment_row=np.arange(ROWS, dtype=np.int32),
        segment_start=np.zeros(ROWS, np.int32),
        segment_length=np.full(ROWS, TOKENS, np.int32),
        segment_source=np.zeros(ROWS, np.int32),
        sources=("random",),
    )
    return CausalObjective(CausalConfig()).build(rows, seed=0)


def timed(step: Callable[[Batch], float], batch: Batch) -> tuple[float, float]:
    """Loss and CPU seconds of a step."""
    start = time.process_time()
    loss = step(batch)
    return loss, time.process_time() - start


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = resolve_model({"preset": "gpt2-mini"}, vocab_size=args.vocab_size, seq_len=TOKENS)
    ours = build_model(config, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        export_folder(Path(folder), ours.state_dict(), config, SpecialIds(pad=0, eos=1), None)
        theirs = AutoModelForCausalLM.from_pretrained(folder).train()
    optimizers = [torch.optim.AdamW(m.parameters(), lr=1e-3) for m in (ours, theirs)]

    def our_step(batch: Batch) -> float:
        sums = ours(batch)
        loss = sums.loss / sums.labels_by_source.sum()
        return update(loss, optimizers[0])

    def their_step(batch: Batch) -> float:
        ids = batch.input_ids
        return update(theirs(input_ids=ids, labels=ids).loss, optimizers[1])

    seconds: tuple[list[float], list[float]] = ([], [])
    worst = 0.0
    for number in range(args.rounds + 1):
        batch = make_batch(args.vocab_size, number)
        first, ours_seconds = timed(our_step, batch)
        second, theirs_seconds = timed(their_step, batch)
        worst = max(worst, abs(first - second) / second)
        if number > 0:  # the first step warms up
            seconds[0].append(ours_seconds)
            seconds[1].append(theirs_seconds)
    ratios = [b / a for a, b in zip(*seconds, strict=True)]
    print(
        json.dumps(
            {
                "benchmark": "train_speed",
                "model": "gpt2, 4 layers, 256 wide",
                "vocab_size": args.vocab_size,
                "tokens_per_step": ROWS * TOKENS,
                "rounds": args.rounds,
                "cpu_seconds_ours": round(statistics.median(seconds[0]), 3),
                "cpu_seconds_transformers": round(statistics.median(seconds[1]), 3),
                "ratio_median": round(statistics.median(ratios), 3),
                "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
                "largest_relative_loss_difference": worst,
            }
        )
    )


def update(loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> float:
    """Backward, step, and the loss before them."""
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


if __name__ == "__main__":
    main()
