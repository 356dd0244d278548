"""A DuckDB connection that sees the published tables of one run, and nothing else.

Each table of `schemas.tables` is a view of its name: the published attempts only, all stages that write
it, all of its columns (those that an older run lacks are null), and no row where the stage has not
run. Local files are read by DuckDB itself, those of object stores through fsspec and Arrow, so nothing
is loaded from the net. After the views stand, the connection can reach neither files nor settings.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import has_magic
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from refinery.datasets.runs import Run
from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from schemas.errors import SettingsError
from schemas.tables import TABLES, Table

_TYPES = {
    "string": "VARCHAR", "binary": "BLOB", "int": "INTEGER", "bigint": "BIGINT", "float": "FLOAT",
    "double": "DOUBLE", "boolean": "BOOLEAN", "timestamp": "TIMESTAMP WITH TIME ZONE",
    "array<string>": "VARCHAR[]", "array<int>": "INTEGER[]", "array<bigint>": "BIGINT[]",
    "map<string,double>": "MAP(VARCHAR, DOUBLE)", "map<string,bigint>": "MAP(VARCHAR, BIGINT)",
    "map<string,string>": "MAP(VARCHAR, VARCHAR)",
}  # fmt: skip
# Statements that read. EXPLAIN and the likes of SUMMARIZE are among them; COPY, ATTACH, SET are not.
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
MEMORY_SHARE = "50%"
STAGES_VIEW = "stages"
BATCH_ROWS = 32_768


class Database:
    """The tables of a run; use `open_database`. A result is read to its end before the next question."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def stream(self, sql: str, values: Mapping[str, Any] | None = None) -> pa.RecordBatchReader:
        """Batches of the rows of one SELECT; `$name` in it is a value of `values`.

        Raises:
            SettingsError: It is no single SELECT, does not parse or run, or lacks a value.
        """
        return self._asked(sql, values).to_arrow_reader(BATCH_ROWS)

    def rows(self, sql: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of a SELECT that is known to give few, as dictionaries by column."""
        relation = self._asked(sql, values)
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def _asked(self, sql: str, values: Mapping[str, Any] | None) -> duckdb.DuckDBPyRelation:
        try:
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type not in _READING:
                raise SettingsError(_refused(statements))
            wanted = statements[0].named_parameters
            missing = sorted(wanted - set(values or {}))
            if missing:
                raise SettingsError(
                    f"the query needs a value for ${missing[0]}: --{missing[0]} VALUE"
                )
            chosen = {name: value for name, value in (values or {}).items() if name in wanted}
            return self._connection.sql(statements[0].query, params=chosen or None)
        except duckdb.Error as error:
            raise SettingsError(f"query: {error}") from error


def _refused(statements: list[duckdb.Statement]) -> str:
    kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
    return f"query: expected one SELECT, found {kinds}; tables are read here, never written"


@contextmanager
def open_database(run: Run) -> Iterator[Database]:
    """The published tables of a run as views, closed behind the block."""
    with open_tables(run.store, run.records) as database:
        yield database


@contextmanager
def open_tables(store: Store, records: Mapping[str, StageRecord]) -> Iterator[Database]:
    """The same for records that are at hand."""
    with tempfile.TemporaryDirectory(prefix="refinery-query-") as scratch:
        connection = duckdb.connect(config={"autoinstall_known_extensions": False,
                                            "autoload_known_extensions": False})  # fmt: skip
        try:
            folders = [
                folder
                for table in TABLES.values()
                for folder in _make_view(connection, table, store, records)
            ]
            _make_stages_view(connection, records)
            _make_joined_views(connection, records)
            _lock(connection, folders, scratch)
            yield Database(connection)
        finally:
            connection.close()


def _make_view(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    store: Store,
    records: Mapping[str, StageRecord],
) -> list[str]:
    """Create the view of a table; returns the local folders that it reads."""
    typed = ", ".join(f"NULL::{_TYPES[c.type]} AS {quoted(c.name)}" for c in table.columns)
    # Names that older runs lack come from this part, and so do the types of a table without rows.
    parts = [f"SELECT {typed} WHERE false"]
    folders: list[str] = []
    for stage in table.stage.split(", "):
        uri = _published(store, records.get(stage), table.name)
        if uri is None:
            continue
        if storage.is_local(uri) and not has_magic(uri):  # DuckDB takes every path for a pattern
            folder = str(storage.local_path(uri))
            folders.append(folder)
            pattern = literal(f"{folder}/**/*.parquet")
            parts.append(f"SELECT * FROM read_parquet({pattern}, hive_partitioning = false)")
        else:
            system, path = storage.file_system(uri)
            name = f"_{stage}_{table.name}"
            files = [str(file) for file in system.find(path) if str(file).endswith(".parquet")]
            dataset = ds.dataset(files, format="parquet", filesystem=system)
            connection.register(name, dataset)
            parts.append(f"SELECT * FROM {quoted(name)}")
    connection.execute(f"CREATE VIEW {quoted(table.name)} AS " + " UNION ALL BY NAME ".join(parts))
    return folders


def _published(store: Store, record: StageRecord | None, table: str) -> str | None:
    """URI of a table that a stage published rows of."""
    if record is None:
        return None
    summary, uri = record.tables.get(table), store.table_uri(record, table)
    if (summary is not None and not summary.rows) or not storage.exists(uri):
        return None
    return uri


def _make_stages_view(
    connection: duckdb.DuckDBPyConnection, records: Mapping[str, StageRecord]
) -> None:
    """`stages`: what ran, when, for how long, and rows by table."""
    rows = [
        {
            "stage": record.stage, "fingerprint": record.fingerprint, "attempt": record.attempt,
            "started_at": record.started_at, "seconds": record.seconds,
            "code_version": record.code_version,
            "rows": [(name, table.rows) for name, table in record.tables.items()],
        }
        for record in records.values()
    ]  # fmt: skip
    kinds = {"seconds": pa.float64(), "rows": pa.map_(pa.string(), pa.int64())}
    names = ("stage", "fingerprint", "attempt", "started_at", "seconds", "code_version", "rows")
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    connection.register("_stages", pa.Table.from_pylist(rows, schema))
    connection.execute(f"CREATE VIEW {STAGES_VIEW} AS SELECT * FROM _stages")


# The fate of a document before `tokenise` has decided it, by the rules of refinery/fates.py.
_FATES_SO_FAR = """
SELECT l.doc_id, l.source,
  CASE WHEN l.drop_reason = 'excluded' THEN 'excluded' WHEN l.drop_reason IS NOT NULL THEN 'dropped'
       WHEN d.method IS NOT NULL THEN 'duplicate' WHEN c.benchmark IS NOT NULL THEN 'contaminated'
       ELSE 'kept' END AS fate,
  coalesce(l.drop_reason, d.method, c.benchmark) AS reason
FROM ledger l
LEFT JOIN (SELECT doc_id, method FROM duplicates WHERE {removes}) d USING (doc_id)
LEFT JOIN (SELECT doc_id, min(benchmark) AS benchmark FROM contamination WHERE action = 'drop'
           GROUP BY doc_id) c USING (doc_id)
UNION ALL BY NAME
SELECT doc_id, source, 'rejected' AS fate, reason FROM rejects
WHERE doc_id IS NOT NULL AND stage <> 'ingest'
"""
# Of addresses in tables and of those that people type, with or without a scheme.
_MACROS = r"""
CREATE MACRO host_of(url) AS regexp_replace(lower(regexp_extract(url,
  '^(?:[a-zA-Z][a-zA-Z0-9+.-]*://)?(?:[^/?#@]*@)?([^/?#:]+)', 1)), '^www\.', '');
CREATE MACRO path_of(url) AS rtrim(regexp_replace(url,
  '^(?:[a-zA-Z][a-zA-Z0-9+.-]*://)?[^/?#]*|#.*$', '', 'g'), '/');
CREATE MACRO same_address(one, other) AS
  host_of(one) = host_of(other) AND path_of(one) = path_of(other);
"""
_DOCUMENTS = """
CREATE VIEW documents AS
SELECT f.doc_id, f.source, l.url, host_of(l.url) AS host, l.lang, l.lang_score, l.num_chars,
  l.num_words, l.num_bytes, l."values", l.scores, l.reasons, l.num_fetches, f.fate, f.reason,
  d.kept_id, d.kept_source, d.jaccard, d.containment
FROM fates f
LEFT JOIN ledger l USING (doc_id)
LEFT JOIN (SELECT doc_id, any_value(kept_id) AS kept_id, any_value(kept_source) AS kept_source,
                  any_value(jaccard) AS jaccard, any_value(containment) AS containment
           FROM duplicates GROUP BY doc_id) d USING (doc_id)
"""


def _make_joined_views(
    connection: duckdb.DuckDBPyConnection, records: Mapping[str, StageRecord]
) -> None:
    """`documents`: one row per document with all that is known of it; and `fates` of unfinished runs."""
    connection.execute(_MACROS)
    if "tokenise" not in records:
        dedup = records.get("dedup")
        mode = dedup.settings.get("dedup", {}).get("mode") if dedup is not None else None
        removes = "false" if mode == "mark" else "true"
        connection.execute(
            f"CREATE OR REPLACE VIEW fates AS {_FATES_SO_FAR.format(removes=removes)}"
        )
    connection.execute(_DOCUMENTS)


def _lock(connection: duckdb.DuckDBPyConnection, folders: list[str], scratch: str) -> None:
    """Leave the connection nothing but the tables' folders, and its settings fixed."""
    allowed = ", ".join(literal(f"{folder}/") for folder in folders)
    connection.execute(f"SET temp_directory = {literal(scratch)}")
    connection.execute(f"SET memory_limit = '{MEMORY_SHARE}'")
    connection.execute("SET python_enable_replacements = false")
    if folders:
        connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"
