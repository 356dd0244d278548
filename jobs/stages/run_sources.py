"""Read sources whose documents are texts that earlier runs kept, edits applied, as they are."""

from __future__ import annotations

from pyspark.sql import DataFrame

from jobs.pipeline.stage import StageContext
from refinery.export.spark import kept_documents
from refinery.preflight.runs import find_runs
from refinery.sources.config import SourceConfig
from refinery.sources.listing import InputFile, Listing
from refinery.sources.record import KEPT_TEXT
from refinery.sources.spark_tables import read_rows
from schemas.fingerprints import sha256_hex

# What a row of `fetches.meta` tells of the document in its run.
COLUMNS = "id AS run_doc_id, source AS run_source, url, title, date, license, text, split, meta"


def list_runs(source: SourceConfig) -> Listing:
    """A run as one input, identified by what its texts are a function of: nothing of it is read."""
    found = find_runs(source)
    files = [
        InputFile(
            source.name, name, texts.output, texts.text_bytes, texts.fingerprint,
            sha256_hex(f"run {texts.fingerprint}".encode()),
        )
        for name, texts in sorted(found.texts.items())
    ]  # fmt: skip
    return Listing(tuple(files), found.unfinished)


def read_runs(
    context: StageContext, source: SourceConfig, files: list[InputFile], priority: int
) -> list[DataFrame]:
    """Rows of `fetches` for each run of a source."""
    texts = {one.output: one for one in find_runs(source).texts.values()}
    fields = source.fields.model_copy(update={"text": "text", "url": "url", "mime": KEPT_TEXT})
    as_rows = source.model_copy(update={"fields": fields})
    return [
        read_rows(
            kept_documents(context.spark, texts[file.uri]).selectExpr(*COLUMNS.split(", ")),
            as_rows, file, priority, context.recipe.limits,
        )
        for file in files
    ]  # fmt: skip
