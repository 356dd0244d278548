"""Scores from a table: checked before a run, joined by document, bounded like any other."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from jobs.pipeline.runner import run_stages
from jobs.stages import clean, ingest
from jobs.stages.joined_scores import write_twice
from refinery.quality.config import TableScoresConfig
from refinery.quality.table_file import check_table
from refinery.quality.table_scores import ID
from refinery.recipe import RefineSettings
from refinery.report.shapes import NAT_EDGES, ledger_numbers
from refinery.report.tables import Tables
from schemas.errors import SettingsError
from schemas.settings import parse_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _table(path: Path, **columns: Any) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


@pytest.mark.parametrize(
    ("columns", "column", "told"),
    [
        ({"doc_id": ["a"], "late": [1.0]}, "laet", "did you mean 'late'"),
        ({"doc_id": ["a"], "late": ["x"]}, "late", "no numbers 'late'"),
        ({"id": ["a"], "late": [1.0]}, "late", "no column doc_id of texts, only id, late"),
        ({"doc_id": [1], "late": [1.0]}, "late", "no column doc_id of texts"),
    ],
)
def test_a_table_without_the_scores_is_refused(
    tmp_path: Path, columns: dict[str, Any], column: str, told: str
) -> None:
    config = TableScoresConfig(table=_table(tmp_path / "t.parquet", **columns), column=column)

    with pytest.raises(SettingsError, match=f"recipe.heads.loss.*{told}"):
        check_table("loss", config)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("losses")

    for name, told in (("t.parquet", "no Parquet file"), ("u.parquet", "nothing at")):
        with pytest.raises(SettingsError, match=told):
            check_table("loss", TableScoresConfig(table=str(tmp_path / name), column="late"))


def _settings(root: Path, heads: dict[str, Any], clean: dict[str, Any]) -> RefineSettings:
    plain = {
        "name": "scored",
        "sources": [{"name": "texts", "uri": str(root / "texts"), "format": "text"}],
        "heads": heads,
        "clean": {"language": {"min_score": None}, "rules": {"enabled": False}, **clean},
    }
    runtime = {"output": str(root / "out"), "partitions": 1}
    return parse_settings(RefineSettings, {"recipe": plain, "runtime": runtime}, where="test")


def test_a_head_of_a_table_masks_nothing() -> None:
    heads = {"loss": {"table": "t.parquet", "column": "late"}}

    with pytest.raises(SettingsError, match="a table has scores of whole documents"):
        _settings(Path("x"), heads, {"heads": {"loss": {"max_score": 1, "action": "mask"}}})


def test_losses_bound_documents_and_stand_in_the_ledger(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "texts").mkdir()
    for number in range(4):
        (tmp_path / "texts" / f"{number}.txt").write_text(f"text number {number} of some")
    asked = _settings(tmp_path, {}, {})
    first = run_stages(asked, (ingest.STAGE, clean.STAGE))
    uri = first.store.table_uri(first.records["clean"], "ledger")
    ids = sorted(row["doc_id"] for row in ds.dataset(uri).to_table(["doc_id"]).to_pylist())
    # Of two rows the smaller loss counts; the third has none, the fourth no number.
    losses = _table(tmp_path / "t.parquet", doc_id=[ids[0], ids[0], ids[1], ids[3]],
                    late=[0.125, 3.0, 2.5, math.nan])  # fmt: skip
    heads = {"loss": {"table": losses, "column": "late"}}

    run = run_stages(
        _settings(tmp_path, heads, {"heads": {"loss": {"min_score": 0.5}}}),
        (ingest.STAGE, clean.STAGE),
    )

    record = run.records["clean"]
    for name in ("cleaned", "ledger"):
        rows = ds.dataset(run.store.table_uri(record, name)).to_table().to_pylist()
        found = {row["doc_id"]: (dict(row["scores"]), row["drop_reason"]) for row in rows}
        assert found == {
            ids[0]: ({"loss": 0.125}, "head:loss"),
            ids[1]: ({"loss": 2.5}, None),
            ids[2]: ({}, None),
            ids[3]: ({}, None),
        }
    with Tables(run.store, run.records) as tables:
        shown = ledger_numbers(tables).histograms["score: loss"]
    assert len(shown.edges) == len(NAT_EDGES)
    assert (sum(shown.counts), shown.marks) == (2, (0.5,))
    assert write_twice.__doc__
    assert ID in ds.dataset(uri).schema.names
