"""Questions on paragraphs out of files in SQuAD's form (DRCD, CMRC, SQuAD itself), as flat rows.

A paragraph carries many questions, and an article many paragraphs that share names and facts, so the split is by article.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from schemas.errors import ContractError

SplitName = Literal["train", "dev", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")
# Of ten articles one is dev and one is test.
_SHARES = 10


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with its first answer.

    Attributes:
        answers: All different answers that people gave, the first one first.
    """

    id: str
    article: str
    context: str
    question: str
    answer: str
    answers: tuple[str, ...]

    def as_row(self) -> dict[str, Any]:
        """The row as JSON holds it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class SplitQuestions:
    """Questions by split, and what became of the others.

    Attributes:
        left_out: Number of questions by the reason why they are none.
    """

    questions: dict[SplitName, list[Question]]
    left_out: Counter[str]


def read_questions(path: Path) -> Iterator[Question]:
    """The questions of a file in their order; one without an answer has none in `answers`.

    Raises:
        ContractError: It is not of SQuAD's form; the message says where.
    """
    try:
        data = json.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ContractError(f"{path}: cannot be read as JSON ({error})") from error
    for number, article in enumerate(_items(data, "data", str(path))):
        where = f"{path}: data[{number}]"
        name = str(_field(article, ("id", "title"), where))
        for index, paragraph in enumerate(_items(article, "paragraphs", where)):
            here = f"{where}.paragraphs[{index}]"
            context = str(_field(paragraph, ("context",), here))
            for at, asked in enumerate(_items(paragraph, "qas", here)):
                yield _question(asked, name, context, f"{here}.qas[{at}]")


def _question(asked: Any, article: str, context: str, where: str) -> Question:
    given = asked.get("answers", []) if isinstance(asked, dict) else []
    if not isinstance(given, list):
        raise ContractError(f"{where}: answers: expected a list, found {type(given).__name__}")
    texts = [str(_field(one, ("text",), f"{where}.answers")).strip() for one in given]
    answers = tuple(dict.fromkeys(text for text in texts if text))
    return Question(
        id=str(_field(asked, ("id",), where)),
        article=article,
        context=context,
        question=str(_field(asked, ("question",), where)),
        answer=answers[0] if answers else "",
        answers=answers,
    )


def _items(holder: Any, name: str, where: str) -> list[Any]:
    found = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(found, list):
        raise ContractError(f"{where}: no list '{name}'; expected a file in the form of SQuAD")
    return found


def _field(holder: Any, names: tuple[str, ...], where: str) -> Any:
    for name in names:
        if isinstance(holder, dict) and holder.get(name) is not None:
            return holder[name]
    raise ContractError(f"{where}: no field {' or '.join(map(repr, names))}")


def split_questions(
    files: list[Path], *, max_chars: int | None = None, seed: int = 0
) -> SplitQuestions:
    """Questions by the split of their article.

    Args:
        files: Files in SQuAD's form; an article that stands in two of them is one.
        max_chars: Longer paragraphs are left out, for a model that cuts them may lose the answer; None: all stay.
        seed: Decides which article is in which split.
    """
    questions: dict[SplitName, list[Question]] = {split: [] for split in SPLITS}
    left_out: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    for path in files:
        for one in read_questions(path):
            reason = _reason_against(one, max_chars)
            if reason is None and (one.context, one.question) in seen:
                reason = "asked before"
            if reason is not None:
                left_out[reason] += 1
                continue
            seen.add((one.context, one.question))
            questions[_split_of(one.article, seed)].append(one)
    return SplitQuestions(questions=questions, left_out=left_out)


def _reason_against(one: Question, max_chars: int | None) -> str | None:
    if not one.answer:
        return "no answer"
    if one.answer not in one.context:
        return "the answer is no part of the paragraph"
    if max_chars is not None and len(one.context) > max_chars:
        return f"a paragraph of more than {max_chars:,} characters"
    return None


def _split_of(article: str, seed: int) -> SplitName:
    digest = hashlib.sha256(f"{seed}\0{article}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") % _SHARES
    return {0: SPLITS[2], 1: SPLITS[1]}.get(share, SPLITS[0])
