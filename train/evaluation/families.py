"""How each family of models reads a context and a candidate.

The objective that a model was trained with never makes the rows: it would mask or corrupt them.

- A decoder reads both from left to right. Both are encoded as one text and cut where the context's own
  tokens end, as lm-evaluation-harness does; where a token reaches over that border, what the context
  gave to it belongs to the candidates, to all of them alike.
- An encoder-decoder reads the context; the decoder writes the candidate (prefix form), behind a
  sentinel where it was trained on spans. In the sentinel form the encoder sees all that the candidates
  share, and the decoder writes the span in which they differ, and the sentinel that closes it.
- A BERT predicts no text from left to right: its pseudo-log-likelihood masks each token of a candidate
  in turn (Salazar et al. 2020), with the later tokens of the same word in the form `pll_word_l2r` (Kauf and
  Ivanova 2023): whoever sees the end of a rare word knows its beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.errors import ContractError
from train.evaluation.borders import cut_at_border, is_unspaced
from train.evaluation.items import Candidate
from train.evaluation.rows import CandidateRows, ScoredRow, shared_length, too_long

Ids = list[int]


@dataclass
class Codes:
    """A tokenizer of transformers, without the marks that it writes; texts are encoded once."""

    tokenizer: Any
    _known: dict[str, Ids] = field(default_factory=dict)

    def __call__(self, text: str) -> Ids:
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= 4096:
                self._known.clear()
            found = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
            self._known[text] = found
        return found

    def words(self, text: str) -> tuple[Ids, Ids]:
        """Ids, and for each of them the number of its word.

        Tokens that touch inside of letters or digits are of one word, but each character of a script
        without spaces is a word of its own; pieces of one character are never parted.
        """
        coded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        words: Ids = []
        reached = 0
        for start, end in coded["offset_mapping"]:
            inside = start < reached or (
                start == reached
                and bool(words)
                and _in_word(text[start - 1 : start])
                and _in_word(text[start : start + 1])
            )
            words.append(words[-1] + (not inside) if words else 0)
            reached = max(reached, end)
        return list(coded["input_ids"]), words


def _in_word(character: str) -> bool:
    return character.isalnum() and not is_unspaced(character)


def _parts(candidate: Candidate, before: str) -> tuple[str, str]:
    """Context and continuation; blanks at the context's end move to the continuation."""
    context = before + candidate.context
    stripped = context.rstrip()
    return stripped, context[len(stripped) :] + candidate.delimiter + candidate.text


