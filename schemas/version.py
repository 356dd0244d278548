"""The version that records, manifests and both command lines name."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "pretrain-refinery"


def code_version() -> str:
    """The installed version; "unknown" where only the source is there (`spark-submit --py-files`)."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
