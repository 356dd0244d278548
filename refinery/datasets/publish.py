"""A dataset folder: its tokenizer, card and manifest; the manifest is written last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from refinery.publish import storage
from refinery.publish.records import StageRecord
from refinery.recipe import Recipe
from schemas.errors import ContractError
from schemas.manifest import (
    MANIFEST_NAME,
    DecontaminationSummary,
    Manifest,
    Shard,
    SourceSummary,
    Split,
    StageSummary,
    TokenAccount,
    TokenizerIdentity,
    content_root,
)
from schemas.version import code_version

TOKENIZER_FOLDER = "tokenizer"


def dataset_uri(output: str) -> str:
    """Folder of the dataset below a run's output."""
    return storage.join_uri(output, "dataset")


def refuse_other_dataset(folder: str, fingerprint: str) -> None:
    """Keep a finished dataset of another recipe or input from being overwritten.

    Raises:
        ContractError: The folder holds another dataset; both fingerprints are named.
    """
    uri = storage.join_uri(folder, MANIFEST_NAME)
    if not storage.exists(uri):
        return
    manifest = Manifest.model_validate_json(storage.read_bytes(uri))
    if manifest.recipe_fingerprint != fingerprint:
        raise ContractError(
            f"{folder} holds a dataset of another recipe or input "
            f"(fingerprint {manifest.recipe_fingerprint[:12]}, this run has {fingerprint[:12]}); "
            "choose another runtime.output, or remove that folder"
        )


def make_split(
    shards: list[Shard], sources: dict[str, SourceSummary], *, tokens_in: Mapping[str, int]
) -> Split:
    """Make a split, and check its account source by source.

    Args:
        shards: The written shards of the split.
        sources: Counts by source; `packed_tokens` and `dropped_tokens` were counted apart.
        tokens_in: All copies with their end marks, by source, counted before packing.

    Raises:
        ContractError: Tokens in and out of a source differ.
    """
    for name, source in sources.items():
        in_shards = sum(shard.tokens_by_source.get(name, 0) for shard in shards)
        arrived, drawn = tokens_in[name], source.drawn_tokens
        packed, dropped = source.packed_tokens, source.dropped_tokens
        if arrived + drawn != packed + dropped or packed != in_shards:
            raise ContractError(
                f"source '{name}': {arrived} tokens in + {drawn} drawn != {packed} packed + "
                f"{dropped} dropped, or not the {in_shards} in its shards"
            )
    account = TokenAccount(
        tokens_in=sum(tokens_in.values()),
        packed=sum(shard.tokens for shard in shards),
        dropped=sum(source.dropped_tokens for source in sources.values()),
        padding=sum(shard.padding for shard in shards),
        drawn=sum(source.drawn_tokens for source in sources.values()),
        control=sum(s.control for s in shards),
    )
    return Split(shards=tuple(shards), sources=sources, account=account)


def make_manifest(
    *,
    recipe: Recipe,
    tokenizer: TokenizerIdentity,
    train: Split,
    heldout: Split,
    records: Mapping[str, StageRecord],
    decontamination: DecontaminationSummary | None,
    fingerprint: str,
) -> Manifest:
    config = recipe.packing
    root = content_root(
        tokenizer_sha256=tokenizer.sha256,
        vocab_size=tokenizer.vocab_size,
        seq_len=config.seq_len,
        lanes=config.lanes,
        shards={
            "train": [shard.content_sha256 for shard in train.shards],
            "heldout": [shard.content_sha256 for shard in heldout.shards],
        },
    )
    return Manifest(
        name=recipe.name,
        root=root,
        seed=recipe.seed,
        seq_len=config.seq_len,
        lanes=config.lanes,
        layout=config.layout,
        columns=config.columns,
        tokenizer=tokenizer,
        train=train,
        heldout=heldout,
        stages=tuple(
            StageSummary(
                stage=record.stage,
                fingerprint=record.fingerprint,
                rows={table: summary.rows for table, summary in record.tables.items()},
            )
            for record in records.values()
        ),
        decontamination=decontamination,
        recipe_fingerprint=fingerprint,
        code_version=code_version(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def write_dataset(
    folder: str, manifest: Manifest, tokenizer: Path, *, source_names: Iterable[str] = ()
) -> str:
    """Write tokenizer, card and, last, the manifest; returns the manifest's URI.

    The card has a row for each of the recipe's sources, also for those that gave no token.

    Shards that the manifest does not name were left by a run that died; they are removed.
    """
    _remove_unlisted_shards(folder, manifest)
    for path in sorted(tokenizer.iterdir()):
        storage.replace(storage.join_uri(folder, TOKENIZER_FOLDER, path.name), path.read_bytes())
    storage.replace(
        storage.join_uri(folder, "README.md"), dataset_card(manifest, source_names).encode()
    )
    uri = storage.join_uri(folder, MANIFEST_NAME)
    storage.replace(uri, (manifest.model_dump_json(indent=2) + "\n").encode())
    return uri


def _remove_unlisted_shards(folder: str, manifest: Manifest) -> None:
    system, path = storage.file_system(folder)
    named = {shard.path for split in (manifest.train, manifest.heldout) for shard in split.shards}
    for prefix in ("train", "heldout"):
        for pattern in (f"{path}/{prefix}-*.parquet", f"{path}/.{prefix}-*.parquet.*"):
            for file in system.glob(pattern):
                if file.rsplit("/", 1)[-1] not in named:
                    system.rm_file(file)


def dataset_card(manifest: Manifest, source_names: Iterable[str] = ()) -> str:
    """A README with front matter, for people and for hubs."""
    empty = sorted(set(source_names) - set(manifest.train.sources))
    rows = [
        f"| {name} | {s.documents:,} | {s.tokens:,} | {s.epochs:.2f} | "
        f"{s.packed_tokens + s.dropped_tokens - s.drawn_tokens:,} | {s.packed_tokens:,} |"
        for name, s in manifest.train.sources.items()
    ]
    return "\n".join(
        [
            "---",
            f"pretty_name: {manifest.name}",
            "task_categories: [text-generation, fill-mask]",
            "configs:",
            "  - config_name: default",
            "    data_files:",
            "      - {split: train, path: train-*.parquet}",
            "      - {split: heldout, path: heldout-*.parquet}",
            "---",
            f"# {manifest.name}",
            "",
            f"Token rows of {manifest.seq_len} tokens; content root `{manifest.root}`.",
            f"Tokenizer in `{manifest.tokenizer.path}/` ({manifest.tokenizer.vocab_size:,} ids).",
            "",
            "| source | documents with a copy | their tokens, once | epochs | tokens of all copies | packed |",
            "|---|---:|---:|---:|---:|---:|",
            *rows,
            *(f"| {name} | 0 | 0 | 0.00 | 0 | 0 |" for name in empty),
            "",
            "Epochs are of all training documents of a source, also of those without a copy: below 1, that",
            "share of them, drawn by hash, has one. All copies have an end mark each; packing leaves out tails.",
            "",
            "`manifest.json` is the contract: a folder without it is not a dataset.",
            "",
        ]
    )
