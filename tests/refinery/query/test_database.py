"""SQL over published tables: whole views, the published attempts only, and nothing but reading."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from refinery.publish.store import Store
from refinery.query.database import Database, open_tables
from refinery.query.questions import question, questions
from refinery.report.tables import Tables
from refinery.tables import arrow_schema
from schemas.errors import SettingsError
from schemas.tables import TABLES
from tests.support.published import published_tables

SCHEMAS = {
    name: arrow_schema({column.name: column.type for column in table.columns})
    for name, table in TABLES.items()
}
PLAIN = {"values": [], "scores": [], "counters": [], "reasons": []}
LEDGER: list[dict[str, Any]] = [
    {**PLAIN, "doc_id": "a", "source": "web", "url": "https://www.Example.org/a/", "lang": "en",
     "num_bytes": 100, "values": [("words", 9.0)], "scores": [("quality", 0.8)]},
    {**PLAIN, "doc_id": "b", "source": "web", "url": "http://example.org/b", "lang": "en",
     "num_bytes": 50, "reasons": ["gopher:words", "x:y"], "drop_reason": "gopher:words"},
    {**PLAIN, "doc_id": "c", "source": "news", "url": "https://新闻.cn/c?x=1", "lang": "zh",
     "num_bytes": 70},
    {**PLAIN, "doc_id": "d", "source": "news", "url": None, "lang": "zh", "num_bytes": 30},
    {**PLAIN, "doc_id": "e", "source": "news", "url": "https://新闻.cn/e", "lang": "zh",
     "num_bytes": 10, "reasons": ["excluded"], "drop_reason": "excluded"},
]  # fmt: skip
DUPLICATE = {
    "doc_id": "c", "source": "news", "kept_id": "a", "kept_source": "web", "method": "minhash",
    "jaccard": 0.85, "containment": 0.9, "cluster": "a",
}  # fmt: skip
HIT = {"doc_id": "d", "source": "news", "benchmark": "gsm8k", "item": "7", "ngram": "n", "start": 0,
       "end": 1, "action": "drop"}  # fmt: skip
STAGES: dict[str, dict[str, list[dict[str, Any]]]] = {
    "ingest": {
        "rejects": [
            {"source": "web", "url": "https://example.org/broken", "file": "f.warc", "stage": "ingest",
             "reason": "archive:broken", "message": "m"},
        ]
    },
    "clean": {
        "ledger": LEDGER,
        "rejects": [{"doc_id": "r", "source": "web", "url": "https://example.org/r", "stage": "clean",
                     "reason": "page:empty", "message": "no text"}],
        "edits": [{"doc_id": "a", "start": 1, "end": 4, "replacement": "", "stage": "clean",
                   "reason": "pii:email"}],
    },
    "dedup": {"duplicates": [DUPLICATE]},
    "decontaminate": {"contamination": [HIT]},
}  # fmt: skip
FATES = {"a": "kept", "b": "dropped", "c": "duplicate", "d": "contaminated", "e": "excluded",
         "r": "rejected"}  # fmt: skip


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return published_tables(tmp_path / "tables", STAGES, schemas=SCHEMAS)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One connection for all tests that only ask."""
    shared = published_tables(tmp_path_factory.mktemp("run"), STAGES, schemas=SCHEMAS)
    with open_tables(shared.store, shared.records) as opened:
        yield opened


def test_a_table_is_what_all_its_stages_published(database: Database) -> None:
    assert database.rows("SELECT stage, count(*) AS n FROM rejects GROUP BY stage ORDER BY stage") == [
        {"stage": "clean", "n": 1}, {"stage": "ingest", "n": 1},
    ]  # fmt: skip


def test_attempts_that_no_record_names_are_not_seen(tmp_path: Path, tables: Tables) -> None:
    clean = tmp_path / "tables" / "clean"
    shutil.copytree(clean / "run", clean / "died")

    with open_tables(tables.store, tables.records) as database:
        assert database.rows("SELECT count(*) AS n FROM ledger") == [{"n": 5}]


def test_a_table_without_rows_has_its_columns_and_types(database: Database) -> None:
    reader = database.stream("SELECT * FROM mixture")

    assert reader.schema.names == TABLES["mixture"].column_names
    assert reader.schema.field("copies").type == pa.int32()
    assert reader.read_all().num_rows == 0


def test_a_column_that_an_older_run_lacks_is_null(tmp_path: Path) -> None:
    old = pa.schema([field for field in SCHEMAS["ledger"] if field.name != "domain"])
    tables = published_tables(tmp_path, {"clean": {"ledger": LEDGER[:1]}}, schemas={"ledger": old})

    with open_tables(tables.store, tables.records) as database:
        assert database.rows("SELECT domain, num_bytes FROM ledger") == [
            {"domain": None, "num_bytes": 100}
        ]


def test_before_tokenise_each_document_has_the_fate_that_it_would_give(database: Database) -> None:
    rows = database.rows("SELECT doc_id, fate FROM documents")

    assert {row["doc_id"]: row["fate"] for row in rows} == FATES


