"""Settings of sources: where documents come from."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from schemas.settings import Settings

Format = Literal["warc", "html", "jsonl", "parquet", "csv", "text", "spark", "run"]
# Formats whose rows Spark joins or reads itself; they have no files that a reader opens.
TABLE_FORMATS: tuple[Format, ...] = ("spark", "run")
# What HTTP calls content: OK, Created, Accepted, Non-Authoritative Information.
DEFAULT_STATUSES = (200, 201, 202, 203)


class FieldMapping(Settings):
    """Names of the fields in rows of JSONL, Parquet and CSV files.

    Dots lead into nested fields, where no field has the whole name: data.text.
    """

    text: str = Field(
        default="text", description="field that holds the text, or the page: see mime"
    )
    url: str | None = Field(default="url", description="field of the address; None: there is none")
    fetched_at: str | None = Field(
        default=None, description="field of the time of the fetch, in ISO 8601; None: there is none"
    )
    mime: Literal["text/plain", "text/html"] = Field(
        default="text/plain", description="what the text field holds"
    )


class SparkReaderConfig(Settings):
    """How Spark opens a source of the format `spark`."""

    format: str | None = Field(
        default=None,
        description="DataSource, e.g. orc, jdbc, iceberg, delta; None: the URI is the name of a table",
    )
    options: dict[str, str] = Field(
        default_factory=dict, description="options of the DataSource; never part of a fingerprint"
    )


class SourceConfig(Settings):
    """A source: files of one format below one folder."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]*$", description="name of the source in tables and reports"
    )
    uri: str = Field(
        description="folder or file, as a local path or an object store's URI; the output of a run, or a pattern "
        "of outputs (run)"
    )
    format: Format = Field(
        description="warc reads ARC and WET, too; html and text read zips; csv reads TSV where the name ends so; "
        "jsonl reads JSON arrays, too; spark reads any table or DataSource of Spark: see spark; run takes the "
        "texts that runs of the refinery kept, as they are: no rule judges them again"
    )
    reader: Literal["stream", "binary_file"] | None = Field(
        default=None,
        description="stream: by fsspec; binary_file: small files whole, by Spark; None: by Spark only where "
        "fsspec has nothing for the URI's scheme",
    )
    spark: SparkReaderConfig | None = Field(
        default=None, description="how Spark opens the URI (spark)"
    )
    pattern: str = Field(
        default="**", description="glob that names of files below the folder match"
    )
    fields: FieldMapping = Field(
        default=FieldMapping(),
        description="names of the fields of rows (jsonl, parquet, csv, spark)",
    )
    url_prefix: str | None = Field(
        default=None,
        description="a file's URL is this and its name (html, text); None: files have no URL",
    )
    charset: str | None = Field(
        default=None,
        description="charset of html, text, jsonl and csv files that name none; None: it is detected",
    )
    identity: Literal["content", "version"] = Field(
        default="content",
        description="what tells that a file is another one: the SHA-256 of its bytes, taken while they are read; "
        "or what the store says of it (ETag, or size and time of change), which spares random access formats a pass",
    )
    may_be_empty: bool = Field(
        default=False, description="a run goes on where the source gives no document"
    )

    @model_validator(mode="after")
    def _spark_is_told(self) -> Self:
        if self.spark is not None and self.format != "spark":
            raise ValueError(f"spark: only for format: spark, not {self.format}")
        return self


class ReadLimits(Settings):
    """Bounds on documents while they are read."""

    max_document_bytes: int = Field(
        default=20_000_000, gt=0, description="larger documents become rejects"
    )
    http_statuses: tuple[int, ...] | None = Field(
        default=DEFAULT_STATUSES,
        description="HTTP statuses whose bodies are documents (warc); others are counted; None: all",
    )
    max_reject_fraction: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="a larger share of rejects among what a source holds stops the run",
    )


class ExcludeConfig(Settings):
    """Documents that are taken down: no text is extracted, and their reason is `excluded`."""

    doc_ids: tuple[str, ...] = Field(default=(), description="ids of documents")
    urls: tuple[str, ...] = Field(
        default=(),
        description="addresses; they are compared in the normal form of ids: no case of the host, default port, "
        "fragment, user, trailing dot, and punycode",
    )
    domains: tuple[str, ...] = Field(default=(), description="domains with their subdomains")
    lists: tuple[str, ...] = Field(
        default=(),
        description="files of domains and of starts of addresses, one per line; hosts files, too",
    )
    documents: tuple[str, ...] = Field(
        default=(),
        description="JSON Lines with a field doc_id, as `train triage` writes them (quarantine.jsonl)",
    )
    any_scheme: bool = Field(
        default=True,
        description="an address of http takes the one of https down, too, and the other way round",
    )
    any_www: bool = Field(
        default=False, description="an address takes the one with or without www. down, too"
    )

    @model_serializer(mode="wrap")
    def _without_empty_documents(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Recipes without such files keep the fingerprints that they had before there was the field."""
        return {name: value for name, value in write(self).items() if name != "documents" or value}
