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
from refinery.filters.rules import PYTHON, rules_for
from refinery.filters.shipped_rules import rule_names
from refinery.filters.values import Floats
from refinery.language.config import UNSURE, UNWANTED
from refinery.language.identify import is_wanted
from refinery.publish import storage
from refinery.quality.config import QUALITY
from refinery.quality.reasons import HEAD, LOW_SCORE, PARETO, TOP, head_reason, head_sampled
from refinery.quality.sampling import is_sampled_out
from schemas.errors import ContractError

if TYPE_CHECKING:
    from refinery.whatif.top_fraction import TopBorders

COLUMNS = ("source", "lang", "lang_score", "num_bytes", "values", "scores", "reasons")
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
                file = pq.ParquetFile(source, pre_buffer=False)
            except (OSError, pa.ArrowInvalid) as error:
                raise ContractError(f"{path}: no Parquet file of a ledger ({error})") from error
            yield from file.iter_batches(BATCH_ROWS, columns=columns)


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


def is_dropped(batch: pa.RecordBatch, config: CleanConfig) -> Mask:
    """[rows] whether a document is dropped under the configuration, leaving out ranks by score."""
    dropped = np.zeros(batch.num_rows, bool)
    for _, failed in _Judged(batch, config).in_order():
        dropped |= failed
    return dropped


def count_then(
    outcome: Outcome, batch: pa.RecordBatch, config: CleanConfig, *, top: TopBorders | None = None
) -> None:
    """Add a batch with the verdicts under another configuration; `top` has the borders of all batches."""
    judged = _Judged(batch, config)
    dropped = np.zeros(batch.num_rows, bool)
    by: Counter[str] = Counter()
    for name, failed in judged.in_order():
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


def _counts(names: pa.Array) -> Counter[str]:
    return Counter({row["values"]: row["counts"] for row in pc.value_counts(names).to_pylist()})


def _add(outcome: Outcome, batch: pa.RecordBatch, dropped: Mask, by: Counter[str]) -> None:
    source = batch.column("source").dictionary_encode()
    codes = source.indices.to_numpy(zero_copy_only=False)
    size = batch.column("num_bytes").fill_null(0).to_numpy(zero_copy_only=False)
    for code, name in enumerate(source.dictionary.to_pylist()):
        here = codes == code
        outcome.documents[name] += int(here.sum())
        outcome.kept[name] += int((here & ~dropped).sum())
        outcome.kept_bytes[name] += int(size[here & ~dropped].sum())
    outcome.dropped_by.update(by)


