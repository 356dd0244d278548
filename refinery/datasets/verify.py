"""Check a dataset folder against its manifest: files, rows, tokenizer, counts. No Spark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from refinery.datasets.open import open_dataset
from refinery.publish.fetched import StoredFolder
from schemas.errors import ContractError
from schemas.fingerprints import sha256_file, sha256_files
from schemas.manifest import MANIFEST_NAME, Manifest, Shard, Split
from schemas.rows import ContentHasher, read_row_groups


@dataclass(frozen=True)
class Difference:
    """Something about the dataset that is not as the manifest says."""

    where: str
    what: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} is {self.found}, the manifest says {self.expected}"


@dataclass(frozen=True)
class Verification:
    """What was looked at, and all that differs."""

    manifest: Manifest
    num_shards: int
    num_rows: int
    differences: tuple[Difference, ...]


def verify_dataset(path: Path | str, *, num_jobs: int = 1) -> Verification:
    """Compare every shard, the tokenizer and the sums with the manifest.

    Args:
        path: The manifest or the folder that holds it; a URI of a store is read shard by shard.
        num_jobs: Shards read side by side; each holds one row group in memory.

    Raises:
        ContractError: The manifest itself is missing, malformed or edited.
    """
    folder, manifest = open_dataset(path)
    shards = [*manifest.train.shards, *manifest.heldout.shards]
    with ThreadPoolExecutor(num_jobs) as pool:
        by_shard = pool.map(lambda shard: list(_check_shard(folder, shard, manifest)), shards)
        differences = [difference for of_shard in by_shard for difference in of_shard]
    differences += _check_tokenizer(folder, manifest)
    differences += _check_sums("train", manifest.train)
    differences += _check_sums("heldout", manifest.heldout)
    differences += _check_unlisted(folder, manifest)
    num_rows = manifest.train.rows + manifest.heldout.rows
    return Verification(manifest, len(shards), num_rows, tuple(differences))


def _check_shard(folder: StoredFolder, shard: Shard, manifest: Manifest) -> Iterator[Difference]:
    with folder.file(shard.path) as file:
        yield from _check_file(file, shard, manifest)


def _check_file(file: Path, shard: Shard, manifest: Manifest) -> Iterator[Difference]:
    if not file.is_file():
        yield Difference(shard.path, "file", "missing", f"{shard.bytes:,} bytes")
        return
    size = file.stat().st_size
    if size != shard.bytes:
        yield Difference(shard.path, "size", f"{size:,} bytes", f"{shard.bytes:,} bytes")
    digest = sha256_file(file)
    if digest != shard.sha256:
        yield Difference(shard.path, "SHA-256 of the file", _short(digest), _short(shard.sha256))
    try:
        yield from _check_rows(file, shard, manifest)
    except ContractError as error:
        yield Difference(shard.path, "content", str(error), "a readable shard")


def _check_rows(file: Path, shard: Shard, manifest: Manifest) -> Iterator[Difference]:
    hasher = ContentHasher()
    rows = tokens = 0
    by_source: dict[str, int] = {}
    wrong_lengths = wrong_ids = 0
    for batch in read_row_groups(file):
        hasher.update(batch)
        rows += batch.num_rows
        lengths = batch.column("input_ids").value_lengths()
        wrong_lengths += pc.sum(pc.not_equal(lengths, manifest.seq_len)).as_py() or 0
        ids = batch.column("input_ids").flatten()
        outside = pc.or_(pc.less(ids, 0), pc.greater_equal(ids, manifest.tokenizer.vocab_size))
        wrong_ids += pc.sum(outside).as_py() or 0
        segments = batch.column("segments").flatten()
        tokens += pc.sum(segments.field("length")).as_py() or 0
        sums = _sum_by_source(segments.field("source"), segments.field("length"))
        by_source = {key: by_source.get(key, 0) + sums.get(key, 0) for key in by_source | sums}
    if hasher.hexdigest() != shard.content_sha256:
        found, expected = _short(hasher.hexdigest()), _short(shard.content_sha256)
        yield Difference(shard.path, "SHA-256 of the rows", found, expected)
    expected_sources = {key: count for key, count in shard.tokens_by_source.items() if count}
    found_sources = {key: count for key, count in by_source.items() if count}
    for what, found_value, expected_value in (
        ("number of rows", rows, shard.rows),
        ("number of tokens", tokens, shard.tokens),
        ("padding", rows * manifest.seq_len - tokens - shard.control, shard.padding),
        (f"rows not of {manifest.seq_len} tokens", wrong_lengths, 0),
        (f"ids outside 0..{manifest.tokenizer.vocab_size - 1}", wrong_ids, 0),
        ("tokens by source", found_sources, expected_sources),
    ):
        if found_value != expected_value:
            yield Difference(shard.path, what, str(found_value), str(expected_value))


def _sum_by_source(sources: pa.Array, lengths: pa.Array) -> dict[str, int]:
    table = pa.table({"source": sources, "length": lengths})
    sums = table.group_by("source").aggregate([("length", "sum")])
    return dict(zip(sums["source"].to_pylist(), sums["length_sum"].to_pylist(), strict=True))


def _check_tokenizer(folder: StoredFolder, manifest: Manifest) -> Iterator[Difference]:
    with folder.file(manifest.tokenizer.path) as tokenizer:
        if not tokenizer.is_dir():
            yield Difference(manifest.tokenizer.path, "tokenizer folder", "missing", "a folder")
            return
        digest = sha256_files((p for p in tokenizer.rglob("*") if p.is_file()), base=tokenizer)
    if digest != manifest.tokenizer.sha256:
        found, expected = _short(digest), _short(manifest.tokenizer.sha256)
        yield Difference(manifest.tokenizer.path, "SHA-256 over its files", found, expected)


def _check_sums(name: str, split: Split) -> Iterator[Difference]:
    account = split.account
    for what, found, expected in (
        (
            "packed + dropped - drawn tokens",
            account.packed + account.dropped - account.drawn,
            account.tokens_in,
        ),
        ("tokens of its shards", sum(shard.tokens for shard in split.shards), account.packed),
        ("padding of its shards", sum(shard.padding for shard in split.shards), account.padding),
        ("special tokens of its shards", sum(s.control for s in split.shards), account.control),
        ("dropped tokens of its sources", _sum(split, "dropped_tokens"), account.dropped),
        ("drawn tokens of its sources", _sum(split, "drawn_tokens"), account.drawn),
        ("packed tokens by source", _by_source(split), _packed_by_source(split)),
    ):
        if found != expected:
            yield Difference(name, what, str(found), str(expected))


def _sum(split: Split, name: str) -> int:
    return sum(getattr(source, name) for source in split.sources.values())


def _packed_by_source(split: Split) -> dict[str, int]:
    packed = {name: source.packed_tokens for name, source in sorted(split.sources.items())}
    return {name: tokens for name, tokens in packed.items() if tokens}


def _by_source(split: Split) -> dict[str, int]:
    """Tokens by source, summed over the entries of the shards."""
    found: Counter[str] = Counter()
    for shard in split.shards:
        found.update({name: tokens for name, tokens in shard.tokens_by_source.items() if tokens})
    return dict(sorted(found.items()))


def _check_unlisted(folder: StoredFolder, manifest: Manifest) -> Iterator[Difference]:
    """Find shards that the manifest does not name: a reader with a glob would take them."""
    named = {shard.path for split in (manifest.train, manifest.heldout) for shard in split.shards}
    for name in folder.names(".parquet"):
        if name not in named:
            yield Difference(name, "file", "there", f"nothing of it ({MANIFEST_NAME})")


def _short(digest: str) -> str:
    return f"{digest[:16]}..."
