"""Which tests one process takes where several share a lane: those of a file, or of a folder that has runs in common."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Folders of tests that compare with runs which are made once a session.
TOGETHER = ("tests/docs", "tests/end_to_end", "tests/jobs")


def group_of(test: str) -> str:
    """The group of a test, by its node id."""
    file = test.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


class GroupScheduling(LoadScopeScheduling):
    """xdist's own groups are names at the ends of node ids, which pytest 9.2 does not let it write."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling | None:
    """Groups for `--dist loadgroup`, xdist's schedulers for all else."""
    return GroupScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None
