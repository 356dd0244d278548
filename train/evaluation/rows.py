"""What a model reads of a candidate, and where its tokens are predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class ScoredRow:
    """What one row of a batch reads and predicts.

    Attributes:
        read: Ids that the model reads; behind the shared prefix where it is `behind_prefix`.
        at: Positions in `read` (in `written`, where there is one) that predict.
        wanted: The id to predict at each of them.
        written: Ids that a decoder over an encoder reads; None in other families.
        visible: Number of ids at the beginning that all others see.
        behind_prefix: Whether the shared prefix stands before it.
        branches: Of each id of `read`, the number of the text that it belongs to, 0 where all texts begin with
            it: the row holds several texts, of which none sees another. Empty: the row is one text.
    """

    read: tuple[int, ...]
    at: tuple[int, ...]
    wanted: tuple[int, ...]
    written: tuple[int, ...] | None = None
    visible: int = 0
    behind_prefix: bool = False
    branches: tuple[int, ...] = ()

    @property
    def inputs(self) -> tuple[object, ...]:
        """What the model sees; rows of equal inputs are computed once."""
        return self.read, self.written, self.visible, self.behind_prefix, self.branches


@dataclass(frozen=True, kw_only=True)
class CandidateRows:
    """The rows of a candidate, over which its log-likelihood is summed.

    Attributes:
        cut_tokens: Tokens at the context's beginning that did not fit.
        merged: Whether a token lay over the border of context and candidate.
    """

    rows: tuple[ScoredRow, ...]
    tokens: int
    cut_tokens: int = 0
    merged: bool = False


def shared_length(texts: Sequence[Sequence[int]]) -> int:
    """How many first tokens all texts have in common."""
    count = 0
    for tokens in zip(*texts, strict=False):
        if len(set(tokens)) > 1:
            break
        count += 1
    return count


def too_long(where: str, text: str, tokens: int, limit: int) -> ContractError:
    """The error for a candidate that leaves no room for any context."""
    return ContractError(
        f"{where}: the candidate {text[:40]!r} has {tokens:,} tokens, the model reads {limit:,} with what "
        "stands before; shorten it, or take a model with more positions"
    )
