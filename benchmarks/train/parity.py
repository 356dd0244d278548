"""Largest differences from transformers, and parameters of every preset against the meta device.

    python -m benchmarks.train.parity
    python -m benchmarks.train.parity --table    (prints markdown, writes nothing)

Tiny models of all families, fp32 and fp64, on rows of two documents with padding and on whole ones:
logits, loss and every gradient, each against the largest value of its tensor. Biases of keys have a
true gradient of zero, so only fp64 says something of them: they stand apart.
"""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.record import argument_parser, record
from train.batch.batch import NO_LABEL, Batch
from train.exchange.compare import Differences, compare
from train.model.config import ModelConfig
from train.model.presets import PRESETS, resolve_model
from train.model.transformer import build_model, make_model

CASES = ("t5-test", "t5-v1.1-test", "bert-test", "gpt2-test", "opt-test", "neox-test", "llama-test")
VOCABULARY, TOKENS = 90, 16
DOCUMENT = torch.tensor([[1] * 7 + [2] * 6 + [0] * 3, [1] * 16])
POSITIONS = torch.tensor([[*range(7), *range(6), 0, 0, 0], [*range(16)]])


def make_batch(family: str) -> Batch:
    """Two documents and padding in the first row, one document in the second."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(2, VOCABULARY, (2, TOKENS), generator=draw)
    borders = (DOCUMENT == 0) | (DOCUMENT.roll(-1, 1) != DOCUMENT)
    labels = ids.roll(-1, 1).masked_fill(borders, NO_LABEL)
    decoder_ids = None
    if family == "t5":
        labels = torch.randint(2, VOCABULARY, (2, 9), generator=draw)
        decoder_ids = torch.cat((torch.zeros_like(labels[:, :1]), labels[:, :-1]), dim=1)
    return Batch(
        input_ids=ids.masked_fill(DOCUMENT == 0, 0),
        labels=labels,
        document=DOCUMENT,
        positions=POSITIONS,
        segment=torch.zeros_like(labels),
        segment_source=torch.zeros(1, dtype=torch.long),
        num_sources=1,
        is_whole=False,
        decoder_ids=decoder_ids,
        token_types=(DOCUMENT == 2).long() if family == "bert" else None,
        pair_labels=torch.tensor([1, 0]) if family == "bert" else None,
    )


def differences(preset: str, dtype: torch.dtype) -> Differences:
    """Of a model whose biases and norms are not at their trivial start."""
    choice = {"preset": preset, "attend_across_documents": False}
    config = resolve_model(choice, vocab_size=VOCABULARY, seq_len=TOKENS)
    model = build_model(config, seed=2)
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=draw))
    return compare(model, make_batch(config.family), dtype=dtype)


def parity_row(preset: str) -> dict[str, Any]:
    """Worst figures of a family."""
    single, double = (differences(preset, dtype) for dtype in (torch.float32, torch.float64))

    def is_key_bias(name: str) -> bool:
        return name.endswith(("key.bias", "k_proj.bias"))

    of_keys = [d for name, d in double.gradients.items() if is_key_bias(name)]
    return {
        "model": preset.removesuffix("-test"),
        "tensors": len(single.gradients),
        "logits": single.logits,
        "loss": single.loss,
        "gradients": max(d for name, d in single.gradients.items() if not is_key_bias(name)),
        "logits_fp64": double.logits,
        "gradients_fp64": double.gradient,
        "key_biases_fp64": max(of_keys) if of_keys else None,
    }


def parameters() -> dict[str, int]:
    """Counted on the meta device; the formula must agree."""
    counts = {}
    for name, fields in PRESETS.items():
        config = ModelConfig.model_validate(fields)
        with torch.device("meta"):
            model = make_model(config)
        counts[name] = sum(p.numel() for p in model.parameters())
        if counts[name] != config.num_parameters():
            raise SystemExit(f"{name}: {counts[name]}, the formula says {config.num_parameters()}")
    return counts


def main() -> None:
    """Print both."""
    parser = argument_parser(__doc__)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows, counts = [parity_row(preset) for preset in CASES], parameters()
    if not args.table:
        record("parity", {"tolerance": 1e-5, "families": rows, "parameters": counts})
        return
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        cells = [f"{v:.1e}" if isinstance(v, float) else str(v) for v in row.values()]
        print("| " + " | ".join(cells) + " |")
    print("\n| preset | parameters |\n|---|---|")
    for name, count in counts.items():
        print(f"| {name} | {count:,} |")


if __name__ == "__main__":
    main()
