"""One token that an extension appends."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.vocabulary import Origin


@dataclass(frozen=True)
class AddedToken:
    """An entry behind the base's; its id is the base's size plus its index.

    `merge` is the pair that makes it (BPE), `score` its SentencePiece score, `parts` the number of
    tokens it was before it was added.
    """

    piece: str
    text: str
    origin: Origin
    merge: tuple[str, str] | None = None
    score: float | None = None
    parts: int = 1