def test_what_dedup_only_marks_is_kept(tables: Tables) -> None:
    dedup = tables.records["dedup"].model_copy(update={"settings": {"dedup": {"mode": "mark"}}})

    with open_tables(tables.store, {**tables.records, "dedup": dedup}) as database:
        rows = database.rows("SELECT fate FROM documents WHERE doc_id = 'c'")

    assert rows == [{"fate": "kept"}]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO 'x.csv'",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW ledger",
        "ATTACH 'x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET lock_configuration = false",
        "PRAGMA enable_external_access",
        "EXPORT DATABASE 'x'",
        "SELECT 1; DROP VIEW ledger",
        "",
    ],
)
def test_only_one_select_is_run(database: Database, sql: str) -> None:
    with pytest.raises(SettingsError, match="expected one SELECT"):
        database.rows(sql)


@pytest.mark.parametrize("reader", ["read_csv", "read_text", "read_parquet", "read_blob", "glob"])
def test_no_file_outside_of_the_tables_is_read(
    database: Database, tmp_path: Path, reader: str
) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")

    with pytest.raises(SettingsError, match="disabled by configuration"):
        database.rows(f"SELECT * FROM {reader}('{tmp_path}/secret.csv')")


def test_python_variables_are_no_tables(database: Database) -> None:
    frame = pa.table({"a": [1]})

    with pytest.raises(SettingsError, match="frame does not exist"):
        database.rows("SELECT * FROM frame")
    assert frame.num_rows == 1


def test_values_are_bound_and_never_become_sql(database: Database) -> None:
    asked = "x' OR 1 = 1 --"

    assert database.rows("SELECT doc_id FROM ledger WHERE source = $s", {"s": asked}) == []
    with pytest.raises(SettingsError, match="--s VALUE"):
        database.rows("SELECT doc_id FROM ledger WHERE source = $s")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("https://www.Example.org/a/", "a"),
        ("http://example.org/a#part", "a"),
        ("EXAMPLE.org:443/a", "a"),
        ("https://user@example.org/a", "a"),
        ("https://新闻.cn/c?x=1", "c"),
        ("https://新闻.cn/c", None),
        ("https://example.org/A", None),
        ("d", "d"),
        ("https://example.org/r", "r"),
    ],
)
def test_a_page_is_found_by_what_people_type(
    database: Database, asked: str, found: str | None
) -> None:
    rows = database.rows(question("why-dropped").sql, {"url": asked})

    assert [row["doc_id"] for row in rows] == ([found] if found else [])


def test_why_names_the_verdict_of_each_stage(database: Database) -> None:
    def why(url: str) -> dict[str, Any]:
        return database.rows(question("why-dropped").sql, {"url": url})[0]

    assert why("b")["reasons"] == ["gopher:words", "x:y"]
    assert why("c")["kept_url"] == "https://www.Example.org/a/"
    assert (why("d")["benchmark"], why("d")["item"]) == ("gsm8k", "7")
    assert why("example.org/r")["message"] == "no text"
    assert why("example.org/broken")["reason"] == "archive:broken"


def test_duplicates_by_sources_and_top_domains(database: Database) -> None:
    assert database.rows(question("duplicates-by-sources").sql) == [
        {"source": "news", "kept_source": "web", "documents": 1, "text_bytes": 70, "least_jaccard": pytest.approx(0.85)},
    ]  # fmt: skip
    hosts = database.rows(question("top-domains-dropped").sql, {"limit": 9})
    assert [(row["host"], row["dropped"]) for row in hosts] == [("example.org", 1), ("新闻.cn", 1)]


def test_another_lowest_score_keeps_what_only_the_score_decides(database: Database) -> None:
    rows = database.rows(question("kept-at-score").sql, {"score": "quality", "threshold": "0.7"})

    assert [(r["source"], r["documents"], r["kept_documents"]) for r in rows] == [
        ("news", 2, 0), ("web", 1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("name", questions())
def test_a_ready_question_runs_where_nothing_was_published(name: str, tmp_path: Path) -> None:
    asked = question(name)

    with open_tables(Store(str(tmp_path)), {}) as database:
        assert (
            database.rows(asked.sql, {"url": "x", **{k: v for k, v in asked.values.items() if v}})
            == []
        )


def test_tables_in_an_object_store_are_read_without_extensions(
    tmp_path: Path, tables: Tables
) -> None:
    system = fsspec.filesystem("memory")
    system.put(str(tmp_path / "tables"), "/bucket/tables", recursive=True)

    with open_tables(Store("memory://bucket/tables"), tables.records) as database:
        rows = database.rows("SELECT doc_id, \"values\"['words'] AS w FROM ledger WHERE w > 3")

    assert rows == [{"doc_id": "a", "w": 9.0}]


def test_a_folder_whose_name_is_a_pattern_is_read(tmp_path: Path) -> None:
    tables = published_tables(tmp_path / "run[1]*", STAGES, schemas=SCHEMAS)

    with open_tables(tables.store, tables.records) as database:
        assert database.rows("SELECT count(*) AS n FROM ledger") == [{"n": 5}]


def test_hidden_and_broken_files_beside_parts_are_passed_over(
    tmp_path: Path, tables: Tables
) -> None:
    folder = tmp_path / "tables" / "clean" / "run" / "table=ledger"
    (folder / "_SUCCESS").write_text("")
    (folder / ".part-0.parquet.crc").write_bytes(b"\0")

    with open_tables(tables.store, tables.records) as database:
        assert database.rows("SELECT count(*) AS n FROM ledger") == [{"n": 5}]
    assert pq.read_table(folder / "0.parquet").num_rows == 5
