"""Where documents come from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.settings import Settings

Format = Literal["warc", "html", "jsonl", "parquet", "csv", "text"]


class FieldMapping(Settings):
    """Names of the fields in rows of JSONL, Parquet and CSV."""

    text: str = Field(default="text", description="field of text, or of HTML: see mime")
    url: str | None = "url"
    fetched_at: str | None = None
    mime: Literal["text/plain", "text/html"] = Field(
        default="text/plain", description="what the text field holds"
    )


class SourceConfig(Settings):
    """One named source: files of one format under one root."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    uri: str = Field(description="folder or file; local path or object-store URI")
    format: Format = Field(
        description="warc reads ARC and WET too, html reads zips of pages, csv reads TSV by name"
    )
    reader: Literal["stream", "binary_file"] | None = Field(
        default=None,
        description="binary_file: whole small files by Spark's connector; None: where fsspec has none",
    )
    pattern: str = Field(default="**", description="glob below the folder")
    fields: FieldMapping = FieldMapping()
    url_prefix: str | None = Field(
        default=None, description="URL of HTML and text files: this, then their name"
    )


class ReadLimits(Settings):
    """Bounds that hold before a parser sees a record."""

    max_document_bytes: int = Field(default=20_000_000, gt=0)


class ExcludeConfig(Settings):
    """Documents to take down, with reason `excluded`."""

    doc_ids: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
