"""Tables of the refinery: column names, Spark types (DDL), meanings, and the stage that writes them.

This file is the truth: writers are cast to it and checked against it, `docs/tables.md` is made from
it. Types are Spark DDL strings, so nothing here imports Spark. Offsets and lengths of text are in
code points of `cleaned.text`, offsets of tokens in tokens of the document.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: its Spark type and what it means, with the unit."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table: who writes it, what a row is, and its columns in order."""

    name: str
    stage: str
    row: str
    columns: tuple[Column, ...]

    @property
    def ddl(self) -> str:
        """The schema as one Spark DDL string."""
        return ", ".join(f"`{column.name}` {column.type}" for column in self.columns)

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]


DOC_ID = Column("doc_id", "string", "32 hex digits of SHA-256 over (normalised URL, payload)")
SOURCE = Column("source", "string", "name of the source in the recipe")
URL = Column("url", "string", "address of the page, null where it has none")
FILE = Column("file", "string", "input file, relative to the source's root")
OFFSET = Column(
    "offset",
    "bigint",
    "where the record begins in its file, in bytes; in tables, the number of its row",
)

FETCHES = Table(
    "fetches",
    "ingest",
    "fetched document, repeats included",
    (
        DOC_ID,
        SOURCE,
        URL,
        Column("fetched_at", "timestamp", "time of the fetch in UTC, null where unknown"),
        Column("mime", "string", "media type: declared, or by the reader"),
        Column("charset", "string", "charset declared by HTTP or the reader, null where none"),
        Column("status", "int", "HTTP status, null where the record has none"),
        Column("payload", "binary", "body after transfer and content decoding"),
        Column(
            "payload_sha256",
            "string",
            "SHA-256 of the payload, so that no later stage reads the payload for it",
        ),
        Column("meta", "string", "other fields of the record as a JSON object"),
        Column("priority", "int", "rank of the source in the recipe; the smaller wins a tie"),
        FILE,
        OFFSET,
    ),
)

REFETCHES = Table(
    "refetches",
    "ingest",
    "fetch whose doc_id another fetch carries; it is left out of `documents`",
    (DOC_ID, SOURCE, FILE, OFFSET, Column("kept_file", "string", "file of the fetch that stays")),
)

RECORDS = Table(
    "records",
    "ingest",
    "kind of record that is no document, per file",
    (
        SOURCE,
        FILE,
        Column("type", "string", "request, revisit, not_html, status_404, empty_file, ..."),
        Column("count", "bigint", "records of that type"),
    ),
)

FILES = Table(
    "files",
    "ingest",
    "input file",
    (
        SOURCE,
        FILE,
        Column("bytes", "bigint", "bytes that were read of it"),
        Column("sha256", "string", "SHA-256 of them, null where it could not be read or by choice"),
        Column("fetched", "int", "its rows of `fetches`"),
        Column("rejected", "int", "its rows of `rejects`"),
    ),
)

REJECTS = Table(
    "rejects",
    "ingest, clean",
    "document or archive that broke a reader or parser, timed out or blew its memory limit",
    (
        Column("doc_id", "string", "null where the record never became a document"),
        SOURCE,
        URL,
        FILE,
        OFFSET,
        Column("stage", "string", "stage that gave it up"),
        Column("reason", "string", "short and stable, for counting"),
        Column("message", "string", "what happened, for people; at most 500 characters"),
    ),
)

CLEANED = Table(
    "cleaned",
    "clean",
    "document, with its text and every verdict",
    (
        DOC_ID,
        SOURCE,
        URL,
        Column("title", "string", "title of the page, null where it has none"),
        Column("page_lang", "string", "language that the page declares, as written in lower case"),
        Column("published", "string", "ISO day of publication that the page gives"),
        Column("lang", "string", "language label of fastText lid.176"),
        Column("lang_score", "float", "confidence of that label, 0..1"),
        Column(
            "second_lang",
            "string",
            "the other language with most text, by lines of another script or by paragraph; `und`: one "
            "that the model is unsure of; null where there is none",
        ),
        Column(
            "second_lang_share",
            "float",
            "share of the letters in other languages, 0..1; a Han character counts as four",
        ),
        Column("chinese", "string", "Hans, Hant or mixed, by characters of one of them only"),
        Column("text", "string", "extracted and normalised text"),
        Column("num_chars", "int", "code points of the text"),
        Column(
            "num_words",
            "int",
            "words; a CJK character counts as one, and so does a Thai letter with its marks",
        ),
        Column("num_bytes", "bigint", "UTF-8 bytes of the text"),
        Column("values", "map<string,double>", "every heuristic value by rule name"),
        Column("scores", "map<string,double>", "every classifier's score by its name"),
        Column(
            "domain",
            "string",
            "domain whose head scores highest; null where the recipe names no domains",
        ),
        Column("counters", "map<string,bigint>", "what normalisation changed, by step"),
        Column("reasons", "array<string>", "all rules that failed, in the order of the rules"),
        Column("drop_reason", "string", "the first of the reasons, null where none"),
        Column("num_fetches", "int", "equal fetches that this document stands for"),
    ),
)

LEDGER = Table(
    "ledger",
    "clean",
    "document, as `cleaned` without its text",
    (
        *(column for column in CLEANED.columns if column.name not in ("text", "title")),
        Column("rule_versions", "string", "versions of the values and rules behind the verdict"),
    ),
)

EDITS = Table(
    "edits",
    "clean, dedup, decontaminate",
    "span of `cleaned.text` that is removed or replaced",
    (
        DOC_ID,
        Column("start", "int", "first code point"),
        Column("end", "int", "one past the last code point"),
        Column("replacement", "string", "text that replaces the span, often empty"),
        Column("stage", "string", "stage that wrote it"),
        Column("reason", "string", "rule that asked for it"),
    ),
)

