"""How a process ends: one line and a code for what people can mend, a traceback for a bug."""

from __future__ import annotations

import pytest

from schemas.errors import missing_credential, run_main


class NoCredentialsError(Exception):
    """Named like botocore's, which is not imported."""


def ending(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    def main(argv: list[str]) -> int:
        raise error

    with pytest.raises(SystemExit) as left:
        run_main(main, [])
    return left.value.code, capsys.readouterr().err


def test_an_interruption_is_one_line_and_130(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = ending(KeyboardInterrupt(), capsys)

    assert code == 130
    assert told == "interrupted: nothing of the unfinished step was published\n"


def test_an_interruption_counts_where_cleaning_up_after_it_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = ConnectionError("the other side is gone")
    failed.__context__ = KeyboardInterrupt()

    code, told = ending(failed, capsys)

    assert (code, told.count("\n")) == (130, 1)


def test_a_missing_credential_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    wrapped = OSError("cannot list")
    wrapped.__cause__ = NoCredentialsError("Unable to locate\n credentials")

    code, told = ending(wrapped, capsys)

    assert code == 2
    assert told.startswith("error: Unable to locate credentials; give credentials by the environ")
    assert told.count("\n") == 1


def test_a_bug_keeps_its_traceback() -> None:
    def main(argv: list[str]) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_main(main, [])
    assert missing_credential(ZeroDivisionError()) is None
