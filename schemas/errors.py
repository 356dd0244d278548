"""The error tree of both programs, each kind with the exit code of its process.

PipelineError (1)
  SettingsError (2)      a recipe, a flag or an environment that cannot work
  ContractError (3)      a file or table that is not what its declared form says
  QualityGateError (4)   a share of rows beyond what the recipe allows

A wrong row is data (a reason or a row in `rejects`); only a wrong share of rows is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


class PipelineError(Exception):
    """What people can mend; its message says where, what was found and what was expected."""

    exit_code = 1


class SettingsError(PipelineError):
    """A setting, path or installed program that cannot work; found before any long work starts."""

    exit_code = 2


class ContractError(PipelineError):
    """A table, shard, tokenizer or manifest that differs from its declared form."""

    exit_code = 3


class QualityGateError(PipelineError):
    """A share of rows beyond the recipe's bound: a sign that a rule, not the data, is wrong."""

    exit_code = 4


def run_main(main: Callable[[list[str]], int | None], argv: list[str] | None = None) -> None:
    """Run an entry point and leave the process with the error's exit code.

    Only `PipelineError` becomes a one-line message; a bug keeps its traceback.
    """
    try:
        code = main(sys.argv[1:] if argv is None else argv) or 0
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    sys.exit(code)
