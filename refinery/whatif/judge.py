"""Judge documents of a ledger anew under other rules, from its values and without their text.

The ledger is read by row groups with pyarrow: memory stays bounded, and Spark is not needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from refinery.clean.config import CleanConfig
from refinery.filters.rules import PYTHON
from refinery.filters.shipped_rules import rule_names
from refinery.filters.values import Floats
from refinery.language.config import UNSURE, UNWANTED, LanguageConfig
from refinery.language.identify import is_wanted
from refinery.publish import storage
from refinery.quality.config import QUALITY, HeadConfig
from refinery.quality.reasons import HEAD, LOW_SCORE, PARETO, TOP, head_reason, head_sampled
from refinery.quality.sampling import is_sampled_out
from refinery.whatif.first_failed import FirstFailed
from refinery.whatif.maps import map_columns, map_table
from schemas.errors import ContractError

if TYPE_CHECKING:
    from refinery.whatif.top_fraction import TopBorders

COLUMNS = ("source", "lang", "lang_score", "num_bytes", "values", "scores", "reasons")
# Read as codes: strings of map keys took half of the time. Arrow does so within one row group only.
_DICTIONARIES = ("source", "lang", "values.key_value.key", "scores.key_value.key")
BATCH_ROWS = 32_768
BYTES_PER_TOKEN = 4.0

# Reasons that are computed anew from columns of the ledger, beside those of rules with bounds, and
# prefixes of such reasons. All others are taken as the ledger has them.
_COMPUTED = (UNWANTED, UNSURE, LOW_SCORE)
_COMPUTED_PREFIXES = (HEAD, PARETO, TOP, PYTHON)

Mask = NDArray[np.bool_]


@dataclass
class Outcome:
    """Kept documents and bytes by source, and first reasons, under one configuration."""

    documents: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    kept_bytes: Counter[str] = field(default_factory=Counter)
    dropped_by: Counter[str] = field(default_factory=Counter)

    def add(self, other: Outcome) -> None:
        self.documents.update(other.documents)
        self.kept.update(other.kept)
        self.kept_bytes.update(other.kept_bytes)
        self.dropped_by.update(other.dropped_by)


def read_ledger(paths: Iterable[str], config: CleanConfig) -> Iterator[pa.RecordBatch]:
    """Batches of the columns that verdicts need; ids are read only where sampling or ranks need them."""
    sampled = config.quality.pareto or any(head.pareto for head in config.heads.values())
    columns = ["doc_id", *COLUMNS] if sampled or config.top_fractions else list(COLUMNS)
    for path in paths:
        with _opened(path) as source:
            # With `pre_buffer` pyarrow would keep a whole file in memory.
            try:
                file = pq.ParquetFile(source, pre_buffer=False, read_dictionary=_DICTIONARIES)
            except (OSError, pa.ArrowInvalid) as error:
                raise ContractError(f"{path}: no Parquet file of a ledger ({error})") from error
            for group in range(file.num_row_groups):
                yield from file.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns)


def _opened(uri: str) -> AbstractContextManager[Any]:
    """What pyarrow reads: a local path as it is, an object of a store through fsspec."""
    if storage.is_local(uri):
        return nullcontext(str(storage.local_path(uri)))
    system, path = storage.file_system(uri)
    return cast("AbstractContextManager[Any]", system.open(path, "rb"))


def count_now(outcome: Outcome, batch: pa.RecordBatch) -> None:
    """Add a batch with the verdicts that the ledger holds."""
    reasons = batch.column("reasons")
    lengths = pc.list_value_length(reasons).fill_null(0)
    has = pc.greater(lengths, 0)
    first = pc.list_element(reasons.filter(has), 0)
    _add(outcome, batch, has.to_numpy(zero_copy_only=False), _counts(first))


class Judge:
    """Verdicts under a configuration, batch by batch."""

    def __init__(self, config: CleanConfig) -> None:
        self._config = config
        self._rules = FirstFailed(config.rules)

    def is_dropped(self, batch: pa.RecordBatch) -> Mask:
        """[rows] whether a document is dropped, leaving out ranks by score."""
        dropped = np.zeros(batch.num_rows, bool)
        for _, failed in self._in_order(batch):
            dropped |= failed
        return dropped

    def count(
        self, outcome: Outcome, batch: pa.RecordBatch, *, top: TopBorders | None = None
    ) -> None:
        """Add a batch with its verdicts; `top` has the borders of all batches."""
        dropped = np.zeros(batch.num_rows, bool)
        by: Counter[str] = Counter()
        for name, failed in self._in_order(batch):
            fresh = failed & ~dropped
            if num := int(fresh.sum()):
                by[name] += num
                dropped |= fresh
        before = dropped.copy()
        for name, failed in top.beyond(batch, before) if top is not None else ():
            fresh = failed & ~dropped
            by[name] += int(fresh.sum())
            dropped |= fresh
        _add(outcome, batch, dropped, by)

    def _in_order(self, batch: pa.RecordBatch) -> Iterator[tuple[str, Mask]]:
        """Reason and mask [rows] of each check that fails, in the order in which the stage lists reasons.

        Of rules with bounds, the first one that a document fails.
        """
        config = self._config
        before, after = _other_reasons(batch)
        yield from before
        languages, codes = _languages(batch)
        yield from _language(batch, config.language, languages, codes)
        names, values = map_table(batch.column("values"))
        yield from self._rules.by_name(names, values, languages=languages, codes_N=codes)
        yield from after
        scores = map_columns(batch.column("scores"))
        least = config.quality.min_score
        if least is not None and QUALITY in scores:
            yield LOW_SCORE, np.asarray(scores[QUALITY] < least)
        yield from _heads(scores, config.heads)
        yield from _sampled(batch, scores, config)


def _counts(names: pa.Array) -> Counter[str]:
    return Counter({row["values"]: row["counts"] for row in pc.value_counts(names).to_pylist()})


def _add(outcome: Outcome, batch: pa.RecordBatch, dropped: Mask, by: Counter[str]) -> None:
    source = batch.column("source")
    if not pa.types.is_dictionary(source.type):
        source = source.dictionary_encode()
    codes = source.indices.to_numpy(zero_copy_only=False)
    size = batch.column("num_bytes").fill_null(0).to_numpy(zero_copy_only=False)
    for code, name in enumerate(source.dictionary.to_pylist()):
        here = codes == code
        outcome.documents[name] += int(here.sum())
        outcome.kept[name] += int((here & ~dropped).sum())
        outcome.kept_bytes[name] += int(size[here & ~dropped].sum())
    outcome.dropped_by.update(by)


def _languages(batch: pa.RecordBatch) -> tuple[list[str], NDArray[np.int32]]:
    """Labels of a batch, and the index of each document's; no language is the label ""."""
    labels = batch.column("lang")
    if pa.types.is_dictionary(labels.type):
        labels = labels.dictionary_decode()
    labels = labels.fill_null("").dictionary_encode()
    return labels.dictionary.to_pylist(), labels.indices.to_numpy(zero_copy_only=False)


