"""Several manifests that a run reads one after the other, as when the mixture's weights change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from schemas.errors import ContractError, SettingsError
from schemas.manifest import Manifest
from train.data.config import DataSpan, LoaderConfig
from train.data.cursor import DataOrder, Int64s
from train.data.loader import RowOrigin, SplitReader, open_split, shard_files
from train.data.packed import PackedRows
from train.data.remote import ShardFiles, open_manifest


@dataclass(frozen=True, kw_only=True)
class Part:
    """A manifest and the number of the first sample of the run that comes from it."""

    first_sample: int
    files: ShardFiles
    data: SplitReader


@dataclass(frozen=True, kw_only=True)
class SplicedReader:
    """Reads several manifests in turn, as `SplitReader` reads one.

    Samples are counted through all parts; each part's order starts at its own first row.
    """

    parts: tuple[Part, ...]

    @property
    def manifest(self) -> Manifest:
        """The manifest of the first part, which model and plan follow."""
        return self.parts[0].data.manifest

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources of all parts."""
        return self.parts[0].data.sources

    @property
    def num_rows(self) -> int:
        """Number of rows that a pass over the first part reads."""
        return self.parts[0].data.num_rows

    def read(self, samples: Int64s) -> PackedRows:
        """The packed rows of some samples; a batch may hold rows of two parts."""
        read = []
        for number, part in enumerate(self.parts):
            chosen = samples[self._number_of(samples) == number]
            if len(chosen):
                rows = part.data.read(chosen - part.first_sample)
                read.append(replace(rows, sample_index=chosen))
        return read[0] if len(read) == 1 else _join_rows(read)

    def origin(self, sample: int) -> RowOrigin:
        number = int(self._number_of(np.array([sample], np.int64))[0])
        part = self.parts[number]
        return part.data.origin(sample - part.first_sample)

    def _number_of(self, samples: Int64s) -> Int64s:
        starts = np.array([part.first_sample for part in self.parts], np.int64)
        return np.searchsorted(starts, samples, side="right") - 1


def _join_rows(parts: Sequence[PackedRows]) -> PackedRows:
    """Join the rows of several reads; their sources are the same."""

    def joined(name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        return np.concatenate([getattr(part, name) for part in parts])

    offsets = np.cumsum([0, *(len(part.sample_index) for part in parts)])[:-1]
    rows = [part.segment_row + offset for part, offset in zip(parts, offsets, strict=True)]
    return PackedRows(
        input_ids=joined("input_ids"),
        next_token=joined("next_token"),
        sample_index=np.concatenate([part.sample_index for part in parts]),
        segment_row=np.concatenate(rows).astype(np.int32),
        segment_start=joined("segment_start"),
        segment_length=joined("segment_length"),
        segment_source=joined("segment_source"),
        sources=parts[0].sources,
        extra={
            name: np.concatenate([part.extra[name] for part in parts]) for name in parts[0].extra
        },
    )


def open_spans(
    spans: Sequence[DataSpan],
    config: LoaderConfig,
    *,
    seed: int,
    first_sample: int = 0,
    order: DataOrder = "by_seed",
) -> SplicedReader:
    """Open the training splits of the manifests that a run reads in turn.

    Raises:
        ContractError: The manifests differ in tokenizer, length of rows or optional columns.
        SettingsError: An `until_tokens` is not a whole number of rows.
    """
    files = [shard_files(span.manifest, config) for span in spans]
    manifests = [open_manifest(one) for one in files]
    sources = tuple(sorted({name for one in manifests for name in one.train.sources}))
    parts = []
    start = 0
    for span, span_files, manifest in zip(spans, files, manifests, strict=True):
        _check_alike(span, manifest, manifests[0])
        data = open_split(
            span_files, manifest, config, split="train", sources=sources, order=order,
            seed=seed if span.seed is None else span.seed,
        )  # fmt: skip
        if data.num_rows == 0:
            raise SettingsError(f"{span.manifest}: its train split holds no row")
        # Only the first part continues what an earlier phase of the recipe began.
        parts.append(Part(first_sample=start, files=span_files, data=data))
        if span.until_tokens is not None:
            rows, rest = divmod(span.until_tokens, manifest.seq_len)
            if rest:
                raise SettingsError(
                    f"data: until_tokens {span.until_tokens} is no multiple of the rows' "
                    f"{manifest.seq_len} tokens; use {rows * manifest.seq_len}"
                )
            start = first_sample + rows
    return SplicedReader(parts=tuple(parts))


def _check_alike(span: DataSpan, manifest: Manifest, first: Manifest) -> None:
    for name, value, expected in (
        ("tokenizer", manifest.tokenizer.sha256, first.tokenizer.sha256),
        ("seq_len", manifest.seq_len, first.seq_len),
        ("columns", manifest.columns, first.columns),
    ):
        if value != expected:
            raise ContractError(
                f"{span.manifest}: its {name} is {value}, that of the first manifest {expected}"
            )
