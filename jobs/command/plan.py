"""`refinery plan --recipe R`: tokens and epochs per source from counted tokens, before packing."""

from __future__ import annotations

import argparse
import json

from rich.box import SIMPLE
from rich.table import Table

from jobs.pipeline.arguments import add_recipe_arguments, read_settings
from refinery.mixture.counted import count_tokens
from refinery.mixture.plan import MANY_EPOCHS, MixturePlan, plan_mixture
from refinery.mixture.plot import mixture_page
from refinery.publish import storage
from refinery.publish.runs import stages_of
from schemas.errors import SettingsError
from schemas.terminal import open_console

BAR_CELLS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    parser.add_argument("--plot", metavar="FILE.html", help="draw the table as a page")
    parser.add_argument("--json", action="store_true", help="one JSON object, for machines")


def run(args: argparse.Namespace) -> int:
    """Plan the mixture of the recipe over the tokens that are already counted."""
    if args.plot is not None and not args.plot.endswith(".html"):
        raise SettingsError(
            f"--plot {args.plot}: the plot is a page; name a file that ends in .html"
        )
    settings = read_settings(args)
    published = stages_of(settings.runtime.output, settings.runtime.tables)
    store, record = published.store, published.record("tokenise")
    names = [source.name for source in settings.recipe.sources]
    counted = count_tokens(store.table_uri(record, "tokens"), names)
    plan = plan_mixture(counted.tokens, counted.documents, settings.recipe.mixture)
    if args.plot is not None:
        storage.replace(args.plot, mixture_page(plan.sources).encode())
    if args.json:
        rows = [{**p.model_dump(), "planned_tokens": round(p.planned_tokens)} for p in plan.sources]
        print(json.dumps({"sources": rows, "warnings": plan.warnings}, ensure_ascii=False))
    else:
        _print(plan, record.fingerprint)
    return 0


def _print(plan: MixturePlan, fingerprint: str) -> None:
    console = open_console()
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
