"""`refinery clean`: what no record names goes, what a record names stays."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from jobs.command import clean
from refinery.publish.store import Store
from schemas.errors import SettingsError
from tests.support.published import published_tables


def run(output: str | Path) -> int:
    parser = argparse.ArgumentParser()
    clean.add_arguments(parser)
    return clean.run(parser.parse_args([str(output)]))


def test_an_attempt_without_a_record_is_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "tables"
    tables = published_tables(root, {"clean": {"ledger": [{"doc_id": "a"}]}})
    Store(str(root)).publish(tables.records["clean"])
    dead = root / "clean" / "dead-attempt"
    dead.mkdir()

    assert run(tmp_path) == 0

    assert capsys.readouterr().out == f"removed {dead}\n1 attempts removed\n"
    assert (root / "clean" / "run").is_dir()


def test_a_folder_without_tables_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no tables there"):
        run(tmp_path)


def test_object_stores_are_left_to_their_own_tools() -> None:
    with pytest.raises(SettingsError, match="object stores"):
        run("s3://bucket/run")
