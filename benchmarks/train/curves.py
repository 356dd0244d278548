"""Curves of a T5, a BERT and a GPT trained on a manifest for some minutes each: a case for each.

    python -m benchmarks.train.curves MANIFEST OUTPUT [--steps 300]

Small models (4 layers of 128), AdamW with warm-up and cosine, 4 rows per step, one thread. Losses are nats per label: of the next token for GPT, of
masked tokens for BERT, of the spans and their sentinels for T5; they are not to be compared.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.record import argument_parser, record

FAMILIES: dict[str, dict[str, Any]] = {
    "gpt": {"model.preset": "gpt2-tiny", "objective.name": "causal"},
    "t5": {
        "model.preset": "t5-tiny",
        "model.width": 128,
        "model.mlp_width": 512,
        "model.head_width": 32,
        "objective.name": "span_corruption",
    },
    "bert": {
        "model.preset": "bert-base",
        "model.width": 128,
        "model.num_layers": 4,
        "model.num_heads": 4,
        "model.mlp_width": 512,
        "objective.name": "masked",
    },
}


def main() -> None:
    """Train one after the other; `OUTPUT/<family>` keeps the runs."""
    parser = argument_parser(__doc__)
    parser.add_argument("manifest")
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    manifest, output, steps = args.manifest, args.output, args.steps
    vocab_size = json.loads(Path(manifest).read_text("utf-8"))["tokenizer"]["vocab_size"]
    for family, changes in FAMILIES.items():
        folder = output / family
        recipe = folder / "recipe.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        recipe.write_text(_recipe(manifest, folder, steps), encoding="utf-8")
        overrides = [f"--set={key}={json.dumps(value)}" for key, value in changes.items()]
        command = [sys.executable, "-m", "train", "pretrain", "--recipe", str(recipe), *overrides]
        subprocess.run(command, check=True)
        record("curves", _curve(folder, vocab_size), case=family)


def _recipe(manifest: str, folder: Path, steps: int) -> str:
    settings = {
        "manifest": manifest,
        "output": str(folder / "run"),
        "batch": {"sequences": 4, "microbatch": 4},
        "stop": {"steps": steps},
        "optimizer": {"name": "adamw"},
        "schedule": {"peak_lr": 2e-3, "warmup": steps // 10},
        "evaluation": {"max_rows": 64},
        "threads": 1,
    }
    return json.dumps(settings)


def _curve(folder: Path, vocab_size: int) -> dict[str, Any]:
    lines = (folder / "run" / "metrics.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    losses = [record for record in records if "loss" in record]
    heldout = [record["heldout"] for record in records if "heldout" in record]
    wanted = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    points = [losses[step] for step in wanted if step < len(losses)] + losses[-1:]
    return {
        "ln_vocabulary": round(math.log(vocab_size), 3),
        "steps": len(losses),
        "seconds": round(sum(record["seconds"] for record in losses)),
        "loss_by_step": {str(each["step"]): round(each["loss"], 3) for each in points},
        "heldout": heldout[-1] if heldout else None,
    }


if __name__ == "__main__":
    main()
