"""What a rank says of the error that ends it: the fields that a verdict is made from."""

from __future__ import annotations

import errno
import re
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas.fingerprints import sha256_hex
from train.distributed.broken import is_of_collective

_OWN = Path(__file__).parents[1]
_MAX_MESSAGE_CHARS = 2_000


@dataclass(frozen=True, kw_only=True)
class Words:
    """The last words of a rank.

    Attributes:
        kind: Class of the error.
        bases: Names of the classes that it is derived from, its own included.
        frame: Innermost function of this package that it passed.
        number: `errno` of it, or of an error that it was raised from.
        entity: The one thing at fault that a rerun meets again, where the error names one.
        is_collective: Whether it rose in a call that needs all ranks.
        is_unrecoverable: Whether the error says that no rerun can help.
    """

    kind: str
    bases: tuple[str, ...]
    message: str
    frame: str
    number: int | None = None
    entity: str | None = None
    is_collective: bool = False
    is_unrecoverable: bool = False

    @classmethod
    def of(cls, error: BaseException) -> Words:
        """The words for an error."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename).is_relative_to(_OWN)]
        last = own[-1] if own else None
        at = f"{Path(last.filename).relative_to(_OWN.parent)}:{last.name}" if last else ""
        entity = getattr(error, "entity", None)
        return cls(
            kind=type(error).__name__,
            bases=tuple(base.__name__ for base in type(error).__mro__),
            message=str(error)[:_MAX_MESSAGE_CHARS],
            frame=at,
            number=_number(error),
            entity=None if entity is None else str(entity),
            is_collective=is_of_collective(error),
            is_unrecoverable=bool(getattr(error, "is_unrecoverable", False)),
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Words:
        return cls(**{**fields, "bases": tuple(fields["bases"])})


def _number(error: BaseException | None) -> int | None:
    """`errno` of the error or of one that it was raised from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if "EADDRINUSE" in str(error):  # torch's store says it in words alone
            return errno.EADDRINUSE
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


# What differs between two failures of one root: paths, addresses, hashes, numbers.
_VARYING = re.compile(
    r"(?:/[\w.@+-]+)+/?|0x[0-9a-fA-F]+|\b[0-9a-f]{12,}\b|\d+(?:\.\d+)?(?:e-?\d+)?"
)


def fingerprint(cause: str, words: Words | None) -> str:
    """Names the root of a failure, the same for each of its occurrences: 16 hexadecimal digits."""
    said = "" if words is None else f"{words.kind}|{_VARYING.sub('#', words.message)}|{words.frame}"
    return sha256_hex(f"{cause}|{said}".encode())[:16]
