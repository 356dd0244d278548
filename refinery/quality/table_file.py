"""The file of a table of scores, looked at before a run; needs no Spark."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from refinery.publish import storage
from refinery.quality.config import TableScoresConfig
from schemas.errors import SettingsError
from schemas.settings import nearest

ID = "doc_id"


def check_table(head: str, config: TableScoresConfig) -> None:
    """Refuse a table that has no such scores; its rows are not read.

    Raises:
        SettingsError: It is not there, is no Parquet file, or lacks the column.
    """
    where = f"recipe.heads.{head}"
    if not storage.exists(config.table):
        raise SettingsError(f"{where}.table: nothing at {config.table}")
    try:
        schema = pq.read_schema(storage.local_copy(config.table))
    except (OSError, pa.ArrowInvalid) as error:
        raise SettingsError(
            f"{where}.table: {config.table} is no Parquet file ({error})"
        ) from error
    if ID not in schema.names or not pa.types.is_string(schema.field(ID).type):
        raise SettingsError(
            f"{where}.table: {config.table} has no column {ID} of texts, only {', '.join(schema.names)}"
        )
    numbers = {
        field.name
        for field in schema
        if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
    }
    if config.column not in numbers:
        raise SettingsError(
            f"{where}.column: {config.table} has no numbers '{config.column}'{nearest(config.column, numbers)}"
        )
