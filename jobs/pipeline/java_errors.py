"""What Spark wraps in pages of Java, as one line that says what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from refinery.publish import storage
from schemas.errors import CREDENTIAL_ERRORS, SettingsError

NO_SPACE = "No space left on device"
# Hadoop's S3A, Google's and Azure's connectors; then the libraries that Python workers use.
NO_CREDENTIALS = (
    "NoAuthWithAWSException", "NoAwsCredentialsException", "Unable to load credentials",
    "Error getting access token", "Unable to locate credentials", *CREDENTIAL_ERRORS,
)  # fmt: skip


@contextmanager
def one_line_errors(uri: str) -> Iterator[None]:
    """Turn a full disk and missing credentials into the one error that people can act on.

    Args:
        uri: What was being written.

    Raises:
        PipelineError: No space is left.
        SettingsError: An object store asks for credentials.
    """
    try:
        with storage.disk_full_as_error(uri):
            yield
    except (PySparkException, Py4JError) as error:
        text = str(error)
        if NO_SPACE in text:
            raise storage.disk_full(uri) from error
        found = next((line for line in text.splitlines() if _asks_for_credentials(line)), None)
        if found is not None:
            raise SettingsError(
                f"{uri}: {found.strip()[:300]}; give Spark's workers credentials by the environment "
                "or spark.hadoop.fs.* settings"
            ) from error
        raise


class _NoInterruptions(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and record.exc_info[0] is KeyboardInterrupt)


def log_without_interruptions() -> None:
    """Log to the terminal, but not py4j's page on Ctrl-C: the process ends with one line on it."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.addFilter(_NoInterruptions())
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(handler)


def _asks_for_credentials(line: str) -> bool:
    return any(name in line for name in NO_CREDENTIALS)
