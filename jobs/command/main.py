"""`refinery VERB ...`: each verb is a module of this package with HELP, add_arguments and run.

Verbs are imported when they are called, so `refinery verify` never waits for Spark's import.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Protocol, cast

from jobs.pipeline.arguments import Parser
from schemas.errors import run_main
from schemas.version import code_version

VERBS = {
    "init": "write a commented recipe from a folder's files",
    "doctor": "check Java, memory, packages and write access",
    "check": "find the mistakes of a recipe before a run, all at once",
    "refine": "run the jobs of a recipe in order, skipping what is published",
    "estimate": "say what a run will cost, from a small sample",
    "plan": "show tokens and epochs per source before anything is packed",
    "benchmarks": "list benchmark items, and those that the corpus holds",
    "rules": "list every rule with its bounds by language",
    "explain": "show what happens to single files, without Spark",
    "query": "ask the tables of a run in SQL, or by ready questions",
    "whatif": "answer 'what if the threshold were X' from a ledger",
    "ablate": "make a dataset without each decision, and a study that says which pay",
    "report": "write the HTML report of a run again",
    "gate": "fail where a report's figures are beyond bounds",
    "verify": "check a dataset against its manifest",
    "trace": "name the documents of a packed row, or the rows of a document",
    "export": "write the kept text as JSONL or Parquet",
    "clean": "remove attempts that no published stage names",
    "vocabulary": "train, extend and view tokenizers",
}


class Verb(Protocol):
    """What a verb's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the work; returns the exit code."""


def main(argv: list[str]) -> int:
    """Parse the verb, import its module, run it."""
    parser = Parser(prog="refinery", description="Refine text for pretraining.")
    _add_version(parser)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, text in VERBS.items():
        verbs.add_parser(name, help=text, add_help=False)
    chosen, rest = parser.parse_known_args(argv[:1])[0], argv[1:]
    verb = cast("Verb", importlib.import_module(f"jobs.command.{chosen.verb}"))
    verb_parser = Parser(prog=f"refinery {chosen.verb}", description=VERBS[chosen.verb])
    _add_version(verb_parser)
    verb.add_arguments(verb_parser)
    return verb.run(verb_parser.parse_args(rest))


def _add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action="version", version=f"refinery {code_version()}")


def entry() -> None:
    run_main(main)


if __name__ == "__main__":
    entry()