HOMOGRAPHS = Table(
    "homographs",
    "homographs",
    "word whose neighbours differ between two domains, most first",
    (
        Column("rank", "int", "0 is the word that differs most"),
        Column("word", "string", "in lower case; Chinese ones by a dictionary"),
        Column("domain", "string", "the one domain"),
        Column("other_domain", "string", "the other domain"),
        Column("divergence", "double", "Jensen-Shannon divergence of its neighbours, 0..1 bit"),
        Column(
            "by_chance", "double", "the same with its occurrences divided at random into two groups"
        ),
        Column("count", "int", "occurrences in the sample of the one domain"),
        Column("other_count", "int", "occurrences in the sample of the other domain"),
        Column("contexts", "array<string>", "up to two passages of the one domain with the word"),
        Column(
            "other_contexts",
            "array<string>",
            "up to two passages of the other domain with the word",
        ),
    ),
)

SIGNATURES = Table(
    "signatures",
    "dedup",
    "document ever seen, with its MinHash signature and its fate",
    (
        DOC_ID,
        SOURCE,
        Column("dump", "int", "rank of its dump; the dumps of earlier runs come first"),
        Column("place", "int", "rank of its source in the recipe"),
        Column("worse", "int", "quality score in millionths, negative: smaller is kept"),
        Column("shorter", "int", "code points of the text, negative"),
        Column("scheme", "string", "hash family, seed, bands, shingle and text version"),
        Column("text_sha256", "string", "SHA-256 of the text with the edits of cleaning applied"),
        Column(
            "payload_sha256", "string", "SHA-256 of the raw bytes; null where they are not compared"
        ),
        Column("num_shingles", "int", "distinct shingles"),
        Column("bands", "array<bigint>", "one hash per band"),
        Column("fate", "string", "kept or duplicate"),
        Column(
            "shingles",
            "array<int>",
            "sorted distinct unsigned hashes of a kept document; null without an index",
        ),
        Column(
            "bucket", "int", "folder of an index: the first 16 bits of doc_id x buckets / 2**16"
        ),
    ),
)

EDGES = Table(
    "edges",
    "dedup",
    "candidate pair whose measured similarity passes the threshold",
    (
        Column("left", "string", "doc_id that comes first in the keepers' order"),
        Column("right", "string", "the other doc_id"),
        Column("jaccard", "float", "measured Jaccard similarity of the shingle sets"),
        Column("containment", "float", "share of the smaller set inside the other"),
        Column("method", "string", "minhash, or exact_bytes: equal payloads with unlike texts"),
    ),
)

DUPLICATES = Table(
    "duplicates",
    "dedup",
    "document that dedup removes (or only marks), with the one before it that it resembles",
    (
        DOC_ID,
        SOURCE,
        Column("kept_id", "string", "kept document that it was compared with"),
        Column("kept_source", "string", "source of the kept document"),
        Column("method", "string", "exact_bytes, exact_text, minhash, or seen: in an earlier dump"),
        Column("jaccard", "float", "measured Jaccard similarity of the shingle sets"),
        Column("containment", "float", "share of the smaller set inside the other"),
        Column("cluster", "string", "smallest doc_id of the connected component"),
    ),
)

CLUSTERS = Table(
    "clusters",
    "dedup",
    "document of a cluster, where dedup only marks: its first one decides the split of all",
    (
        DOC_ID,
        Column("cluster", "string", "smallest doc_id of the cluster"),
        Column("first_id", "string", "doc_id that comes first in the keepers' order"),
    ),
)

CONTAMINATION = Table(
    "contamination",
    "decontaminate",
    "verified occurrence of a benchmark item in a document",
    (
        DOC_ID,
        SOURCE,
        Column("benchmark", "string", "name of the benchmark in the recipe"),
        Column("item", "string", "item's id in the benchmark"),
        Column("ngram", "string", "words that matched"),
        Column("start", "int", "first code point of the match"),
        Column("end", "int", "one past the last code point"),
        Column("action", "string", "drop, cut or mark"),
    ),
)

TOKENS = Table(
    "tokens",
    "tokenise",
    "kept document as token ids",
    (
        DOC_ID,
        SOURCE,
        Column("input_ids", "array<int>", "ids of the text, no special token added"),
        Column("num_tokens", "int", "length of input_ids"),
        Column("num_bytes", "bigint", "UTF-8 bytes of the tokenised text"),
        Column("split", "string", "train or heldout"),
        Column("word_starts", "array<int>", "tokens that begin a word; null where not asked for"),
        Column(
            "sentence_starts",
            "array<int>",
            "tokens that begin a sentence; null where not asked for",
        ),
    ),
)

MIXTURE = Table(
    "mixture",
    "mixture",
    "training document with its number of copies",
    (
        DOC_ID,
        SOURCE,
        Column("num_tokens", "int", "tokens of one copy"),
        Column("copies", "int", "whole copies plus one by the hashed fraction; may be 0"),
    ),
)

FATES = Table(
    "fates",
    "tokenise",
    "document or reject of cleaning, with the one fate that it had",
    (
        DOC_ID,
        SOURCE,
        Column("fate", "string", "kept, dropped, duplicate, contaminated, excluded or rejected"),
        Column("reason", "string", "rule, method or benchmark; null where kept"),
    ),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        FETCHES,
        REFETCHES,
        RECORDS,
        FILES,
        REJECTS,
        CLEANED,
        LEDGER,
        EDITS,
        HOMOGRAPHS,
        SIGNATURES,
        EDGES,
        DUPLICATES,
        CLUSTERS,
        CONTAMINATION,
        TOKENS,
        FATES,
        MIXTURE,
    )
}
