"""Append tokens to a BPE vocabulary, of characters or of bytes, so that each can be reached.

Each new piece is first encoded under the vocabulary so far. While that gives more than two tokens,
two neighbours are joined into a *support* token, ranked next; the piece itself comes last. Appended
ranks act only where nothing else applies, so what was one token stays one, and what is appended
later never stands in the way of what came before.

Every join holds a character of the new scripts (or, for bytes, a prefix that only they have), so
text without these characters is encoded by the base's ranks alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from refinery.vocabulary.extend.added_token import AddedToken
from refinery.vocabulary.extend.scripts import NewCharacters

CANNOT_MERGE = "cannot be joined without a token that other scripts would meet"
LACKS = "holds a character of another script that the base lacks"


@dataclass
class BpeVocabulary:
    """A BPE vocabulary that grows: its pieces, the ranks of its merges, and what was added.

    `by_text` is true for SentencePiece, where any pair whose join is a piece merges.
    """

    pieces: set[str]
    ranks: dict[str, int] | dict[tuple[str, str], int]
    by_text: bool
    added: list[AddedToken] = field(default_factory=list)

    def encode(self, piece: str) -> list[str]:
        """Tokens of a piece, symbols being its characters; equal ranks leftmost first."""
        tokens = list(piece)
        while len(tokens) > 1:
            best, index = None, 0
            for left in range(len(tokens) - 1):
                rank = self._rank(tokens[left], tokens[left + 1])
                if rank is not None and (best is None or rank < best):
                    best, index = rank, left
            if best is None:
                break
            tokens[index : index + 2] = [tokens[index] + tokens[index + 1]]
        return tokens

    def _rank(self, left: str, right: str) -> int | None:
        key = left + right if self.by_text else (left, right)
        return self.ranks.get(key)  # type: ignore[arg-type]

    def append(self, token: AddedToken) -> None:
        """Add a token behind all others."""
        self.pieces.add(token.piece)
        self.added.append(token)
        rank = len(self.ranks) + len(self.added) + 1
        if self.by_text:
            self.ranks[token.piece] = rank  # type: ignore[index]
        elif token.merge is not None:
            self.ranks[token.merge] = rank  # type: ignore[index]

    def undo(self, count: int) -> None:
        """Take back all added tokens behind the first `count`."""
        while len(self.added) > count:
            token = self.added.pop()
            self.pieces.discard(token.piece)
            self.ranks.pop(token.piece if self.by_text else token.merge, None)  # type: ignore[arg-type]


def append_piece(
    vocabulary: BpeVocabulary, piece: str, *, holds: Callable[[str], bool], text: str
) -> str | None:
    """Join neighbours until the piece is one token; returns the reason where that cannot be.

    Args:
        holds: Whether text without the new characters can never contain a given piece.
        text: What the piece stands for.
    """
    parts = tokens = vocabulary.encode(piece)
    while len(tokens) > 1:
        index = _first_allowed_merge(tokens, holds)
        if index is None:
            return CANNOT_MERGE
        left, right = tokens[index], tokens[index + 1]
        is_last = len(tokens) == 2
        vocabulary.append(
            AddedToken(
                piece=left + right,
                text=text if is_last else "",
                origin="new" if is_last else "support",
                merge=(left, right),
                parts=len(parts) if is_last else 2,
            )
        )
        tokens = vocabulary.encode(piece)
    return None


def _first_allowed_merge(tokens: list[str], holds: Callable[[str], bool]) -> int | None:
    return next((n for n in range(len(tokens) - 1) if holds(tokens[n] + tokens[n + 1])), None)


def append_characters(
    vocabulary: BpeVocabulary, characters: Iterable[str], new: NewCharacters
) -> str | None:
    """Give characters that are no symbol yet an entry of their own (character BPE)."""
    for character in characters:
        if character in vocabulary.pieces:
            continue
        if character not in new.characters:
            return LACKS
        vocabulary.append(AddedToken(piece=character, text=character, origin="support"))
    return None
