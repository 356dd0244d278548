"""Weights by commonness in place of dedup: SoftDedup's, as a table that the refinery takes as a score.

How common a document is, is the geometric mean of the probabilities of its tokens by a 4-gram model (Kneser-Ney) counted from
the very corpus; weights are inverse to it (He et al. 2024, arXiv 2407.06654). Documents are weighted in groups of equal
tokens, the commonest together, so that no single document of odd text gets hundreds of copies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.manifest import read_manifest
from train.evaluation.ngram import TokenRun, count_ngrams

ORDER = 4
GROUPS = 20
COLUMNS = ("input_ids", "segments")


def write_commonness(dataset: Path, target: Path) -> None:
    """Write doc_id, commonness and weight of each training document of a dataset, unless the file is there."""
    if target.is_file():
        return
    documents = training_documents(dataset)
    vocab_size = read_manifest(dataset).tokenizer.vocab_size
    found = commonness(list(documents.values()), vocab_size)
    sizes = np.array([len(ids) for ids in documents.values()])
    table = pa.table(
        {"doc_id": list(documents), "commonness": found, "weight": weights_of(found, sizes)}
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, target)


def training_documents(dataset: Path) -> dict[str, NDArray[np.int64]]:
    """The tokens of each training document, put together again from its rows; of a document with copies, the first."""
    pieces: dict[str, dict[int, NDArray[np.int64]]] = {}
    for shard in read_manifest(dataset).train.shards:
        for batch in pq.ParquetFile(dataset / shard.path).iter_batches(columns=list(COLUMNS)):
            for ids, segments in zip(*(batch[name] for name in COLUMNS), strict=True):
                row = ids.values.to_numpy(zero_copy_only=False)
                for one in segments.as_py():
                    if one["copy"] == 0:
                        start = one["row_start"]
                        own = pieces.setdefault(one["doc_id"], {})
                        own[one["doc_start"]] = row[start : start + one["length"]].astype(np.int64)
    return {
        name: np.concatenate([own[start] for start in sorted(own)]) for name, own in pieces.items()
    }


def commonness(documents: list[NDArray[np.int64]], vocab_size: int) -> NDArray[np.float64]:
    """[D] geometric mean of the probabilities of each document's tokens, by 4-grams of all of them."""
    model = count_ngrams(
        (TokenRun(ids=ids) for ids in documents), vocab_size=vocab_size, order=ORDER
    )
    sizes = np.array([len(ids) for ids in documents])
    chances: NDArray[np.float64] = np.exp(
        model.log_likelihoods([ids.tolist() for ids in documents]) / sizes
    )
    return chances


def weights_of(common_D: NDArray[np.float64], sizes_D: NDArray[np.int64]) -> NDArray[np.float64]:
    """[D] weights inverse to the commonness of a document's group; over all tokens their mean is 1."""
    order = np.argsort(common_D, kind="stable")
    ends = np.cumsum(sizes_D[order])
    group_D = np.empty(len(common_D), np.int64)
    group_D[order] = np.minimum((ends - sizes_D[order] / 2) * GROUPS // ends[-1], GROUPS - 1)
    tokens_G = np.bincount(group_D, weights=sizes_D, minlength=GROUPS)
    mean_G = np.bincount(group_D, weights=sizes_D * common_D, minlength=GROUPS)
    inverse_D = (tokens_G / np.where(mean_G > 0, mean_G, 1.0))[group_D]
    weights: NDArray[np.float64] = inverse_D / np.average(inverse_D, weights=sizes_D)
    return weights
