"""A stage: what it depends on, and the one function that writes its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from jobs.spark.job_names import job_description
from refinery.publish import storage
from refinery.publish.facts import FactsT, StageFacts
from refinery.publish.records import StageRecord
from refinery.publish.store import KEPT_SUFFIX, Store, summarise_table
from refinery.recipe import Recipe, Runtime
from schemas.errors import ContractError
from schemas.fingerprints import sha256_file, sha256_files
from schemas.tables import TABLES

TABLE_COLUMN = "table"


Contents = list[tuple[str, str]]


def _no_contents(recipe: Recipe, store: Store) -> Contents:
    """A stage that reads nothing but its input tables."""
    return []


class NothingNew(Exception):  # noqa: N818 - an end, no error
    """A run to which earlier runs leave nothing to do: it ends well, without a dataset."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One step of a recipe: what its result depends on, and the function that makes it.

    Attributes:
        name: Name of the stage, and of the folder that holds its attempts.
        version: A number that every change of the stage's behaviour raises.
        inputs: Names of the stages whose tables or artefacts it reads.
        settings: Gives the part of the recipe that its result is a function of.
        contents: Gives (role, SHA-256) of the files, models, lists and benchmarks that it reads; None
            where only reading can tell: then the stage runs, and its context has them afterwards.
        run: Writes the tables through the context, and returns the facts.
        facts: The model of the facts that `run` returns; None for a stage without facts.
        enabled: Tells whether the recipe has this stage at all.
        is_present: Tells whether what the stage wrote outside of its tables is still there.
    """

    name: str
    version: int
    inputs: tuple[str, ...] = ()
    settings: Callable[[Recipe], Mapping[str, object]]
    run: Callable[[StageContext], StageFacts | None]
    facts: type[StageFacts] | None = None
    contents: Callable[[Recipe, Store], Contents | None] = _no_contents
    enabled: Callable[[Recipe], bool] = lambda recipe: True
    is_present: Callable[[Runtime], bool] = lambda runtime: True


@dataclass(frozen=True, kw_only=True)
class StageContext:
    """What a running stage may touch: its inputs' records, its attempt, the session.

    A stage whose contents only reading can tell adds them to `contents` as it runs; until then its
    `fingerprint` is empty. Its `warnings` are shown when it has ended.
    """

    recipe: Recipe
    runtime: Runtime
    store: Store
    records: Mapping[str, StageRecord]
    attempt_uri: str
    fingerprint: str
    spark: SparkSession
    counts: dict[str, int] = field(default_factory=dict)
    contents: Contents = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def read(self, table: str, *, stage: str | None = None) -> DataFrame:
        """A published table; `stage` is needed for tables that several stages write.

        An empty table has no folder; it reads as no rows of its schema.
        """
        writer = stage or TABLES[table].stage
        record = self.records.get(writer)
        ddl = TABLES[table].ddl
        if record is None:
            return self._no_rows(ddl)
        uri, summary = self.store.table_uri(record, table), record.tables.get(table)
        if (summary is not None and not summary.rows) or not storage.exists(uri):
            return self._no_rows(ddl)
        return self.spark.read.schema(ddl).parquet(uri)

    def _no_rows(self, ddl: str) -> DataFrame:
        """No rows of a schema; the limit tells the optimiser, which then drops joins with them."""
        return self.spark.createDataFrame([], ddl).limit(0)

    def table_uri(self, table: str) -> str:
        """Folder of a table of this attempt."""
        return storage.join_uri(self.attempt_uri, f"{TABLE_COLUMN}={table}")

    def write(self, table: str, rows: DataFrame) -> None:
        """Write one table of this stage; columns are put in the declared order and cast."""
        columns = [rows[f"`{c.name}`"].cast(c.type).alias(c.name) for c in TABLES[table].columns]
        uri = self.table_uri(table)
        with job_description(self.spark, f"write {table}"):
            rows.select(columns).write.mode("error").parquet(uri)

    def write_many(self, rows: DataFrame) -> None:
        """Write several tables in one pass: each row goes to the table that its column names.

        The columns are the union of the tables' columns; a row leaves those of the others null.
        """
        with job_description(self.spark, "write its tables"):
            rows.write.mode("error").partitionBy(TABLE_COLUMN).parquet(self.attempt_uri)

    def read_back(self, table: str) -> DataFrame:
        """A table that this attempt has just written."""
        uri = self.table_uri(table)
        if not storage.exists(uri):
            return self._no_rows(TABLES[table].ddl)
        return self.spark.read.schema(TABLES[table].ddl).parquet(uri)

    def count_back(self, table: str) -> int:
        """Rows of a table that this attempt has just written, from the footers: no Spark job."""
        return summarise_table(self.table_uri(table)).rows

    def facts_of(self, model: type[FactsT]) -> FactsT:
        """The facts of an input stage, which the model names.

        Raises:
            ContractError: That stage has not run, or its facts are of another form.
        """
        if model.stage not in self.records:
            raise ContractError(f"stage '{model.stage}' published no facts: it has not run")
        return self.records[model.stage].facts_of(model)

    @property
    def verdicts_uri(self) -> str:
        """Where this fingerprint's tries keep what the guard ended; outlives the attempt."""
        return storage.join_uri(self.attempt_uri.rsplit("/", 1)[0], self.fingerprint + KEPT_SUFFIX)

    def artefact_uri(self, stage: str, name: str) -> str:
        """URI of an artefact of an input stage.

        Raises:
            ContractError: That stage has not run.
        """
        if stage not in self.records:
            raise ContractError(f"stage '{stage}' published nothing that holds '{name}'")
        return self.store.artefact_uri(self.records[stage], name)

    def add_artefact(self, name: str, path: Path) -> None:
        """Publish a local file or folder with this attempt."""
        storage.upload(path, storage.join_uri(self.attempt_uri, "files", name))

    def artefact_hashes(self) -> dict[str, str]:
        """SHA-256 by name of what `add_artefact` put into this attempt."""
        uri = storage.join_uri(self.attempt_uri, "files")
        if not storage.exists(uri):
            return {}
        folder = storage.local_copy(uri)
        return {path.name: sha256_path(path) for path in sorted(folder.iterdir())}


def sha256_path(path: Path) -> str:
    """SHA-256 of a file, or over the files of a folder."""
    if path.is_dir():
        return sha256_files((p for p in path.rglob("*") if p.is_file()), base=path)
    return sha256_file(path)
