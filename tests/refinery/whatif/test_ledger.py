"""A ledger is found once: in a run, in a folder of its tables, or as bare files."""

from __future__ import annotations

import shutil
from pathlib import Path

import fsspec
import pytest

from refinery.clean.config import CleanConfig
from refinery.whatif.judge import Outcome, count_now, read_ledger
from refinery.whatif.ledger import find_ledger
from schemas.errors import SettingsError
from tests.refinery.query.test_database import SCHEMAS, STAGES
from tests.support.published import published_tables


def documents(where: str) -> int:
    now = Outcome()
    for batch in read_ledger(find_ledger(where).files, CleanConfig()):
        count_now(now, batch)
    return now.documents.total()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Five documents; beside them their texts, and a second attempt that was not published."""
    clean = {**STAGES["clean"], "cleaned": [{"doc_id": "x", "text": "t"}] * 3}
    settings = {"clean": {"clean": CleanConfig().model_dump(mode="json")}}
    tables = published_tables(
        tmp_path / "tables", {"clean": clean}, schemas=SCHEMAS, settings=settings
    )
    tables.store.publish(tables.records["clean"])
    shutil.copytree(tmp_path / "tables/clean/run", tmp_path / "tables/clean/died")
    return tmp_path


@pytest.mark.parametrize(
    "below",
    ["", "tables", "tables/clean", "tables/clean/run", "tables/clean/run/table=ledger",
     "tables/clean/run/table=ledger/0.parquet"],
)  # fmt: skip
def test_each_document_counts_once_wherever_one_points(run: Path, below: str) -> None:
    assert documents(str(run / below)) == 5


def test_the_run_tells_the_settings_that_it_had(run: Path) -> None:
    assert find_ledger(str(run)).config == CleanConfig()
    assert find_ledger(str(run / "tables/clean/run/table=ledger")).config == CleanConfig()
    assert find_ledger(str(run / "tables/clean/died")).config is None, "no record says how it ran"


def test_attempts_without_a_run_are_not_added_up(run: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    moved = shutil.move(run / "tables" / "clean", tmp_path / "other" / "clean")
    shutil.rmtree(run / "tables")

    with pytest.raises(SettingsError, match="ledgers of 2 attempts"):
        find_ledger(str(moved))


def test_bare_files_are_all_taken_and_hidden_ones_are_not(tmp_path: Path, run: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(run / "tables/clean/run/table=ledger", bare)
    shutil.copy(bare / "0.parquet", bare / ".0.parquet")

    assert documents(str(bare)) == 5


def test_a_folder_without_a_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no ledger there"):
        find_ledger(str(tmp_path))


def test_a_run_in_an_object_store_is_read(run: Path) -> None:
    fsspec.filesystem("memory").put(str(run), "/whatif-bucket/run", recursive=True)

    assert documents("memory://whatif-bucket/run") == 5
