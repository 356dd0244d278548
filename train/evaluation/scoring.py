"""Log-likelihoods of candidates, whatever the family of the model.

A family (`train.evaluation.families`) turns a candidate into rows; a decoder reads the candidates of an item
as one row where they begin alike (`train.evaluation.branches`). Rows of one padded length run together. What a row
gives depends on nothing but itself: its padded length follows from its own, batches have multiples of 64 tokens, so that
the library takes one path for all of them, and the head sees blocks of equal size. So neither the batch size nor the
order of the items changes a bit in fp32.

Shapes: B rows, T tokens, D width, P tokens of a shared prefix, N scored tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from schemas.errors import PipelineError
from train.batch.batch import NO_LABEL, Batch
from train.evaluation.branches import branch_mask, joined, joined_positions
from train.evaluation.items import Candidate, Item, ItemScore
from train.evaluation.rows import CandidateRows, ScoredRow
from train.model.layers import LayerCache
from train.model.transformer import Model, Transformer

# Products of matrices take their path through the library by the number of rows, few or left over from its blocks, and
# other paths have other last bits. Whole blocks of 64 have one path in MKL's AVX-512, SSE and COMPATIBLE code; where its
# AVX2 code is forced, the last bits of a BERT may still differ.
_TOKENS_STEP = 64
_HEAD_ROWS = 64
_SHORTEST_STEP = 2
_TOKENS_PER_BATCH = 2048
_MAX_ROWS = 64
# Items whose rows are in memory at once.
_CHUNK_ITEMS = 1024


class Family(Protocol):
    """How a family of models reads contexts and candidates."""

    @property
    def form(self) -> str:
        """How they are read, in words."""

    def rows(self, candidates: Sequence[Candidate], before: str, where: str) -> list[CandidateRows]:
        """The rows of the candidates of one item; `before` is the text of the examples."""

    def prefix(self, before: str) -> tuple[int, ...]:
        """Ids that rows with these examples begin with, to be computed once; none where they cannot be."""


@dataclass(frozen=True, kw_only=True)
class RowScorer:
    """Scores items with a model.

    Attributes:
        model: One of the three families.
        family: Turns candidates into rows.
        pad: Fills rows.
        device: Where the model lies.
        max_rows: Rows of a forward pass at most.
        min_prefix: Shorter shared beginnings are computed with each row; None: all of them are.
    """

    model: Model
    family: Family
    pad: int
    device: torch.device
    max_rows: int = _MAX_ROWS
    min_prefix: int | None = 32

    @property
    def form(self) -> str:
        """How contexts and candidates are read, in words."""
        return self.family.form

    def score(
        self, items: Sequence[Item], *, before: Sequence[str] | None = None, pmi: bool = False
    ) -> list[ItemScore]:
        """Scores of the candidates of each item.

        Args:
            items: What is asked.
            before: The text of the examples before each item; None: no examples.
            pmi: Whether candidates are scored after an empty context too.

        Raises:
            ContractError: A candidate is longer than the model, or has no token.
            PipelineError: A log-likelihood is not a number.
        """
        texts = [""] * len(items) if before is None else list(before)
        scores: dict[int, ItemScore] = {}
        # Items with the same examples follow one another, so that a prefix is computed once.
        order = sorted(range(len(items)), key=lambda index: texts[index])
        for start in range(0, len(order), _CHUNK_ITEMS):
            part = order[start : start + _CHUNK_ITEMS]
            own = [items[index] for index in part]
            found = self._chunk(own, [texts[index] for index in part])
            alone: list[ItemScore] | None = None
            if pmi:
                alone = self._chunk([_without_context(item) for item in own], [""] * len(own))
            for number, index in enumerate(part):
                score = found[number]
                if alone is not None:
                    score = replace(score, unconditional=alone[number].log_likelihoods)
                scores[index] = score
        return [scores[index] for index in range(len(items))]

    def _chunk(self, items: Sequence[Item], before: Sequence[str]) -> list[ItemScore]:
        by_prefix: dict[tuple[int, ...], _Sums] = {}
        made: list[list[CandidateRows]] = []
        prefixes = {text: self._prefix(text) for text in dict.fromkeys(before)}
        owners: list[list[tuple[_Sums, int]]] = []
        for item, text in zip(items, before, strict=True):
            prefix = prefixes[text]
            candidates = self.family.rows(item.candidates, text, f"item {item.id}")
            made.append(candidates)
            sums = by_prefix.setdefault(prefix, _Sums(joins=isinstance(self.model, Transformer)))
            numbers = sums.add([one.rows for one in candidates], prefix)
            owners.append([(sums, number) for number in numbers])
        for prefix, sums in by_prefix.items():
            self._run(sums, prefix)
        return [
            _item_score(item, candidates, [sums.result(owner) for sums, owner in own])
            for item, candidates, own in zip(items, made, owners, strict=True)
        ]

    def _prefix(self, before: str) -> tuple[int, ...]:
        """The beginning that is computed once: a function of the examples alone, not of the items."""
        if self.min_prefix is None or not before or not isinstance(self.model, Transformer):
            return ()
        ids = self.family.prefix(before)
        return ids if len(ids) >= self.min_prefix else ()

    @torch.no_grad()
    def _run(self, sums: _Sums, prefix: tuple[int, ...]) -> None:
        was_training = self.model.training
        self.model.eval()
        try:
            caches = self._encode_prefix(prefix) if prefix else []
            for rows in sums.batches(self.max_rows):
                hidden = self._hidden([one.row for one in rows], prefix, caches)
                self._read(hidden, rows, sums)
        finally:
            self.model.train(was_training)

    def _read(self, hidden_BTD: Tensor, rows: Sequence[_Waiting], sums: _Sums) -> None:
        """Add up the log-likelihoods of all scored tokens of a batch."""
        width = hidden_BTD.shape[1]
        scored_at: dict[
            int, list[tuple[int, int]]
        ] = {}  # wanted id and owner, by number in [B * T]
        for index, waiting in enumerate(rows):
            for scored, owner in waiting.scored:
                for position, wanted in zip(scored.at, scored.wanted, strict=True):
                    number = index * width + position
                    scored_at.setdefault(number, []).append((wanted, owner))
        numbers = list(scored_at)
        flat_ND = hidden_BTD.flatten(0, 1)
        for start in range(0, len(numbers), _HEAD_ROWS):
            picked = numbers[start : start + _HEAD_ROWS]
            filled = picked + picked[:1] * (_HEAD_ROWS - len(picked))
            logits = self.model.head_logits(flat_ND[torch.tensor(filled, device=flat_ND.device)])
            asked = [one for number in picked for one in scored_at[number]]
            slots = [slot for slot, number in enumerate(picked) for _ in scored_at[number]]
            slot = torch.tensor(slots, device=logits.device)
            target = torch.tensor([wanted for wanted, _ in asked], device=logits.device)
            # fp32 at least: weights of fp64 keep their digits.
            chosen = logits.to(torch.promote_types(logits.dtype, torch.float32))
            chosen = chosen.log_softmax(-1)[slot, target]
            greedy = _are_greedy(logits, slot, target)
            sums.count([owner for _, owner in asked], chosen.double().tolist(), greedy.tolist())

    def _hidden(
        self, rows: Sequence[ScoredRow], prefix: tuple[int, ...], caches: Sequence[LayerCache]
    ) -> Tensor:
        filled = [*rows, *[rows[0]] * (-len(rows) % _rows_step(rows[0]))]
        if not rows[0].behind_prefix and not rows[0].branches:
            return self.model.encode(self._batch(filled).to(self.device))
        assert isinstance(self.model, Transformer), "others have no prefix and no branches"
        ids, _ = _padded([row.read for row in filled], self.pad)
        width = ids.shape[1]
        before = len(prefix) if rows[0].behind_prefix else 0
        if rows[0].branches:
            branches = [row.branches for row in filled]
            positions = joined_positions(branches, width)
            mask = branch_mask(branches, width, before=before)
        else:
            positions = torch.arange(width).expand_as(ids)
            mask = torch.ones(width, before + width, dtype=torch.bool).tril(before)[None, None]
        own = self.model.empty_caches()
        if before:
            own = [cache.copies(len(filled)) for cache in caches]
        return self.model.states(
            ids.to(self.device),
            self._positions(positions + before).to(self.device),
            mask.to(self.device),
            own,
        )

    def _encode_prefix(self, prefix: tuple[int, ...]) -> list[LayerCache]:
        assert isinstance(self.model, Transformer), "only decoders have a shared prefix"
        caches = self.model.empty_caches()
        ids = torch.tensor([prefix], device=self.device)
        size = len(prefix)
        positions = torch.arange(size, device=self.device)[None]
        mask = torch.ones(size, size, dtype=torch.bool, device=self.device).tril()[None, None]
        self.model.states(ids, positions, mask, caches)
        return caches

    def _positions(self, positions: Tensor) -> Tensor:
        """Padding may stand behind the last learned position; nothing reads what it gives."""
        return positions.clamp(max=self.model.config.max_positions - 1)

    def _batch(self, rows: Sequence[ScoredRow]) -> Batch:
        ids, real = _padded([row.read for row in rows], self.pad)
        decoder_ids = visible = None
        written = ids
        if rows[0].written is not None:
            decoder_ids, _ = _padded([row.written or () for row in rows], self.pad)
            written = decoder_ids
        if any(row.visible for row in rows):
            counts = torch.tensor([row.visible for row in rows])
            visible = torch.arange(ids.shape[1]) < counts[:, None]
        # A decoder never looks to the right, where the padding is: it needs no mask.
        is_whole = isinstance(self.model, Transformer) and visible is None
        return Batch(
            input_ids=ids,
            labels=torch.full_like(written, NO_LABEL),
            document=real.long(),
            positions=self._positions(torch.arange(ids.shape[1])).expand_as(ids),
            segment=torch.zeros_like(written),
            segment_source=torch.zeros(1, dtype=torch.int64),
            num_sources=1,
            is_whole=is_whole,
            decoder_ids=decoder_ids,
            visible=visible,
        )


def _are_greedy(logits_NV: Tensor, slot: Tensor, target: Tensor) -> Tensor:
    """Whether each target is the first of the largest logits of its slot; few are, and `argmax` is slow on CPUs."""
    greedy = logits_NV[slot, target] == logits_NV.amax(-1)[slot]
    largest = torch.nonzero(greedy).flatten()
    greedy[largest] = logits_NV[slot[largest]].argmax(-1) == target[largest]
    return greedy


def _without_context(item: Item) -> Item:
    alone = tuple(replace(one, context="") for one in item.candidates)
    return replace(item, candidates=alone)


def _item_score(
    item: Item, made: Sequence[CandidateRows], results: Sequence[tuple[float, bool]]
) -> ItemScore:
    if not all(math.isfinite(value) for value, _ in results):
        raise PipelineError(f"item {item.id}: a log-likelihood is not finite: {results}")
    return ItemScore(
        id=item.id,
        gold=item.gold,
        log_likelihoods=tuple(value for value, _ in results),
        tokens=tuple(one.tokens for one in made),
        chars=tuple(len(one.text) for one in item.candidates),
        bytes=tuple(len(one.text.encode()) for one in item.candidates),
        greedy=tuple(greedy for _, greedy in results),
        cut_tokens=max(one.cut_tokens for one in made),
        merged=any(one.merged for one in made),
        cluster=item.cluster,
        group=item.group,
        rating=item.rating,
    )


@dataclass(frozen=True)
class _Waiting:
    """A row to compute, and all that is read off it, each with its owner."""

    row: ScoredRow
    scored: list[tuple[ScoredRow, int]]


@dataclass
class _Sums:
    """Rows that wait, by what they read, and the sums of each owner.

    Attributes:
        joins: Whether candidates that begin alike are read as one row.
    """

    joins: bool = False
    waiting: dict[tuple[object, ...], _Waiting] = field(default_factory=dict)
    parts: list[list[float]] = field(default_factory=list)
    greedy: list[bool] = field(default_factory=list)

    def add(self, candidates: Sequence[Sequence[ScoredRow]], prefix: tuple[int, ...]) -> list[int]:
        """Take the rows of the candidates of an item; returns the number of each candidate."""
        owners = range(len(self.parts), len(self.parts) + len(candidates))
        self.parts += [[] for _ in owners]
        self.greedy += [True] * len(owners)
        rows = [
            (_behind(row, prefix) if prefix else row, owner)
            for owner, own in zip(owners, candidates, strict=True)
            for row in own
        ]
        one_each = self.joins and len(rows) == len(owners)
        whole = joined([row for row, _ in rows], rounded) if one_each else None
        if whole is not None:
            read, parts = whole
            own = list(zip(parts, owners, strict=True))
            self.waiting.setdefault(read.inputs, _Waiting(read, [])).scored.extend(own)
            return list(owners)
        for row, owner in rows:
            self.waiting.setdefault(row.inputs, _Waiting(row, [])).scored.append((row, owner))
        return list(owners)

    def batches(self, max_rows: int) -> Iterator[list[_Waiting]]:
        """Rows of one padded length at a time."""
        by_size: dict[tuple[int, int, bool, bool], list[_Waiting]] = {}
        for one in self.waiting.values():
            size = (
                rounded(len(one.row.read)),
                rounded(len(one.row.written or ())),
                one.row.behind_prefix,
                bool(one.row.branches),
            )
            by_size.setdefault(size, []).append(one)
        for (read, written, _, _), rows in sorted(by_size.items(), key=lambda pair: pair[0]):
            fitting = _TOKENS_PER_BATCH // max(read + written, 1)
            step = _rows_step(rows[0].row)
            count = max(1, min(fitting, max_rows) // step * step, min(step, max_rows))
            for start in range(0, len(rows), count):
                yield rows[start : start + count]

    def count(
        self, owners: Sequence[int], likelihoods: Sequence[float], greedy: Sequence[bool]
    ) -> None:
        """Add what some tokens gave."""
        for owner, value, is_greedy in zip(owners, likelihoods, greedy, strict=True):
            self.parts[owner].append(value)
            self.greedy[owner] &= is_greedy

    def result(self, owner: int) -> tuple[float, bool]:
        """Log-likelihood of a candidate, and whether it is the greedy one."""
        # Exact, so that it does not matter in which order rows came.
        return math.fsum(self.parts[owner]), self.greedy[owner]


def _behind(row: ScoredRow, prefix: tuple[int, ...]) -> ScoredRow:
    """The row without the prefix, where it begins with it and nothing of the prefix is scored."""
    size = len(prefix)
    is_behind = len(row.read) > size and row.read[:size] == prefix and min(row.at) >= size
    if not is_behind:
        return row
    return replace(
        row,
        read=row.read[size:],
        at=tuple(position - size for position in row.at),
        behind_prefix=True,
    )


def rounded(length: int) -> int:
    """The padded length of a row: a function of its own length alone, at most an eighth more than it from 16 on."""
    step = _SHORTEST_STEP
    while 16 * step < length:
        step *= 2
    return -(-length // step) * step


def _rows_step(row: ScoredRow) -> int:
    """Batches of other numbers of rows are filled up with copies: their tokens are then whole blocks."""
    lengths = {rounded(len(row.read)), rounded(len(row.written or row.read))}
    return math.lcm(*(math.lcm(_TOKENS_STEP, length) // length for length in lengths))


def _padded(rows: Sequence[Sequence[int]], filler: int) -> tuple[Tensor, Tensor]:
    width = rounded(max(len(row) for row in rows))
    values = torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])
    real = torch.arange(width) < torch.tensor([len(row) for row in rows])[:, None]
    return values, real