class _Judged:
    """Verdicts on one batch under a configuration."""

    def __init__(self, batch: pa.RecordBatch, config: CleanConfig) -> None:
        self._batch = batch
        self._config = config
        self._rows = batch.num_rows
        self._values = map_columns(batch.column("values"))
        labels = batch.column("lang").fill_null("").dictionary_encode()
        self._languages: list[str] = labels.dictionary.to_pylist()
        self._codes = labels.indices.to_numpy(zero_copy_only=False)

    def in_order(self) -> Iterator[tuple[str, Mask]]:
        """Reason and mask [rows] of each rule that fails, in the order in which the stage lists reasons."""
        before, after = self._other_reasons()
        yield from before
        yield from self._language()
        yield from self._rules()
        yield from after
        least = self._config.quality.min_score
        if least is not None:
            score = map_columns(self._batch.column("scores")).get(QUALITY)
            if score is not None:
                yield LOW_SCORE, np.asarray(score < least)
        yield from self._heads()
        yield from self._sampled()

    def _sampled(self) -> Iterator[tuple[str, Mask]]:
        chosen = {QUALITY: self._config.quality.pareto}
        chosen |= {head: config.pareto for head, config in self._config.heads.items()}
        if not any(chosen.values()):
            return
        scores = map_columns(self._batch.column("scores"))
        ids = self._batch.column("doc_id").to_pylist()
        for head, config in chosen.items():
            if config is not None and head in scores:
                with np.errstate(invalid="ignore"):
                    yield head_sampled(head), is_sampled_out(scores[head], ids, config)

    def _heads(self) -> Iterator[tuple[str, Mask]]:
        scores = map_columns(self._batch.column("scores"))
        for head, config in self._config.heads.items():
            if head in scores and config.action == "drop":
                low, high = config.min_score, config.max_score
                below = scores[head] < (-np.inf if low is None else low)
                above = scores[head] > (np.inf if high is None else high)
                yield head_reason(head), below | above

    def _rules(self) -> Iterator[tuple[str, Mask]]:
        """Rules by language, in the order of that language, on its documents.

        A document without values (an excluded one) has NaN, which is outside of no bound.
        """
        for code, label in enumerate(self._languages):
            members = np.flatnonzero(self._codes == code)
            for rule in rules_for(label, self._config.rules) if label else ():
                column = self._values.get(rule.value)
                if column is None:
                    continue
                low, high = rule.bounds.minimum, rule.bounds.maximum
                part = column[members]
                outside = np.zeros(len(members), bool)
                if low is not None:
                    outside |= part < low
                if high is not None:
                    outside |= part > high
                failed = np.zeros(self._rows, bool)
                failed[members[outside]] = True
                yield rule.name, failed

    def _language(self) -> Iterator[tuple[str, Mask]]:
        config = self._config.language
        score = self._batch.column("lang_score").fill_null(1.0).to_numpy(zero_copy_only=False)
        wanted = np.array([
            not label or is_wanted(label, config)
            for label in self._languages
        ], bool)  # fmt: skip
        least = np.array([
            config.min_score_by_language.get(label, config.min_score) if label else None
            for label in self._languages
        ], dtype=np.float64)  # fmt: skip
        unwanted = ~wanted[self._codes]
        yield UNWANTED, unwanted
        with np.errstate(invalid="ignore"):
            yield UNSURE, ~unwanted & (score < least[self._codes])

    def _other_reasons(self) -> tuple[list[tuple[str, Mask]], list[tuple[str, Mask]]]:
        """Reasons that no column explains (excluded, addresses, line rules), as the ledger has them.

        They are split into those that the stage lists before the rules, and those behind them.
        """
        reasons = self._batch.column("reasons")
        flat, parents = pc.list_flatten(reasons), pc.list_parent_indices(reasons)
        known = rule_names()
        before: list[tuple[str, Mask]] = []
        after: list[tuple[str, Mask]] = []
        for name in pc.unique(flat).to_pylist():
            if name in known or name in _COMPUTED or name.startswith(_COMPUTED_PREFIXES):
                continue
            mask = np.zeros(self._rows, bool)
            mask[parents.filter(pc.equal(flat, name)).to_numpy(zero_copy_only=False)] = True
            (after if name.startswith(("lines:", "words:", "verdict:")) else before).append(
                (name, mask)
            )
        return sorted(before, key=lambda pair: pair[0]), after


def map_columns(maps: pa.MapArray) -> dict[str, Floats]:
    """A map column as one array [rows] per key; NaN where a row lacks the key."""
    size = len(maps)
    offsets = maps.offsets.to_numpy(zero_copy_only=False)
    start, count = int(offsets[0]), int(offsets[-1] - offsets[0])
    keys = maps.keys.slice(start, count)
    width = count // size if size else 0
    if width and width * size == count and _repeat(keys, width):
        # The usual ledger: every row has the same keys in one order.
        table = maps.items.slice(start, count).to_numpy(zero_copy_only=False).reshape(size, width)
        return {name: table[:, column] for column, name in enumerate(keys[:width].to_pylist())}
    names = keys if pa.types.is_dictionary(keys.type) else keys.dictionary_encode()
    codes = names.indices.to_numpy(zero_copy_only=False)
    values = maps.items.slice(start, count).to_numpy(zero_copy_only=False)
    labels = names.dictionary.to_pylist()
    columns = np.full((len(labels), size), np.nan)
    columns[codes, np.repeat(np.arange(size), np.diff(offsets))] = values
    return dict(zip(labels, columns, strict=True))


def _repeat(keys: pa.Array, width: int) -> bool:
    """Whether all rows have the same `width` keys in one order; compared as bytes."""
    if pa.types.is_dictionary(keys.type):
        codes = keys.indices.to_numpy(zero_copy_only=False)
        return bool((codes.reshape(-1, width) == codes[:width]).all())
    if not pa.types.is_string(keys.type) or keys.null_count:
        return False
    _, offsets, data = keys.buffers()
    ends = np.frombuffer(offsets, np.int32)[keys.offset : keys.offset + len(keys) + 1]
    period = int(ends[width] - ends[0])
    lengths = np.diff(ends).reshape(-1, width)
    if not (lengths == lengths[0]).all():
        return False
    text = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(-1, period)
    return bool((text == text[0]).all())


def estimate_tokens(outcome: Outcome, bytes_per_token: Mapping[str, float]) -> dict[str, int]:
    """Kept tokens by source: its bytes, divided by its measured bytes per token."""
    return {
        name: round(size / bytes_per_token.get(name, BYTES_PER_TOKEN))
        for name, size in outcome.kept_bytes.items()
    }
