"""Items that one model gets right and the other wrong, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from train.comparison.results import BITS, EvaluatedTask

SHOWN = 4
# Texts of items may be whole books; a page shows their ends.
TEXT_CHARS = 400


@dataclass(frozen=True, kw_only=True)
class Example:
    """An item on which two models differ.

    Attributes:
        context: The end of what stands before the candidates.
        candidates: Their texts, or what was written; empty where the file of items holds no texts.
        gold: Indices of the right ones.
        chosen: What each model chose, or wrote.
    """

    id: str
    context: str
    candidates: tuple[str, ...]
    gold: tuple[int, ...]
    chosen: tuple[str, str]


def won_and_lost(
    first: EvaluatedTask, other: EvaluatedTask, *, shown: int = SHOWN
) -> tuple[list[Example], list[Example], int, int]:
    """Items that only the other gets right, those that only the first does, and how many of each.

    They are spread evenly over the task, in the order of their ids; nothing is drawn.
    """
    figure = first.main_figure
    if figure == BITS:
        return [], [], 0, 0
    before = dict(zip((one.id for one in first.scores), first.earned(figure), strict=True))
    after = dict(zip((one.id for one in other.scores), other.earned(figure), strict=True))
    shared = sorted(set(before) & set(after))
    won = [name for name in shared if after[name] > before[name]]
    lost = [name for name in shared if after[name] < before[name]]
    lines = [{str(line["id"]): line for line in task.lines} for task in (first, other)]
    return (
        [_example(lines[0][name], lines[1][name], first) for name in _spread(won, shown)],
        [_example(lines[0][name], lines[1][name], first) for name in _spread(lost, shown)],
        len(won),
        len(lost),
    )


def _spread(names: Sequence[str], count: int) -> Iterator[str]:
    step = max(1, len(names) // count)
    return (names[index] for index in range(0, min(len(names), step * count), step))


def _example(line: dict[str, Any], other: dict[str, Any], task: EvaluatedTask) -> Example:
    candidates = tuple(str(text)[:TEXT_CHARS] for text in line.get("candidates", ()))
    return Example(
        id=str(line["id"]),
        context=str(line.get("context", ""))[-TEXT_CHARS:],
        candidates=candidates,
        gold=tuple(line["gold"]),
        chosen=(_chosen(line, candidates, task), _chosen(other, candidates, task)),
    )


def _chosen(line: dict[str, Any], candidates: Sequence[str], task: EvaluatedTask) -> str:
    if "text" in line:
        return str(line["text"])[:TEXT_CHARS]
    if task.summary["kind"] == "last_word":
        return "the right word" if line["greedy"][0] else "another word"
    values = line["log_likelihoods"]
    size = {"acc_norm": "chars"}.get(task.main_figure)
    if size is not None:
        values = [value / max(of, 1) for value, of in zip(values, line[size], strict=True)]
    index = values.index(max(values))
    return candidates[index] if index < len(candidates) else f"candidate {index + 1}"


def example_article(example: Example, names: tuple[str, str]) -> str:
    """An example as HTML; its texts are escaped."""
    right = ", ".join(
        example.candidates[index] if index < len(example.candidates) else f"candidate {index + 1}"
        for index in example.gold
    )
    context = f"<p><bdi>{escape(example.context)}</bdi></p>" if example.context.strip() else ""
    said = "".join(
        f"<dt>{escape(name)}</dt><dd><bdi>{escape(text)}</bdi></dd>"
        for name, text in (("right", right), *zip(names, example.chosen, strict=True))
    )
    return (
        f"<article><header>{escape(example.id)}</header>{context}"
        f'<dl class="answers">{said}</dl></article>'
    )