@dataclass(frozen=True, kw_only=True)
class DecoderRows:
    """A decoder reads context and candidate one behind the other.

    Attributes:
        before: Ids that stand before every text: those that the tokenizer puts there.
        mark: Id that stands for an empty context; None where nothing is known to stand first.
        end: Id that ends a prompt, for a model of supervised pairs: prompt and candidate are then texts
            of their own.
        sees_prompt: Whether tokens of the context see each other, as in a prefix language model.
    """

    encode: Codes
    max_tokens: int
    before: tuple[int, ...] = ()
    mark: int | None = None
    end: int | None = None
    sees_prompt: bool = False

    @property
    def form(self) -> str:
        """How contexts and candidates are read."""
        whole = "the whole context seen" if self.sees_prompt else "from left to right"
        return f"candidates behind the context, {whole}"

    def prefix(self, before: str) -> tuple[int, ...]:
        """All tokens of the examples but the last, which may be one with what follows."""
        if self.end is not None or self.sees_prompt:
            return ()
        return (*self.before, *self.encode(before.rstrip())[:-1])

    def rows(self, candidates: Sequence[Candidate], before: str, where: str) -> list[CandidateRows]:
        """One row for each candidate."""
        split = [self._split(_parts(one, before), one, where) for one in candidates]
        merged = any(over for _, _, over in split)
        if merged:
            split = self._at_shared_border(candidates, before, split)
        rows = [
            self._row(context, target, one, where)
            for one, (context, target, _) in zip(candidates, split, strict=True)
        ]
        return [replace(one, merged=merged) for one in rows]

    def _split(
        self, parts: tuple[str, str], candidate: Candidate, where: str
    ) -> tuple[Ids, Ids, bool]:
        """Ids of context and continuation, and whether a token lies over the border."""
        context, continuation = parts
        if not context:
            target = self.encode(continuation)
            if self.before and self.end is None:
                return list(self.before), target, False
            if self.mark is None:
                raise ContractError(f"{where}: an empty context, and the model has no mark for it")
            return ([self.mark], target[1:], False) if target[:1] == [self.mark] else (
                [self.mark], target, False
            )  # fmt: skip
        own = self.encode(context)
        if self.end is not None:
            return [*self.before, *own, self.end], self.encode(candidate.text), False
        whole = self.encode(context + continuation)
        merged = whole[: len(own)] != own or len(whole) == len(own)
        return [*self.before, *own], whole[len(own) :], merged

    def _at_shared_border(
        self,
        candidates: Sequence[Candidate],
        before: str,
        split: Sequence[tuple[Ids, Ids, bool]],
    ) -> list[tuple[Ids, Ids, bool]]:
        """Cut each text behind what it shares with its context, candidates of one context alike."""
        result = list(split)
        by_context: dict[str, list[int]] = {}
        for index, one in enumerate(candidates):
            by_context.setdefault(one.context, []).append(index)
        for indices in by_context.values():
            parts = [_parts(candidates[index], before) for index in indices]
            if not parts[0][0]:
                continue
            whole = [self.encode("".join(part)) for part in parts]
            context, targets = cut_at_border(self.encode(parts[0][0]), whole)
            for index, target in zip(indices, targets, strict=True):
                start = [*self.before, *context]
                if not start and self.mark is not None:
                    start = [self.mark]
                result[index] = (start, target, False)
        return result

    def _row(self, context: Ids, target: Ids, candidate: Candidate, where: str) -> CandidateRows:
        if not target or not context:
            raise ContractError(f"{where}: the candidate {candidate.text[:40]!r} has no token")
        if len(target) > self.max_tokens:
            raise too_long(where, candidate.text, len(target), self.max_tokens)
        # The last token of a candidate is predicted, not read.
        cut = max(0, len(context) + len(target) - self.max_tokens - 1)
        kept = context[cut:]
        read = (*kept, *target[:-1])
        row = ScoredRow(
            read=read,
            at=tuple(range(len(kept) - 1, len(read))),
            wanted=tuple(target),
            visible=len(kept) if self.sees_prompt else 0,
        )
        return CandidateRows(rows=(row,), tokens=len(target), cut_tokens=cut)


@dataclass(frozen=True, kw_only=True)
class EncoderDecoderRows:
    """An encoder reads the context, and a decoder writes the candidate.

    Attributes:
        start: Id that the decoder begins with.
        end: Id that ends the encoder's input.
        sentinels: The first two sentinels: the first one stands for the candidate, the second closes
            it; none for a model that answers without them.
        shares_ends: Whether the encoder sees what all candidates of an item begin and end with.
    """

    encode: Codes
    max_tokens: int
    start: int
    end: int
    sentinels: tuple[int, ...] = ()
    shares_ends: bool = False

    @property
    def form(self) -> str:
        """How contexts and candidates are read."""
        if self.shares_ends:
            return "what candidates share read by the encoder, the differing span and its closing sentinel written"
        if self.sentinels:
            return (
                "contexts and the first sentinel read by the encoder, candidates written behind it"
            )
        return "contexts read by the encoder, candidates written by the decoder"

    def prefix(self, before: str) -> tuple[int, ...]:
        """An encoder sees both sides, so nothing can be computed before the rest is known."""
        return ()

    def rows(self, candidates: Sequence[Candidate], before: str, where: str) -> list[CandidateRows]:
        """One row for each candidate."""
        if self.shares_ends:
            return self._spans(candidates, before, where)
        return [
            self._row(self.encode(before + one.context), self.encode(one.text), (), one, where)
            for one in candidates
        ]

    def _spans(
        self, candidates: Sequence[Candidate], before: str, where: str
    ) -> list[CandidateRows]:
        whole = [
            self.encode(before + one.context + (one.delimiter if before + one.context else "") + one.text)
            for one in candidates
        ]  # fmt: skip
        if len(whole) == 1:
            first = len(self.encode(before + candidates[0].context))
            last = 0
        else:
            first = shared_length(whole)
            last = min(shared_length([ids[::-1] for ids in whole]), min(map(len, whole)) - first)
        return [
            self._row(ids[:first], ids[first : len(ids) - last], ids[len(ids) - last :], one, where)
            for ids, one in zip(whole, candidates, strict=True)
        ]

    def _row(
        self,
        context: Sequence[int],
        target: Sequence[int],
        behind: Sequence[int],
        candidate: Candidate,
        where: str,
    ) -> CandidateRows:
        blank, closing = self.sentinels[:1], self.sentinels[1:] if self.shares_ends else ()
        wanted = (*target, *closing)
        if not wanted:
            raise ContractError(f"{where}: the candidate {candidate.text[:40]!r} has no token")
        room = self.max_tokens - len(blank) - len(behind) - 1
        if len(blank) + len(wanted) > self.max_tokens or room < 0:
            raise too_long(where, candidate.text, len(wanted) + len(behind), self.max_tokens)
        cut = max(0, len(context) - room)
        row = ScoredRow(
            read=(*context[cut:], *blank, *behind, self.end),
            written=(self.start, *blank, *wanted[:-1]),
            at=tuple(range(len(blank), len(blank) + len(wanted))),
            wanted=wanted,
        )
        return CandidateRows(rows=(row,), tokens=len(wanted), cut_tokens=cut)


