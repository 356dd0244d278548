"""Activation memory against time of a training step: recompute none, selective, full.

One process, one thread, CPU time; each setting in turn, twice, the least of each counts.

    python -m benchmarks.train.memory_time
"""

from __future__ import annotations

import time

import torch

from benchmarks.record import argument_parser, record
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.parallel.recompute import recompute_and_compile
from train.planning.fitting import activation_bytes, any_batch
from train.settings import TrainSettings

ROWS, TOKENS, VOCAB, REPEATS = 2, 256, 5003, 2
SHAPES = {
    "gpt2": {"preset": "gpt2-test", "width": 256, "num_layers": 8, "num_heads": 8},
    "t5": {"preset": "t5-small", "width": 256, "num_layers": 4, "num_heads": 8, "head_width": 32},
    "bert": {"preset": "bert-base", "width": 256, "num_layers": 8, "num_heads": 8},
}


def measure(shape: dict[str, object], how: str) -> tuple[int, float]:
    settings = TrainSettings.model_validate(
        {
            "manifest": "none",
            "output": "none",
            "stop": {"steps": 1},
            "model": shape,
            "recompute": how,
        }
    )
    model = build_model(resolve_model(settings.model, vocab_size=VOCAB, seq_len=TOKENS), seed=1)
    recompute_and_compile(model, recompute=settings.recompute, compiles=settings.compile)
    batch = any_batch(ROWS, TOKENS, VOCAB)
    kept = activation_bytes(model, batch)
    started = time.process_time()
    model(batch).loss.backward()
    return kept, time.process_time() - started


def main() -> None:
    argument_parser(__doc__).parse_args()
    torch.set_num_threads(1)
    rows = []
    for family, shape in SHAPES.items():
        best: dict[str, tuple[int, float]] = {}
        for _ in range(REPEATS):
            for how in ("none", "selective", "full"):
                kept, seconds = measure(shape, how)
                best[how] = (kept, min(seconds, best.get(how, (0, seconds))[1]))
        memory, seconds = best["none"]
        rows += [
            {
                "family": family,
                "recompute": how,
                "kept_mb": round(kept / 1e6, 1),
                "of_none": round(kept / memory, 3),
                "cpu_seconds": round(spent, 3),
                "time_of_none": round(spent / seconds, 3),
            }
            for how, (kept, spent) in best.items()
        ]
    record("memory_time", {"rows_x_tokens": [ROWS, TOKENS], "rows": rows})


if __name__ == "__main__":
    main()
