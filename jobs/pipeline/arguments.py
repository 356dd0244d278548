"""The arguments that all jobs and verbs share; read before Spark's modules are.

Each names its recipe as the first argument (`refinery plan recipe.yaml`) or as `--recipe`.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from refinery.publish import storage
from refinery.publish.fetched import input_path
from refinery.recipe import RefineSettings, Runtime, load_recipe
from schemas.errors import SettingsError
from schemas.settings import closest

SETTINGS_ENDINGS = (".yaml", ".yml")


class Parser(argparse.ArgumentParser):
    """argparse, and the nearest right name for a wrong verb, choice or flag."""

    def error(self, message: str) -> NoReturn:
        super().error(f"{message}{self._hint(message)}")

    def _hint(self, message: str) -> str:
        """What the first unknown name of a message resembles."""
        if found := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            return closest(found[1], re.findall(r"[\w.-]+", found[2]))
        if found := re.search(r"unrecognized arguments: .*?(--?[\w-]+)", message):
            return closest(found[1], list(self._option_string_actions))
        return ""


def recipe_parser(program: str) -> argparse.ArgumentParser:
    """A parser of the arguments that name a recipe and change single settings of it."""
    parser = Parser(prog=program)
    add_recipe_arguments(parser)
    return parser


def refine_parser(program: str) -> argparse.ArgumentParser:
    """The arguments of a run of several stages."""
    parser = recipe_parser(program)
    add_stage_arguments(parser)
    return parser


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what names a recipe and changes single settings of it."""
    parser.add_argument("recipe", nargs="?", type=input_path, help="settings file (YAML)")
    parser.add_argument(
        "--recipe", dest="recipe_option", type=input_path, help="the same, as an option"
    )
    add_override_argument(parser)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what names a run: its recipe, or the folder of its output."""
    parser.add_argument("run", nargs="?", help="settings file (YAML) of the run, or its output")
    parser.add_argument(
        "--recipe", dest="recipe_option", type=input_path, help="settings file (YAML)"
    )
    add_override_argument(parser)


def add_override_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--set`, which changes single settings of a recipe."""
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


def local_parser(program: str) -> argparse.ArgumentParser:
    """The arguments of a run of several stages on this machine; spark-submit has these of its own."""
    parser = refine_parser(program)
    add_spark_arguments(parser)
    return parser


def add_spark_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what a local Spark is started with."""
    parser.add_argument("--ui", action="store_true", help="serve Spark's UI while the run lasts")
    parser.add_argument(
        "--conf",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        type=_spark_setting,
        help="a setting of Spark, e.g. spark.local.dir=/scratch; may be repeated",
    )


def _spark_setting(text: str) -> str:
    if not re.match(r"spark\.[\w.-]+=", text):
        raise argparse.ArgumentTypeError(f"expected spark.KEY=VALUE, got '{text}'")
    return text


def recipe_path(args: argparse.Namespace) -> Path:
    """The settings file that the arguments name.

    Raises:
        SettingsError: None is named, or two are.
    """
    given = [path for path in (args.recipe, args.recipe_option) if path is not None]
    if len(given) != 1:
        found = f"got {given[0]} and {given[1]}" if given else "got none"
        raise SettingsError(f"name one recipe, e.g. jobs/recipes/demo.yaml; {found}")
    path: Path = given[0]
    return path


def read_settings(args: argparse.Namespace) -> RefineSettings:
    """The settings that the arguments name, with the overrides."""
    return load_recipe(recipe_path(args), tuple(args.overrides))


@dataclass(frozen=True)
class NamedRun:
    """A run by its recipe, or by its output alone: then it has the name of that folder."""

    name: str
    runtime: Runtime


def named_run(args: argparse.Namespace) -> NamedRun:
    """The run that the arguments name: a recipe's, or that of the folder or URI itself.

    Raises:
        SettingsError: Nothing is named, or two runs are, or `--set` is given without a recipe.
    """
    if args.recipe_option is not None and args.run is not None:
        raise SettingsError(f"name one run; got {args.run} and {args.recipe_option}")
    if args.recipe_option is not None or is_settings_file(args.run):
        settings = load_recipe(args.recipe_option or input_path(args.run), tuple(args.overrides))
        return NamedRun(settings.recipe.name, settings.runtime)
    if args.run is None:
        raise SettingsError("name a run: its recipe (YAML), or the folder of its output")
    if args.overrides:
        raise SettingsError(f"--set changes a recipe; {args.run} is an output, not a recipe")
    return NamedRun(args.run.rstrip("/").rpartition("/")[2], Runtime(output=args.run))


def output_named(text: str) -> str:
    """The output of the recipe that is named; any other text is an output itself."""
    return load_recipe(input_path(text)).runtime.output if is_settings_file(text) else text


def dataset_named(text: str) -> str:
    """The dataset of the recipe that is named; any other text is its path or URI."""
    if not is_settings_file(text):
        return text
    return storage.join_uri(output_named(text), "dataset")


def report_named(text: str) -> Path:
    """The report.json of the recipe that is named; any other text is its path or URI."""
    if not is_settings_file(text):
        return input_path(text)
    return input_path(storage.join_uri(output_named(text), "report", "report.json"))


def is_settings_file(text: str | None) -> bool:
    """Whether an argument names a settings file rather than a folder."""
    return text is not None and text.lower().endswith(SETTINGS_ENDINGS)


def parse_recipe_arguments(
    argv: list[str], parser: argparse.ArgumentParser
) -> tuple[RefineSettings, argparse.Namespace]:
    """Parse and load; faults of the recipe come before any session starts."""
    args = parser.parse_args(argv)
    return read_settings(args), args
