"""One table of names: which ending is read as which format, under which compression.

The readers, `refinery init` and `refinery check` all ask here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from refinery.sources.config import Format
from refinery.sources.files import COMPRESSED_ENDINGS, MEMBER_ENDINGS

Variant = Literal["arc", "tsv", "zip"]

ENDINGS: dict[str, Format] = {
    ".warc": "warc", ".wet": "warc", ".arc": "warc",
    ".html": "html", ".htm": "html", ".xhtml": "html",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".tab": "csv",
    ".orc": "spark",
    ".txt": "text", ".text": "text", ".md": "text", ".markdown": "text",
}  # fmt: skip
ROW_FORMATS: tuple[Format, ...] = ("jsonl", "parquet", "csv", "spark")
# What the first bytes of a file may show for certain (peek.sniff) where a reader takes the file.
FORMS_READ: dict[Format, frozenset[str]] = {
    "warc": frozenset({"warc", "gzip", "zstd", "lz4"}),
    "html": frozenset({"html", "zip", "jsonl"}),
    "text": frozenset({"html", "zip", "jsonl"}),
    "jsonl": frozenset({"jsonl"}),
    "parquet": frozenset({"parquet"}),
    "csv": frozenset({"jsonl"}),
    "spark": frozenset({"orc"}),
}
VARIANTS: dict[str, Variant] = {".arc": "arc", ".tsv": "tsv", ".tab": "tsv", ".zip": "zip"}
# What the names of a zip's members say, in the order in which a majority is looked for.
ZIP_FORMATS: tuple[Format, ...] = ("html", "text")


@dataclass(frozen=True)
class NamedFormat:
    """What a file's name says: `format` is None where the ending is none of ours.

    Attributes:
        format: The format of a recipe's source that reads such files.
        ending: The ending that says so, in lower case, with that of the compression.
        variant: A form within the format that a reader treats in its own way.
        compression: The ending of the compression, or an empty text.
    """

    format: Format | None
    ending: str
    variant: Variant | None
    compression: str


def format_of(name: str) -> NamedFormat:
    """Read a file's name; a zip has no format before somebody looks into it."""
    lower = name.lower().rsplit("/", 1)[-1]
    compression = next((c for c in COMPRESSED_ENDINGS if lower.endswith(c)), "")
    plain = lower.removesuffix(compression)
    dot = plain.rfind(".")
    ending = plain[dot:] if dot >= 0 else ""
    return NamedFormat(ENDINGS.get(ending), ending + compression, VARIANTS.get(ending), compression)


def format_of_members(names: list[str]) -> Format | None:
    """The format that reads most members of a zip; None where none is a page or a text."""
    kinds = [ENDINGS.get(name[name.rfind(".") :].lower()) for name in names if _is_member(name)]
    counts = {kind: kinds.count(kind) for kind in ZIP_FORMATS}
    best = max(ZIP_FORMATS, key=lambda kind: counts[kind])
    return best if counts[best] else None


def _is_member(name: str) -> bool:
    return name.lower().endswith(MEMBER_ENDINGS)
