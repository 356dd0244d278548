"""`train finetune STUDY`: fine-tuning as an evaluation, by a published protocol."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.commands.arguments import existing_file
from train.finetune.settings import load_finetune_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=existing_file, help="YAML file of the study")


def run(args: argparse.Namespace) -> int:
    """Run the study as far as it is not finished, print its curve."""
    study = load_finetune_settings(Path(args.study))
    from train.finetune.study import run_study  # torch starts only now

    found = run_study(study)
    print(f"rate {found.rate:g}, chosen on dev; majority line {100 * found.majority:.1f} %")
    print(
        f"{'labels':>8}{'accuracy':>10}{'95 %':>18}{'seeds':>7}{'collapsed':>11}{'bag of words':>14}"
    )
    for row in found.rows:
        span = f"{100 * row.accuracy.low:.1f} to {100 * row.accuracy.high:.1f}"
        print(
            f"{row.labels:>8,}{100 * row.accuracy.value:>9.1f}%{span:>18}{len(row.by_seed):>7}"
            f"{row.collapsed:>11}{100 * row.bag_of_words:>13.1f}%"
        )
    print(found.page)
    return 0
