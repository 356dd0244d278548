"""Evaluate a task: examples in front, candidates scored or answers written, each rank its share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from train.evaluation.items import Item, ItemScore, WrittenItem
from train.evaluation.load import LoadedTask, choose_items, choose_shots
from train.evaluation.results import TaskResult
from train.evaluation.task import GenerationTask
from train.evaluation.written import corpus_metrics, cut_at, judge

logger = logging.getLogger(__name__)


class Scores(Protocol):
    """What gives log-likelihoods: a model, or counted n-grams."""

    @property
    def form(self) -> str:
        """How contexts and candidates are read."""

    def score(
        self, items: Sequence[Item], *, before: Sequence[str] | None = None, pmi: bool = False
    ) -> list[ItemScore]:
        """Scores of the candidates of each item."""


Write = Callable[[Sequence[str], GenerationTask], list[list[str]]]
Gather = Callable[[Any], list[Any]]


@dataclass(frozen=True, kw_only=True)
class TaskChoice:
    """Which items of a task are evaluated, and behind which examples.

    Attributes:
        shots: Number of examples.
        seed: Of the examples that are drawn.
        limit: Items at most; None: all.
        per_cluster: Items of each cluster at most; None: all.
    """

    shots: int = 0
    seed: int = 1234
    limit: int | None = None
    per_cluster: int | None = None


@dataclass(frozen=True, kw_only=True)
class Share:
    """The items of one of several ranks, and how results come together.

    Attributes:
        gather: Gives what every rank gave, in the order of ranks.
    """

    rank: int = 0
    ranks: int = 1
    gather: Gather = lambda own: [own]

    def of(self, items: Sequence[Any]) -> list[Any]:
        """Every item of this rank."""
        return list(items[self.rank :: self.ranks])

    def together(self, own: Sequence[Any], count: int) -> list[Any]:
        """The results of all ranks in the order of the items."""
        parts = self.gather(list(own))
        return [parts[index % self.ranks][index // self.ranks] for index in range(count)]


def evaluate_task(
    loaded: LoadedTask,
    scorer: Scores,
    choice: TaskChoice,
    *,
    write: Write | None = None,
    documents: Mapping[str, int] | None = None,
    share: Share | None = None,
) -> TaskResult:
    """Score a task; the figures do not depend on the number of ranks.

    Args:
        loaded: The task with its items.
        scorer: Scores the candidates.
        choice: Which items and examples.
        write: Writes answers to prompts; None: tasks of generation get the likelihood of the reference
            alone.
        documents: By item, how many training documents hold it; None where that is not known.
        share: This rank's share; None: all.

    Raises:
        SettingsError: There are not enough examples.
        ContractError: An item does not fit the model.
    """
    share = share or Share()
    items = choose_items(loaded.items, limit=choice.limit, per_cluster=choice.per_cluster)
    shots = choose_shots(loaded, items, choice.shots, choice.seed)
    own = share.of(items)
    before = [shots.before(item) for item in own]
    scores = share.together(scorer.score(own, before=before, pmi=loaded.task.pmi), len(items))
    written: list[WrittenItem] = []
    corpus = None
    if isinstance(loaded.task, GenerationTask) and write is not None:
        answers = _answers(loaded.task, own, before, write)
        judged = [judge(loaded, item, texts) for item, texts in zip(own, answers, strict=True)]
        written = share.together(judged, len(items))
        corpus = corpus_metrics(loaded.task, written)
    clean = None
    if documents is not None:
        known = {item.id: _documents(documents, item) for item in items}
        clean = frozenset(name for name, count in known.items() if count == 0)
    result = TaskResult(
        name=loaded.task.name,
        kind=loaded.task.kind,
        language=loaded.task.language,
        form=scorer.form,
        shots=choice.shots,
        examples=shots.ids,
        scores=tuple(scores),
        written=tuple(written),
        clean=clean,
        corpus=corpus,
        items=tuple(items),
    )
    warnings = _warnings(result, documents, items)
    for warning in warnings:
        logger.warning("%s: %s", loaded.task.name, warning)
    return replace(result, warnings=warnings)


def _answers(
    task: GenerationTask, items: Sequence[Item], before: Sequence[str], write: Write
) -> list[list[str]]:
    """The answers to each item, cut at the task's stops."""
    prompts = [text + item.candidates[0].context for text, item in zip(before, items, strict=True)]
    return [[cut_at(text, task.until) for text in texts] for texts in write(prompts, task)]


def _documents(documents: Mapping[str, int], item: Item) -> int | None:
    """How many documents hold the item; a benchmark of several files has the file in its ids."""
    return documents.get(f"{item.file}/{item.id}", documents.get(item.id))


def _warnings(
    result: TaskResult, documents: Mapping[str, int] | None, items: Sequence[Item]
) -> tuple[str, ...]:
    warnings = []
    cut = sum(one.cut_tokens > 0 for one in result.scores)
    if cut:
        warnings.append(f"{cut} of {len(result.scores)} prompts lost their beginning: too long")
    merged = sum(one.merged for one in result.scores)
    if merged:
        warnings.append(
            f"{merged} items had a token over the border of prompt and answer, scored with the answer"
        )
    bad = [one.outcome for one in result.written if one.outcome not in ("ok", "failed")]
    if bad:
        ended = ", ".join(f"{bad.count(name)} {name}" for name in sorted(set(bad)))
        warnings.append(f"programs that did not run to their end: {ended}")
    if documents is not None:
        lacking = sum(_documents(documents, item) is None for item in items)
        if lacking:
            warnings.append(
                f"{lacking} items are unknown to the refinery, so not in the clean subset"
            )
    return tuple(warnings)
