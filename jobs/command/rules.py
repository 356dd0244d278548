"""`refinery rules`: every rule with its meaning, its bounds by language and their source."""

from __future__ import annotations

import argparse
import json

from rich.box import SIMPLE
from rich.table import Table

from refinery.filters.rules import check_rules
from refinery.filters.rules_table import (
    languages_with_bounds,
    provenance,
    range_in_words,
    rule_rows,
)
from refinery.publish.fetched import input_path
from refinery.recipe import load_recipe
from schemas.terminal import open_console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe", nargs="?", type=input_path, help="show the rules that run with it"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument(
        "--lang", action="append", default=[], metavar="LABEL", dest="languages",
        help="a language, e.g. zh; may be repeated; default: the bounds of all others (`default`)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for machines")


def run(args: argparse.Namespace) -> int:
    """Print the shipped rules, or those of a recipe."""
    config = None
    if args.recipe is not None:
        config = load_recipe(args.recipe, tuple(args.overrides)).recipe.clean.rules
        check_rules(config)
    languages = args.languages or (languages_with_bounds() if args.json else ["default"])
    rows = rule_rows(languages, config)
    if args.json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        return 0
    console = open_console()
    for language in languages:
        table = Table(title=f"{language}: {provenance(language)}", box=SIMPLE)
        for name in ("rule", "bounds", "meaning", "source"):
            table.add_column(name, no_wrap=name in ("rule", "bounds"))
        for row in (row for row in rows if row["language"] == language):
            name = row["rule"] + (" (optional)" if row["optional"] else "")
            bounds = range_in_words(row["minimum"], row["maximum"])
            table.add_row(name, bounds, row["meaning"], row["source"])
        console.print(table)
    others = ", ".join(languages_with_bounds()[1:])
    console.print(f"languages with bounds of their own (--lang): {others}", markup=False)
    return 0
