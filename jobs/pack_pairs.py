"""Pack supervised tables as inputs and targets: `python -m jobs.pack_pairs RECIPE [--set KEY=VALUE]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from refinery.publish.fetched import input_path
from refinery.supervised.pack import pack_pairs
from refinery.supervised.tasks import PairsRecipe
from schemas.errors import run_main
from schemas.settings import load_settings


def main(argv: list[str]) -> int:
    """Pack, and print the table of tasks."""
    parser = argparse.ArgumentParser(prog="python -m jobs.pack_pairs", description=__doc__)
    parser.add_argument("recipe", type=input_path)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args(argv)
    recipe = load_settings(PairsRecipe, args.recipe, tuple(args.overrides))
    manifest = pack_pairs(recipe)
    print(f"{'task':<16}{'examples':>12}{'epochs':>9}{'share':>8}{'tokens':>14}{'cut':>10}")
    for name, source in manifest.train.sources.items():
        print(
            f"{name:<16}{source.documents:>12,}{source.epochs:>9.3f}{source.weight or 0:>8.3f}"
            f"{source.packed_tokens:>14,}{source.dropped_tokens:>10,}"
        )
    print(f"{manifest.train.rows:,} training rows: {Path(recipe.output) / 'manifest.json'}")
    return 0


if __name__ == "__main__":
    run_main(main)
