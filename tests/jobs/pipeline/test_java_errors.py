"""Pages of Java become the line that people can act on; other errors stay as they are."""

from __future__ import annotations

import logging

import pytest
from pyspark.errors import PySparkException

from jobs.pipeline.java_errors import log_without_interruptions, one_line_errors
from schemas.errors import PipelineError, SettingsError

PAGE = "Job aborted due to stage failure: Task 3 failed 4 times\n\tat org.apache.spark...\n"


def raised(text: str, kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught, one_line_errors("runs/x"):
        raise PySparkException(PAGE + text + "\n\tat java.base/...")
    return str(caught.value)


def test_a_full_disk_is_one_line() -> None:
    told = raised("java.io.IOException: No space left on device", PipelineError)

    assert told.startswith("runs/x: no space left on the device")
    assert "\n" not in told


@pytest.mark.parametrize(
    "line",
    [
        "botocore.exceptions.NoCredentialsError: Unable to locate credentials",
        "org.apache.hadoop.fs.s3a.auth.NoAuthWithAWSException: No AWS Credentials provided",
        "google.auth.exceptions.DefaultCredentialsError: Your default credentials were not found",
    ],
)
def test_a_missing_credential_is_one_line(line: str) -> None:
    told = raised(line, SettingsError)

    assert line in told
    assert "\n" not in told


def test_any_other_error_stays(tmp_path: str) -> None:
    assert raised("ZeroDivisionError: division by zero", PySparkException).startswith(PAGE)


def test_an_interruption_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    log_without_interruptions()

    for error in (KeyboardInterrupt(), ValueError("odd")):
        try:
            raise error
        except (KeyboardInterrupt, ValueError):
            logging.exception("while sending command")

    told = capsys.readouterr().err
    assert told.count("while sending command") == 1
    assert "ValueError: odd" in told
