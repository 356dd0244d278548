"""`train models`: what there is to start from, and what training it would take."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from rich.table import Table

from schemas.errors import SettingsError
from schemas.plain_json import json_text
from schemas.settings import nearest
from schemas.terminal import open_console
from train.commands.arguments import positive
from train.model.presets import PRESETS
from train.planning.memory import OPTIMIZER_BYTES, TrainingNeeds, TrainingShape, training_needs

_GIB = 2**30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", help="presets, or beginnings of their names; all")
    parser.add_argument("--seq-len", type=positive, default=2048, help="tokens per row")
    parser.add_argument(
        "--microbatch", type=positive, default=8, help="rows per forward pass and rank"
    )
    parser.add_argument("--dp-shard", type=positive, default=1, help="FSDP2 ranks")
    parser.add_argument("--tp", type=positive, default=1, help="tensor ranks")
    parser.add_argument("--pp", type=positive, default=1, help="pipeline ranks")
    parser.add_argument("--optimizer", choices=sorted(OPTIMIZER_BYTES), default="adamw")
    parser.add_argument("--recompute", choices=("none", "full"), default="none")
    parser.add_argument("--fits", type=float, metavar="GIB", help="only what a rank's memory holds")
    parser.add_argument("--json", action="store_true", help="JSON lines, in bytes and FLOPs")


def run(args: argparse.Namespace) -> int:
    """Print the table.

    Raises:
        SettingsError: No preset has that name.
    """
    shape = TrainingShape(
        seq_len=args.seq_len,
        microbatch=args.microbatch,
        dp_shard=args.dp_shard,
        tp=args.tp,
        pp=args.pp,
        optimizer=args.optimizer,
        recompute=args.recompute,
    )
    needs = {name: training_needs(name, shape) for name in chosen(args.names)}
    if args.fits is not None:
        needs = {k: v for k, v in needs.items() if v.total_bytes <= args.fits * _GIB}
    if args.json:
        for name, need in needs.items():
            print(json_text({"name": name, **asdict(need), "total_bytes": need.total_bytes}))
        return 0
    # Wider than a plain terminal of 80: cut-off names and numbers would say nothing.
    open_console().print(_table(needs, shape))
    return 0


def chosen(names: list[str]) -> list[str]:
    """The presets that have one of the names, or whose names begin with one.

    Raises:
        SettingsError: There is none.
    """
    matches: list[str] = []
    for name in names:
        some = [preset for preset in PRESETS if preset == name] or [
            preset for preset in PRESETS if preset.startswith(name)
        ]
        if not some:
            raise SettingsError(f"models: no preset '{name}'{nearest(name, set(PRESETS))}")
        matches += some
    return matches or list(PRESETS)


def _table(needs: dict[str, TrainingNeeds], shape: TrainingShape) -> Table:
    ranks = shape.dp_shard * shape.tp * shape.pp
    table = Table(
        title="presets",
        caption=f"GiB per rank of {ranks}: fp32 weights, gradients, {shape.optimizer}; activations "
        f"of {shape.microbatch} rows x {shape.seq_len} tokens, recompute {shape.recompute}",
    )
    left = ("name", "family")
    right = ("parameters", "states", "activations", "GiB per rank", "GFLOP per token")
    for column in (*left, *right):
        table.add_column(column, justify="left" if column in left else "right")
    for name, need in needs.items():
        sizes = (need.state_bytes, need.activation_bytes, need.total_bytes)
        table.add_row(
            name,
            need.family,
            f"{need.parameters:,}",
            *(f"{size / _GIB:,.2f}" for size in sizes),
            f"{need.flops_per_token / 1e9:,.2f}",
        )
    return table