@dataclass(frozen=True, kw_only=True)
class EncoderRows:
    """A BERT reads context and candidate with some tokens of the candidate masked in each row.

    Attributes:
        hides_word: Whether later tokens of the same word are masked too (PLL-word-l2r).
    """

    encode: Codes
    max_tokens: int
    cls: int
    sep: int
    mask: int
    hides_word: bool = True

    @property
    def form(self) -> str:
        """How contexts and candidates are read."""
        if self.hides_word:
            return "PLL-word-l2r: each token masked in turn, with the later ones of its word"
        return "pseudo-log-likelihood: each token masked in turn"

    def prefix(self, before: str) -> tuple[int, ...]:
        """An encoder sees both sides, so nothing can be computed before the rest is known."""
        return ()

    def rows(self, candidates: Sequence[Candidate], before: str, where: str) -> list[CandidateRows]:
        """One row for each token of each candidate."""
        split = []
        for one in candidates:
            context = before + one.context
            ids, words = self.encode.words(context + (one.delimiter if context else "") + one.text)
            split.append((len(self.encode(context)), ids, words))
        contexts = [self.encode(before + one.context) for one in candidates]
        merged = any(ids[:size] != own for (size, ids, _), own in zip(split, contexts, strict=True))
        if merged:
            shared = min(
                shared_length([own, ids]) for (_, ids, _), own in zip(split, contexts, strict=True)
            )
            split = [(shared, ids, words) for _, ids, words in split]
        rows = [
            self._masked(size, ids, words, one, where)
            for one, (size, ids, words) in zip(candidates, split, strict=True)
        ]
        return [replace(one, merged=merged) for one in rows]

    def _masked(
        self, size: int, ids: Ids, words: Ids, candidate: Candidate, where: str
    ) -> CandidateRows:
        count = len(ids) - size
        if count < 1:
            raise ContractError(f"{where}: the candidate {candidate.text[:40]!r} has no token")
        cut = max(0, len(ids) + 2 - self.max_tokens)
        if cut > size:
            raise too_long(where, candidate.text, count, self.max_tokens - 2)
        whole = [self.cls, *ids[cut:], self.sep]
        rows = []
        for index in range(size, len(ids)):
            read = list(whole)
            at = index - cut + 1
            hidden = at + 1
            if self.hides_word:
                hidden += sum(word == words[index] for word in words[index + 1 :])
            read[at:hidden] = [self.mask] * (hidden - at)
            rows.append(ScoredRow(read=tuple(read), at=(at,), wanted=(whole[at],)))
        return CandidateRows(rows=tuple(rows), tokens=count, cut_tokens=cut)