def _language(
    batch: pa.RecordBatch, config: LanguageConfig, languages: list[str], codes: NDArray[np.int32]
) -> Iterator[tuple[str, Mask]]:
    score = batch.column("lang_score").fill_null(1.0).to_numpy(zero_copy_only=False)
    wanted = np.array([not label or is_wanted(label, config) for label in languages], bool)
    least = np.array([
        config.min_score_by_language.get(label, config.min_score) if label else None
        for label in languages
    ], dtype=np.float64)  # fmt: skip
    unwanted = ~wanted[codes]
    yield UNWANTED, unwanted
    with np.errstate(invalid="ignore"):
        yield UNSURE, ~unwanted & (score < least[codes])


def _heads(
    scores: Mapping[str, Floats], heads: Mapping[str, HeadConfig]
) -> Iterator[tuple[str, Mask]]:
    for head, config in heads.items():
        if head in scores and config.action == "drop":
            low, high = config.min_score, config.max_score
            below = scores[head] < (-np.inf if low is None else low)
            above = scores[head] > (np.inf if high is None else high)
            yield head_reason(head), below | above


def _sampled(
    batch: pa.RecordBatch, scores: Mapping[str, Floats], config: CleanConfig
) -> Iterator[tuple[str, Mask]]:
    chosen = {QUALITY: config.quality.pareto}
    chosen |= {head: one.pareto for head, one in config.heads.items()}
    if not any(chosen.values()):
        return
    ids = batch.column("doc_id").to_pylist()
    for head, pareto in chosen.items():
        if pareto is not None and head in scores:
            with np.errstate(invalid="ignore"):
                yield head_sampled(head), is_sampled_out(scores[head], ids, pareto)


def _other_reasons(
    batch: pa.RecordBatch,
) -> tuple[list[tuple[str, Mask]], list[tuple[str, Mask]]]:
    """Reasons that no column explains (excluded, addresses, line rules), as the ledger has them.

    They are split into those that the stage lists before the rules, and those behind them.
    """
    reasons = batch.column("reasons")
    flat, parents = pc.list_flatten(reasons), pc.list_parent_indices(reasons)
    known = rule_names()
    before: list[tuple[str, Mask]] = []
    after: list[tuple[str, Mask]] = []
    for name in pc.unique(flat).to_pylist():
        if name in known or name in _COMPUTED or name.startswith(_COMPUTED_PREFIXES):
            continue
        mask = np.zeros(batch.num_rows, bool)
        mask[parents.filter(pc.equal(flat, name)).to_numpy(zero_copy_only=False)] = True
        (after if name.startswith(("lines:", "words:", "verdict:")) else before).append(
            (name, mask)
        )
    return sorted(before, key=lambda pair: pair[0]), after


def estimate_tokens(outcome: Outcome, bytes_per_token: Mapping[str, float]) -> dict[str, int]:
    """Kept tokens by source: its bytes, divided by its measured bytes per token."""
    return {
        name: round(size / bytes_per_token.get(name, BYTES_PER_TOKEN))
        for name, size in outcome.kept_bytes.items()
    }
