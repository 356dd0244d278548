"""Manifest v1: the contract between the refinery and the trainer (normative: docs/manifest.md).

Written last; a folder without one is not a dataset. The `root` is over content only, so it is equal
for equal rows, whatever wrote them; file hashes, paths and timings stand beside it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationError

from schemas.errors import ContractError, run_main
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.settings import Settings

FORMAT_VERSION: Final = 1
MANIFEST_NAME = "manifest.json"
SCHEMA_PATH = Path(__file__).with_name("manifest.schema.json")

Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


def is_below(path: str) -> bool:
    """Whether a path with forward slashes stays below the folder that it is relative to.

    What a stranger's manifest or store names is not followed elsewhere: up, from the root, or by "::",
    which fsspec reads as a chain of stores.
    """
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and "::" not in path


def _below(path: str) -> str:
    if not is_below(path):
        raise ValueError(f"expected a path below the manifest, got '{path}'")
    return path


# A file or folder of a dataset, relative to its manifest.
Below = Annotated[str, AfterValidator(_below)]


class SpecialIds(Settings):
    """Ids of the special tokens; `None` where the tokenizer has none of that kind."""

    pad: int
    eos: int
    bos: int | None = None
    cls: int | None = None
    sep: int | None = None
    mask: int | None = None
    sentinels: tuple[int, ...] = Field(
        default=(), description="ids of <extra_id_0>, <extra_id_1>, ... in that order"
    )


class TokenizerIdentity(Settings):
    """The tokenizer whose files lie beside the shards."""

    path: Below = Field(description="folder of the tokenizer, relative to the manifest")
    sha256: str = Sha256
    vocab_size: int = Field(gt=0, description="number of ids, gaps and special tokens included")
    special_ids: SpecialIds


class Shard(Settings):
    """One Parquet file of packed rows."""

    path: Below = Field(description="relative to the manifest, slashes forward")
    rows: int = Field(ge=0)
    tokens: int = Field(ge=0, description="tokens of documents and end marks, without padding")
    padding: int = Field(ge=0)
    control: int = Field(
        default=0, ge=0, description="special tokens outside of segments: [CLS] and [SEP] of pairs"
    )
    bytes: int = Field(ge=0, description="size of the file")
    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file; for fast checks only"
    )
    content_sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the canonical rows"
    )
    tokens_by_source: dict[str, int]


class SourceSummary(Settings):
    """What one source gave to one split."""

    weight: float | None = Field(default=None, description="normalised weight; null when held out")
    documents: int = Field(ge=0, description="distinct documents")
    tokens: int = Field(ge=0, description="tokens of the distinct documents, without end marks")
    text_bytes: int = Field(ge=0, description="UTF-8 bytes of the distinct documents")
    packed_tokens: int = Field(ge=0, description="tokens in the shards, with copies and end marks")
    dropped_tokens: int = Field(default=0, ge=0, description="tokens of tails that were left out")
    drawn_tokens: int = Field(
        default=0, ge=0, description="packed once more: second halves drawn from other documents"
    )
    epochs: float = Field(ge=0, description="copies asked for per document")


class TokenAccount(Settings):
    """tokens_in + drawn = packed + dropped, exactly; padding and special tokens are counted apart."""

    tokens_in: int = Field(ge=0)
    packed: int = Field(ge=0)
    dropped: int = Field(ge=0, description="tails shorter than a row that the layout leaves out")
    padding: int = Field(ge=0)
    drawn: int = Field(
        default=0, ge=0, description="tokens repeated in drawn second halves of pairs"
    )
    control: int = Field(default=0, ge=0)


class Split(Settings):
    """The shards of one split and their sources."""

    shards: tuple[Shard, ...]
    sources: dict[str, SourceSummary]
    account: TokenAccount

    @property
    def rows(self) -> int:
        """Packed rows of all shards of the split."""
        return sum(shard.rows for shard in self.shards)


class StageSummary(Settings):
    """A stage of the run that made the dataset."""

    stage: str
    fingerprint: str = Sha256
    rows: dict[str, int] = Field(description="rows by table that the stage published")


class RecallByMutation(Settings):
    """Planted benchmark items that the index found."""

    planted: int
    found: int


class DecontaminationSummary(Settings):
    """What decontamination removed, and its own measured error."""

    benchmarks: dict[str, int] = Field(description="contaminated documents by benchmark")
    recall: dict[str, RecallByMutation] = Field(
        description="by mutation, over items of 13 tokens or more"
    )
    recall_by_group: dict[str, dict[str, RecallByMutation]] = Field(
        default_factory=dict,
        description="recall by language and length: en, zh, and en_short, zh_short below 13 tokens",
    )
    clean_documents: int
    false_positives: int
    false_positives_per_million_below: float | None = Field(
        default=None, description="95 % upper bound of the rate in clean documents"
    )


class Manifest(Settings):
    """The whole dataset: its tokenizer, shards, sources, stages and the root over content."""

    format_version: Literal[1] = FORMAT_VERSION
    name: str
    root: str = Sha256
    seed: int
    seq_len: int = Field(gt=0)
    lanes: int = Field(gt=0, description="equal stretches of rows that ranks read side by side")
    layout: str = Field(description="concat, document, ...: how rows were cut")
    columns: tuple[str, ...] = Field(
        default=(), description="optional columns of the rows, in their order"
    )
    tokenizer: TokenizerIdentity
    train: Split
    heldout: Split
    stages: tuple[StageSummary, ...]
    decontamination: DecontaminationSummary | None = None
    recipe_fingerprint: str = Sha256
    code_version: str
    created_at: str = Field(description="UTC, ISO 8601; not part of the root")


def content_root(
    *,
    tokenizer_sha256: str,
    vocab_size: int,
    seq_len: int,
    lanes: int,
    shards: dict[str, list[str]],
) -> str:
    """The root over content.

    Args:
        tokenizer_sha256: SHA-256 over the tokenizer's files.
        vocab_size: Number of ids, special tokens and gaps included.
        seq_len: Length of every row in tokens, padding included.
        lanes: Stretches of rows; they fix the order of samples.
        shards: `content_sha256` of each shard in order, by split.
    """
    return sha256_hex(
        canonical_json(
            {
                "format_version": FORMAT_VERSION,
                "tokenizer": tokenizer_sha256,
                "vocab_size": vocab_size,
                "seq_len": seq_len,
                "lanes": lanes,
                "shards": shards,
            }
        )
    )


def manifest_root(manifest: Manifest) -> str:
    """The root that the manifest's own entries give; differs from `root` when it was edited."""
    return content_root(
        tokenizer_sha256=manifest.tokenizer.sha256,
        vocab_size=manifest.tokenizer.vocab_size,
        seq_len=manifest.seq_len,
        lanes=manifest.lanes,
        shards={
            "train": [shard.content_sha256 for shard in manifest.train.shards],
            "heldout": [shard.content_sha256 for shard in manifest.heldout.shards],
        },
    )


