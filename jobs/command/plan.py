"""`refinery plan --recipe R`: tokens and epochs per source from counted tokens, before packing."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from refinery.mixture.counted import count_tokens, newest_record
from refinery.mixture.plan import MANY_EPOCHS, MixturePlan, plan_mixture
from refinery.mixture.plot import mixture_page
from refinery.publish import storage
from refinery.publish.store import Store
from refinery.recipe import load_recipe
from schemas.errors import SettingsError

BAR_CELLS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", nargs="?", type=Path, help="settings file (YAML)")
    parser.add_argument("--recipe", dest="recipe_option", type=Path, help="the same, as an option")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--plot", type=Path, metavar="FILE.html", help="draw the table as a page")
    parser.add_argument("--json", action="store_true", help="one JSON object, for machines")


def run(args: argparse.Namespace) -> int:
    """Plan the mixture of the recipe over the tokens that are already counted."""
    path = args.recipe_option or args.recipe
    if path is None:
        raise SettingsError("refinery plan: name a recipe, e.g. jobs/recipes/demo.yaml")
    if args.plot is not None and args.plot.suffix != ".html":
        raise SettingsError(
            f"--plot {args.plot}: the plot is a page; name a file that ends in .html"
        )
    settings = load_recipe(path, tuple(args.overrides))
    store = Store(storage.join_uri(settings.runtime.output, "tables"))
    record = newest_record(store, "tokenise")
    names = [source.name for source in settings.recipe.sources]
    counted = count_tokens(store.table_uri(record, "tokens"), names)
    plan = plan_mixture(counted.tokens, counted.documents, settings.recipe.mixture)
    if args.plot is not None:
        storage.replace(str(args.plot), mixture_page(plan.sources).encode())
    if args.json:
        rows = [{**p.model_dump(), "planned_tokens": round(p.planned_tokens)} for p in plan.sources]
        print(json.dumps({"sources": rows, "warnings": plan.warnings}, ensure_ascii=False))
    else:
        _print(plan, record.fingerprint)
    return 0


def _print(plan: MixturePlan, fingerprint: str) -> None:
    console = Console()
    table = Table(
        title="mixture: weights asked and got, planned tokens of all copies",
        caption=f"tokens counted by stage tokenise {fingerprint[:12]}",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    table.add_column("source", no_wrap=True)
    for name in ("documents", "tokens", "asked", "got", "epochs", "planned"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("share", no_wrap=True)
    for source in plan.sources:
        style = "yellow" if source.epochs > MANY_EPOCHS else ""
        table.add_row(
            source.source,
            f"{source.documents:,}",
            f"{source.tokens:,}",
            f"{source.weight_asked:.3f}",
            f"{source.weight_got:.3f}",
            f"{source.epochs:.2f}",
            f"{source.planned_tokens:,.0f}",
            "█" * round(BAR_CELLS * source.weight_got),
            style=style,
        )
    total = sum(source.planned_tokens for source in plan.sources)
    table.add_section()
    table.add_row("all", "", "", "", "", "", f"{total:,.0f}", "")
    console.print(table)
    for warning in plan.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)
