"""`refinery query RUN "select ..."`, or `--ask QUESTION`: SQL over the published tables of a run.

Tables are views of their names (docs/tables.md), with `documents` that joins what most questions are
about, and `stages`. Read-only, by DuckDB, without Spark; docs/query.md has the ready questions.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from jobs.command.query_output import FORMATS, write_result
from jobs.pipeline.arguments import output_named
from refinery.datasets.runs import open_run
from refinery.publish.fetched import output_path
from refinery.query.database import open_database
from refinery.query.questions import question, questions, value_names
from schemas.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "run",
        metavar="RUN",
        type=output_named,
        help="its recipe, or its output, also a bucket's URI",
    )
    parser.add_argument("sql", nargs="?", metavar="SQL", help="one SELECT; - reads it from stdin")
    parser.add_argument(
        "--ask", metavar="QUESTION", help="a ready question instead; 'list' shows all"
    )
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("--out", help="file or URI to write; needed for parquet")
    values = parser.add_argument_group("values of $name in the query, and of ready questions")
    for name in value_names():
        values.add_argument(f"--{name}", help=_used_by(name))


def _used_by(name: str) -> str:
    asked = [key for key, one in questions().items() if name in one.values]
    return f"for {', '.join(asked)}"


def run(args: argparse.Namespace) -> int:
    """Print the answer, or write it to --out."""
    if args.ask == "list":
        for name, one in questions().items():
            print(f"{name:<28} {one.question}")
        return 0
    sql, values = _asked(args)
    if args.format == "parquet" and args.out is None:
        raise SettingsError("--format parquet writes a file: name it with --out")
    with open_database(open_run(args.run)) as database:
        answer = database.stream(sql, values)
        if args.out is None:
            rows = write_result(answer, args.format, None)
        else:
            with output_path(args.out) as path:
                rows = write_result(answer, args.format, path)
    if args.out is not None:
        print(f"wrote {rows:,} rows to {args.out}", file=sys.stderr)
    return 0


def _asked(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """The SQL, and the values that were given or that the question has.

    Raises:
        SettingsError: There is no query or there are two, or a value is missing.
    """
    given = {name: getattr(args, name) for name in value_names()}
    given = {name: value for name, value in given.items() if value is not None}
    if (args.sql is None) == (args.ask is None):
        raise SettingsError(
            "give one SELECT, or --ask with the name of a question; --ask list shows all"
        )
    if args.ask is None:
        return sys.stdin.read() if args.sql == "-" else args.sql, given
    asked = question(args.ask)
    unused = sorted(set(given) - set(asked.values))
    if unused:
        raise SettingsError(
            f"--ask {args.ask}: takes no --{unused[0]}; it takes {sorted(asked.values)}"
        )
    values = {**asked.values, **given}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise SettingsError(f"--ask {args.ask}: needs --{missing[0]}")
    return asked.sql, values