def read_manifest(path: Path) -> Manifest:
    """Read a manifest from its file or from the folder that holds it.

    Raises:
        ContractError: There is none, it is not of this form, or its root does not follow from it.
    """
    file = path / MANIFEST_NAME if path.is_dir() else path
    try:
        manifest = Manifest.model_validate_json(file.read_bytes())
    except OSError as error:
        below = path / "dataset" / MANIFEST_NAME
        hint = (
            f"did you mean {below.parent}?"
            if below.is_file()
            else "a folder without one is no dataset"
        )
        raise ContractError(f"{file}: no manifest there ({error.strerror}); {hint}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "no manifest"
        raise ContractError(f"{file}: {field}: {first['msg']}") from error
    expected = manifest_root(manifest)
    if manifest.root != expected:
        raise ContractError(
            f"{file}: root is {manifest.root[:16]}..., its entries give {expected[:16]}...; "
            "the manifest was edited after it was written"
        )
    return manifest


def manifest_json_schema() -> str:
    """The JSON Schema that is checked in as `schemas/manifest.schema.json`."""
    schema = Manifest.model_json_schema(mode="serialization")
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(argv: list[str]) -> None:
    """Print the JSON Schema."""
    argparse.ArgumentParser(prog="schemas.manifest", description=main.__doc__).parse_args(argv)
    print(manifest_json_schema(), end="")


if __name__ == "__main__":
    run_main(main)
