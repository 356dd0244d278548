"""`train evaluate`: a checkpoint on the held-out split and on local tasks."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="step-N, or a run's folder")
    parser.add_argument("--manifest", required=True, help="manifest with the held-out split")
    parser.add_argument("--tasks", type=Path, nargs="*", default=[], help="JSONL task files")
    parser.add_argument("--shots", type=int, default=0, help="examples before each question")
    parser.add_argument("--output", type=Path, help="where evaluation.json goes (checkpoint's run)")
    parser.add_argument("--max-rows", type=int, help="read only so many held-out rows")


def run(args: argparse.Namespace) -> int:
    """Evaluate, write evaluation.json, print a table."""
    from train.evaluation.run import evaluate_checkpoint

    return evaluate_checkpoint(args)
