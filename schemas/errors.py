"""The error tree of both programs, each kind with the exit code of its process.

PipelineError (1)
  SettingsError (2)      a recipe, a flag or an environment that cannot work
  ContractError (3)      a file or table that is not what its declared form says
  QualityGateError (4)   a share of rows beyond what the recipe allows

A process that is interrupted (Ctrl-C) ends with 130, as programs of a shell do.
A wrong row is data (a reason or a row in `rejects`); only a wrong share of rows is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator


class PipelineError(Exception):
    """What people can mend; its message says where, what was found and what was expected.

    Args:
        message: What `str` gives; nothing where another process tells it.
        entity: The one thing at fault that a rerun meets again (a shard, a step, a checkpoint), where there is one.
    """

    exit_code = 1

    def __init__(self, *message: object, entity: str | None = None) -> None:
        super().__init__(*message)
        self.entity = entity


class SettingsError(PipelineError):
    """A setting, path or installed program that cannot work; found before any long work starts."""

    exit_code = 2


class ContractError(PipelineError):
    """A table, shard, tokenizer or manifest that differs from its declared form."""

    exit_code = 3


class QualityGateError(PipelineError):
    """A share of rows beyond the recipe's bound: a sign that a rule, not the data, is wrong."""

    exit_code = 4


INTERRUPTED = 130
# Errors of object stores' libraries, which are not imported here, by the names of their classes.
CREDENTIAL_ERRORS = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
    "DefaultCredentialsError", "RefreshError", "TokenRetrievalError", "UnauthorizedSSOTokenError",
    "ClientAuthenticationError",
}  # fmt: skip


def missing_credential(error: BaseException | None) -> str | None:
    """What an object store's library said of missing or wrong credentials; None for another error."""
    for one in _chain(error):
        if type(one).__name__ in CREDENTIAL_ERRORS:
            return " ".join(str(one).split())
    return None


def mendable_error(action: Callable[[], object]) -> PipelineError | None:
    """What stopped an action, if people can mend it; None where it came to its end.

    A missing credential is such an error; a bug is raised.
    """
    try:
        action()
    except PipelineError as error:
        return error
    except Exception as error:
        said = missing_credential(error)
        if said is None:
            raise
        return _no_credential(said)
    return None


def _no_credential(said: str) -> SettingsError:
    return SettingsError(
        f"{said}; give credentials by the environment (for S3 AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, a profile, or the machine's role)"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it was raised from or while handling."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _interrupted() -> int:
    print("interrupted: nothing of the unfinished step was published", file=sys.stderr)
    return INTERRUPTED


def run_main(main: Callable[[list[str]], int | None], argv: list[str] | None = None) -> None:
    """Run an entry point and leave the process with the error's exit code.

    A `PipelineError`, an interruption and a missing credential become one line (none where the error has
    no message: another rank tells it); a bug keeps its traceback.
    """
    try:
        code = main(sys.argv[1:] if argv is None else argv) or 0
    except PipelineError as error:
        if str(error):
            print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        code = _interrupted()
    except Exception as error:
        said = missing_credential(error)
        if any(isinstance(one, KeyboardInterrupt) for one in _chain(error)):
            sys.exit(_interrupted())  # what was cleaned up after it failed, too
        if said is None:
            raise
        print(f"error: {_no_credential(said)}", file=sys.stderr)
        code = SettingsError.exit_code
    sys.exit(code)
