"""Collect the documents of one shard in hash order, and cut them into rows by the layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refinery.packing.layouts import LAYOUTS, document_rows, drop_short_tail
from refinery.packing.sentences import PairWalk, pair_segments, sentence_rows
from refinery.packing.shard_rows import NO_CLASS, PackedShard, ShardForm, Tokens


@dataclass(frozen=True)
class Answer:
    """Where the target of a supervised row begins, and its labels.

    Attributes:
        target_start: Position of the first token of the target.
        class_label: Number of the class, NO_CLASS where the task has none.
        token_labels: Numbers of the tags of the first tokens; the others have none.
    """

    target_start: int
    class_label: int
    token_labels: Tokens


class ShardBuilder:
    """Collect the documents of one shard; memory is its tokens once (4 bytes each) plus names."""

    def __init__(self, form: ShardForm) -> None:
        self._form = form
        self._stream = bytearray()
        self._lengths: list[int] = []
        self._doc_ids: list[str] = []
        self._sources: list[str] = []
        self._copies: list[int] = []
        self._answers: list[Answer] = []
        self._token_labels: list[Tokens] = []
        self._starts: dict[str, list[Tokens]] = {name: [] for name in form.config.marks}

    def add(
        self,
        *,
        doc_id: str,
        source: str,
        copy: int,
        input_ids: Tokens,
        starts: Mapping[str, Tokens] | None = None,
        answer: Answer | None = None,
    ) -> None:
        """Append a document and its end mark.

        Args:
            doc_id: Id of the document.
            source: Name of its source.
            copy: Number of the copy.
            input_ids: Ids of its tokens, without an end mark.
            starts: By `config.marks`, the tokens at which something begins.
            answer: Target and labels, for the layout `pairs` alone.
        """
        eos = self._form.eos
        ids = input_ids if eos is None else np.append(input_ids, eos)
        self._stream += ids.astype(np.int32).tobytes()
        self._lengths.append(len(ids))
        if answer is not None:
            labels = np.full(len(ids), NO_CLASS, np.int32)
            labels[: len(answer.token_labels)] = answer.token_labels
            self._answers.append(answer)
            self._token_labels.append(labels)
        for name, known in self._starts.items():
            known.append((starts or {})[name])
        self._doc_ids.append(doc_id)
        self._sources.append(source)
        self._copies.append(copy)

    def finish(self) -> PackedShard:
        """Cut the collected documents into rows by the layout."""
        config = self._form.config
        lengths = np.array(self._lengths, np.int64)
        row_values: dict[str, npt.NDArray[np.int32]] = {}
        drawn = np.zeros(0, np.int64)
        match config.layout:
            case "sentences":
                starts = [own.astype(np.int64) for own in self._starts["sentence_starts"]]
                segments = sentence_rows(lengths, starts, config.seq_len)
            case "next_sentence":
                pairs = list(self._walk(lengths).pairs())
                segments = pair_segments(pairs)
                is_next = np.array([pair.is_next for pair in pairs], np.int32)
                second = segments.row_start[1::2].astype(np.int32)
                row_values = {"segment_b_start": second, "is_next": is_next}
                drawn = 2 * np.flatnonzero(is_next == 0) + 1
            case "pairs":
                segments = document_rows(lengths, config.seq_len)
                row_values = {
                    "target_start": np.array([a.target_start for a in self._answers], np.int32),
                    "class_label": np.array([a.class_label for a in self._answers], np.int32),
                }
            case _:
                segments = LAYOUTS[config.layout](lengths, config.seq_len)
        if config.layout == "concat" and not self._form.keep_tail:
            segments = drop_short_tail(segments, config.seq_len)
        return PackedShard(
            row_values=row_values,
            drawn=drawn,
            flags=self._flags(lengths),
            form=self._form,
            stream=np.frombuffer(self._stream, np.int32),
            lengths=lengths,
            segments=segments,
            doc_ids=self._doc_ids,
            sources=self._sources,
            copies=np.array(self._copies, np.int32),
        )

    def _walk(self, lengths: npt.NDArray[np.int64]) -> PairWalk:
        bounds = []
        for length, starts in zip(lengths.tolist(), self._starts["sentence_starts"], strict=True):
            inner = starts[(starts > 0) & (starts < length)].tolist()
            bounds.append([0, *inner, length] if length else [0])
        keys = [f"{d}\x1f{c}" for d, c in zip(self._doc_ids, self._copies, strict=True)]
        return PairWalk(
            sentences=bounds,
            keys=keys,
            seq_len=self._form.config.seq_len,
            short_fraction=self._form.config.short_fraction,
            seed=self._form.seed,
        )

    def _flags(self, lengths: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
        """Values of the optional columns for each token of the stream; an end mark begins a word."""
        firsts = np.cumsum(lengths) - lengths
        columns: dict[str, npt.NDArray[Any]] = {}
        if self._token_labels:
            columns["token_labels"] = np.concatenate(self._token_labels)
        for name, starts in self._starts.items():
            flags = np.zeros(int(lengths.sum()), np.bool_)
            for first, tokens in zip(firsts.tolist(), starts, strict=True):
                flags[first + tokens] = True
            if name == "word_starts" and self._form.eos is not None:
                flags[firsts + lengths - 1] = True
            columns[name] = flags
        return columns
