"""Files that an earlier run has read as they are now are not read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.pipeline.stage import NothingNew
from jobs.stages.new_files import as_listed, new_files
from refinery.publish.run_file import RunFile, write_run_file
from refinery.publish.store import Store
from refinery.recipe import Recipe
from refinery.sources.identities import HASH_CACHE, remember
from refinery.sources.listing import InputFile
from tests.support.published import published_tables


def file(name: str, *, changed: str = "monday", sha256: str = "") -> InputFile:
    return InputFile("web", name, f"/data/{name}", 10, changed, sha256)


def recipe(*earlier: Path, new_files_only: bool = True) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "r",
            "sources": [{"name": "web", "uri": "/data", "format": "text"}],
            "new_files_only": new_files_only,
            "dedup": {"earlier": [str(path) for path in earlier]},
        }
    )


@pytest.fixture
def monday(tmp_path: Path) -> Path:
    """A run that read a, and b by the store's version, and could not read c."""
    tables = tmp_path / "tables"
    rows = [("a", "A" * 64), ("b", None), ("c", None)]
    files = [{"source": "web", "file": name, "sha256": sha} for name, sha in rows]
    record = published_tables(tables, {"ingest": {"files": files}}).records["ingest"]
    Store(str(tables)).publish(record)
    read = [file("a", sha256="A" * 64), file("b", sha256="V" * 64)]
    # The cache may know more than this run has read: the tables serve other runs, too.
    remember([*read, file("d", sha256="D" * 64)], f"{tables}/{HASH_CACHE}")
    run = RunFile(
        name="r", command=(), code_version="0", packages={}, settings={}, tables="tables",
        stages={"ingest": record.fingerprint}, started_at="t",
    )  # fmt: skip
    write_run_file(str(tmp_path), run)
    return tmp_path


def test_what_is_new_changed_or_was_not_readable_is_read(monday: Path) -> None:
    files = [file("a"), file("b"), file("c"), file("d"), file("a", changed="tuesday")]

    fresh = new_files(recipe(monday), files)

    assert [(one.name, one.changed) for one in fresh] == [
        ("c", "monday"), ("d", "monday"), ("a", "tuesday"),
    ]  # fmt: skip


def test_a_day_without_new_files_ends_well(monday: Path) -> None:
    with pytest.raises(NothingNew, match="all 2 files of the sources were read by earlier runs"):
        new_files(recipe(monday), [file("a"), file("b")])
    with pytest.raises(NothingNew, match="all 0 files"):
        new_files(recipe(), [])


def test_without_the_setting_every_file_is_read(monday: Path) -> None:
    plain = recipe(monday, new_files_only=False)

    assert new_files(plain, [file("a")]) == [file("a")]
    assert [source.may_be_empty for source in as_listed(plain)] == [False]
    assert [source.may_be_empty for source in as_listed(recipe(monday))] == [True]
