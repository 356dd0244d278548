"""The arguments that all jobs share; read before Spark's modules are."""

from __future__ import annotations

import argparse
from pathlib import Path

from refinery.recipe import RefineSettings, load_recipe


def recipe_parser(program: str) -> argparse.ArgumentParser:
    """A parser of the arguments that name a recipe and change single settings of it."""
    parser = argparse.ArgumentParser(prog=program)
    add_recipe_arguments(parser)
    return parser


def refine_parser(program: str) -> argparse.ArgumentParser:
    """The arguments of a run of several stages."""
    parser = recipe_parser(program)
    add_stage_arguments(parser)
    return parser


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what names a recipe and changes single settings of it."""
    parser.add_argument("--recipe", required=True, type=Path, help="settings file (YAML)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="override one setting, e.g. recipe.dedup.threshold=0.7",
    )


def add_stage_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--from` and `--until`, which bound the stages that run."""
    parser.add_argument("--until", metavar="STAGE", help="stop after this stage")
    parser.add_argument(
        "--from",
        metavar="STAGE",
        dest="first",
        help="start at this stage; those before it must be published",
    )


def parse_recipe_arguments(
    argv: list[str], parser: argparse.ArgumentParser
) -> tuple[RefineSettings, argparse.Namespace]:
    """Parse and load; faults of the recipe come before any session starts."""
    args = parser.parse_args(argv)
    return load_recipe(args.recipe, tuple(args.overrides)), args
