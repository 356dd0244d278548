"""`train compare A B ...`: models on the same items, as a table and one offline page."""

from __future__ import annotations

import argparse
from pathlib import Path

from schemas.errors import ContractError, SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipes",
        nargs="+",
        metavar="MODEL[,SEED...]",
        help="run, or evaluation.json that `train evaluate` wrote; each is held against the first. Several "
        "seeds of one recipe are joined by commas",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("comparison.html"), help="file of the page"
    )
    parser.add_argument("--json", type=Path, help="file of the same figures for machines")


def run(args: argparse.Namespace) -> int:
    """Print the verdicts and write the page."""
    from train.comparison.checkpoints import signals
    from train.comparison.compare import compare
    from train.comparison.page import as_json, write_page
    from train.comparison.recipes import read_recipes
    from train.comparison.table import print_comparison

    if len(args.recipes) < 2:
        raise SettingsError("train compare: name two models or more")
    recipes = read_recipes(
        [[Path(part) for part in recipe.split(",") if part] for recipe in args.recipes]
    )
    models = [seed for recipe in recipes for seed in recipe.seeds]
    rows = compare(recipes, signals=signals(models))
    print_comparison(rows)
    if args.json is not None:
        try:
            args.json.write_text(as_json(rows) + "\n", encoding="utf-8")
        except OSError as error:
            raise ContractError(f"{args.json}: cannot be written ({error.strerror})") from error
        print(args.json)
    print(write_page(args.out, recipes, rows))
    return 0
