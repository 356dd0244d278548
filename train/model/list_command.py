"""`train models`: presets with parameters, memory for training and FLOPs per token."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from train.model.config import ModelConfig
from train.model.presets import PRESETS

# fp32 weights, gradients and two Adam moments.
TRAINING_BYTES = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--seq-len", type=int, default=2048, help="tokens per row")
    parser.add_argument("--shards", type=int, default=1, help="ranks that share the states")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    table = Table(title="presets")
    for column in ("name", "family", "parameters", "training GB per rank", "GFLOP per token"):
        table.add_column(column, justify="left" if column in ("name", "family") else "right")
    for name, fields in PRESETS.items():
        config = ModelConfig.model_validate(fields)
        parameters = config.num_parameters()
        table.add_row(
            name,
            config.family,
            f"{parameters:,}",
            f"{parameters * TRAINING_BYTES / args.shards / 1e9:,.2f}",
            f"{config.flops_per_token(args.seq_len) / 1e9:,.2f}",
        )
    Console().print(table)
    return 0
