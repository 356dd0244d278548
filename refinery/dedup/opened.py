"""A run's signatures as objects of datasketch, to ask a corpus for likenesses from a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from datasketch import MinHash, MinHashLSH, MinHashLSHForest

from refinery.dedup.earlier import earlier_runs
from refinery.dedup.facts import DedupFacts
from refinery.dedup.lsh import SignatureScheme
from refinery.dedup.signatures import Halves, ShingleSets, permutations, sign_sets
from refinery.publish import storage
from refinery.text.utf8 import Texts
from schemas.errors import ContractError


@dataclass(frozen=True)
class SignatureTable:
    """Kept documents of a run, each with its set of shingles.

    All objects are made with the run's permutations, so they can be compared with each other; those of
    datasketch's `MinHash(scheme.num_permutations, scheme.seed, scheme="affine32")` are equal to them.
    """

    scheme: SignatureScheme
    uri: str

    def minhash(self, text: str) -> MinHash:
        """The signature of a text, as it would be after cleaning."""
        sets = ShingleSets.of(Texts.of([text]), self.scheme.shingle_tokens)
        return self._minhashes(sets)[0]

    def __iter__(self) -> Iterator[tuple[str, MinHash]]:
        """(doc_id, signature) of every kept document; a row group of the table is in memory at a time."""
        system, path = storage.file_system(self.uri)
        for file in sorted(system.glob(f"{path}/**/*.parquet")):
            with system.open(file, "rb") as stream:
                opened = pq.ParquetFile(stream)
                for group in range(opened.metadata.num_row_groups):
                    rows = opened.read_row_group(group, columns=["doc_id", "shingles"])
                    kept = rows.filter(rows.column("shingles").is_valid()).combine_chunks()
                    yield from zip(
                        kept.column("doc_id").to_pylist(),
                        self._minhashes(_stored_sets(kept)),
                        strict=True,
                    )

    def lsh(self, threshold: float | None = None) -> MinHashLSH:
        """All kept documents by their bands.

        Args:
            threshold: Let datasketch choose bands for it; None: the bands of the run, which find what dedup found.
        """
        bands = (self.scheme.num_bands, self.scheme.rows_per_band) if threshold is None else None
        num = self.scheme.num_permutations
        index = MinHashLSH(num_perm=num, params=bands, threshold=0.9 if threshold is None else threshold)  # fmt: skip
        with index.insertion_session() as session:
            for doc_id, minhash in self:
                session.insert(doc_id, minhash)
        return index

    def forest(self, trees: int = 8) -> MinHashLSHForest:
        """All kept documents in a forest, which answers with the k most alike."""
        index = MinHashLSHForest(num_perm=self.scheme.num_permutations, l=trees)
        for doc_id, minhash in self:
            index.add(doc_id, minhash)
        index.index()
        return index

    def _minhashes(self, sets: ShingleSets) -> list[MinHash]:
        seed = self.scheme.seed
        num = self.scheme.num_permutations
        shared = np.stack(permutations(num, seed))
        return [
            MinHash(
                seed=seed, hashvalues=slots, permutations=shared, scheme="affine32", hashfunc=int
            )
            for slots in sign_sets(sets, num, seed)
        ]


def open_signatures(output: str) -> SignatureTable:
    """The signatures of the last run into an output.

    Raises:
        SettingsError: It has published no dedup stage.
        ContractError: It kept no index (`recipe.dedup.keep_index`), or signatures of another scheme.
    """
    (run,) = earlier_runs((output,))
    facts = run.record.facts_of(DedupFacts)
    if facts.index_buckets is None:
        raise ContractError(f"{output}: no sets were kept; run it with recipe.dedup.keep_index")
    return SignatureTable(SignatureScheme.read(facts.scheme), run.table_uri("signatures"))


def _stored_sets(rows: Any) -> ShingleSets:
    column = rows.column("shingles").combine_chunks()
    hashes: Halves = column.flatten().to_numpy().view(np.uint32)
    bounds = np.concatenate(([0], np.cumsum(column.value_lengths().to_numpy()))).astype(np.int64)
    return ShingleSets(hashes, bounds)
