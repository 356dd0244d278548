"""The items of a task from its files: prompts, candidates, right answers; examples from another split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.benchmark_files import LETTERS, Row, plain_text, read_labels, read_rows
from schemas.errors import SettingsError
from schemas.settings import closest
from train.evaluation.borders import blank_between
from train.evaluation.items import Candidate, Item
from train.evaluation.task import (
    AUTO,
    ClassificationTask,
    ExampleSplit,
    GenerationTask,
    LastWordTask,
    MinimalPairsTask,
    MultipleChoiceTask,
    Task,
    TaskFiles,
)
from train.evaluation.templates import filled, listed


@dataclass(frozen=True, kw_only=True)
class LoadedTask:
    """A task with its items.

    Attributes:
        task: What the file says.
        items: All that are evaluated, in the order of the files.
        rows: The fields of each item, by id; programs are made of them.
        splits: The items that examples may be taken from.
    """

    task: Task
    items: tuple[Item, ...]
    rows: dict[str, Row]
    splits: tuple[Item, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shots:
    """The examples that stand before the prompts.

    Attributes:
        texts: Their text by file of the item; all items have that of "" where there is no other.
        ids: Ids of the examples, in their order, by the same keys.
    """

    texts: dict[str, str]
    ids: dict[str, tuple[str, ...]]

    def before(self, item: Item) -> str:
        """The text before an item's prompt."""
        return self.texts[item.file] if item.file in self.texts else self.texts.get("", "")


NO_SHOTS = Shots(texts={}, ids={})


def load_task(task: Task, folder: Path, *, examples: Path | None = None) -> LoadedTask:
    """Read the files of a task.

    Args:
        task: Paths in it are relative to `folder`.
        folder: Where the benchmarks lie.
        examples: A file of the task's own form to take examples from, instead of its split.

    Raises:
        SettingsError: A file or field is missing, or an answer is none of the choices.
    """
    rows = _rows(task.data, task, folder)
    split: TaskFiles | None = task.examples
    if examples is not None:
        split = task.data.model_copy(update={"path": str(examples.resolve()), "labels": None})
    others = [] if split is None else _rows(split, task, folder)
    return LoadedTask(
        task=task,
        items=tuple(make_item(task, row) for row in rows),
        rows={row.item_id: row for row in rows},
        splits=tuple(make_item(task, row) for row in others),
    )


def _rows(files: TaskFiles, task: Task, folder: Path) -> list[Row]:
    there = files.model_copy(update={"path": str(folder / files.path)})
    rows = read_rows(there, task.name)
    labels = read_labels(None if files.labels is None else str(folder / files.labels), task.name)
    if labels:
        if len(labels) != len(rows):
            raise SettingsError(f"task {task.name}: {len(labels)} labels for {len(rows)} items")
        for row, label in zip(rows, labels, strict=True):
            row.values["label"] = label
    for name, wanted in files.only.items():
        rows = [row for row in rows if _plain(row.value(name)) == _plain(wanted)]
    if not rows:
        raise SettingsError(f"task {task.name}: no item has {files.only}")
    seen: set[str] = set()
    for row in rows:
        if row.item_id in seen:
            raise SettingsError(f"{row.where}: the id '{row.item_id}' was there before")
        seen.add(row.item_id)
    return rows


def _plain(value: Any) -> str:
    return plain_text(value).strip().casefold()


def make_item(task: Task, row: Row) -> Item:
    """One item of a task.

    Raises:
        SettingsError: A field is missing, or the answer is none of the choices.
    """
    candidates, gold = _MAKERS[type(task)](task, row)
    named = {"file": row.file, "id": row.item_id}
    rated = isinstance(task, ClassificationTask) and task.rating
    return Item(
        id=row.item_id,
        candidates=tuple(candidates),
        gold=gold,
        cluster=None if task.cluster is None else filled(task.cluster, row, named),
        group=None if task.group is None else filled(task.group, row, named),
        rating=float(row.value(task.answer)) if rated else None,  # type: ignore[union-attr]
        file=row.file,
    )


Made = tuple[list[Candidate], tuple[int, ...]]


def _candidate(task: Task, context: str, text: str) -> Candidate:
    delimiter = task.delimiter
    if delimiter == AUTO:
        delimiter = blank_between(context, text)
    return Candidate(context=context, text=text, delimiter=delimiter)


def _multiple_choice(task: MultipleChoiceTask, row: Row) -> Made:
    if task.contexts is not None:
        contexts = _texts(task.contexts, row)
        assert task.continuation is not None, "checked by the settings"
        text = filled(task.continuation, row)
        made = [_candidate(task, context, text) for context in contexts]
        return made, (_answer(task, row, contexts),)
    assert task.choices is not None, "checked by the settings"
    choices = _texts(task.choices, row)
    letters = LETTERS[: len(choices)]
    lettered = "\n".join(f"{a}. {text}" for a, text in zip(letters, choices, strict=True))
    prompt = filled(task.prompt, row, {"lettered": lettered})
    scored = list(letters) if task.form == "letters" else choices
    return [_candidate(task, prompt, text) for text in scored], (_answer(task, row, choices),)


def _texts(given: str | Sequence[str], row: Row) -> list[str]:
    if isinstance(given, str):
        return listed(given, row)
    return [filled(template, row) for template in given]


def _answer(task: MultipleChoiceTask, row: Row, choices: Sequence[str]) -> int:
    value = row.value(task.answer)
    text = "" if isinstance(value, bool) or value is None else str(value).strip()
    index, hint = -1, ""
    if task.answer_is == "number":
        index = int(text) - task.first_answer if text.isdecimal() else -1
        expected = f"a number from {task.first_answer} to {task.first_answer + len(choices) - 1}"
    elif task.answer_is == "letter":
        index = LETTERS.find(text.upper()) if len(text) == 1 else -1
        expected = f"a letter from A to {LETTERS[len(choices) - 1]}"
    else:
        index = list(choices).index(text) if text in choices else -1
        expected, hint = "the text of a choice", closest(text, choices)
    if not 0 <= index < len(choices):
        raise SettingsError(
            f"{row.where}: field '{task.answer}': the answer {value!r} is none of {len(choices)} "
            f"choices; expected {expected}{hint}"
        )
    return index


def _minimal_pair(task: MinimalPairsTask, row: Row) -> Made:
    prompt = filled(task.prompt, row)
    texts = (filled(task.good, row), filled(task.bad, row))
    return [_candidate(task, prompt, text) for text in texts], (0,)


def _last_word(task: LastWordTask, row: Row) -> Made:
    if task.text is not None:
        prompt, _, target = filled(task.text, row).rpartition(" ")
    else:
        prompt, target = filled(task.prompt or "", row), filled(task.target or "", row)
    if not target.strip():
        raise SettingsError(f"{row.where}: there is nothing behind the last blank")
    return [_candidate(task, prompt, target)], (0,)


def _classification(task: ClassificationTask, row: Row) -> Made:
    values = list(task.classes)
    value = plain_text(row.value(task.answer)).strip()
    if task.rating:
        try:
            number = float(value)
        except ValueError:
            raise SettingsError(f"{row.where}: the rating {value!r} is no number") from None
        value = min(values, key=lambda one: abs(float(one) - number))
    if value not in values:
        raise SettingsError(
            f"{row.where}: field '{task.answer}': {value!r} is none of the classes {values}"
            f"{closest(value, values)}"
        )
    prompt = filled(task.prompt, row)
    made = [_candidate(task, prompt, word) for word in task.classes.values()]
    return made, (values.index(value),)


def _generation(task: GenerationTask, row: Row) -> Made:
    return [_candidate(task, filled(task.prompt, row), filled(task.reference, row))], (0,)


_MAKERS: dict[type, Callable[[Any, Row], Made]] = {
    MultipleChoiceTask: _multiple_choice,
    MinimalPairsTask: _minimal_pair,
    LastWordTask: _last_word,
    ClassificationTask: _classification,
    GenerationTask: _generation,
}


def choose_items(
    items: Sequence[Item], *, limit: int | None = None, per_cluster: int | None = None
) -> tuple[Item, ...]:
    """Some of the items, the same ones whatever their order: those of the smallest hashes of their ids.

    Args:
        items: All of them.
        limit: At most so many; a smaller limit takes a part of what a larger one takes.
        per_cluster: At most so many of each cluster.
    """
    kept = set(range(len(items)))
    ranked = sorted(kept, key=lambda index: _rank(items[index].id, 0))
    if per_cluster is not None:
        counts: dict[str | None, int] = {}
        chosen = []
        for index in ranked:
            cluster = items[index].cluster
            counts[cluster] = counts.get(cluster, 0) + 1
            if counts[cluster] <= per_cluster:
                chosen.append(index)
        ranked = chosen
    kept = set(ranked[:limit])
    return tuple(item for index, item in enumerate(items) if index in kept)


def _rank(item_id: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\0{item_id}".encode()).hexdigest()


def choose_shots(loaded: LoadedTask, evaluated: Sequence[Item], count: int, seed: int) -> Shots:
    """The examples before the prompts: a function of split, seed and number alone.

    More examples begin with those of fewer. An item that is evaluated is no example, and no example
    depends on which other items are evaluated unless it is one of them.

    Raises:
        SettingsError: There is no split, or it has too few items that are not evaluated.
    """
    if count == 0:
        return NO_SHOTS
    task = loaded.task
    if not loaded.splits:
        raise SettingsError(
            f"--shots {count}: give --examples FILE, in the form of the task's own file: task "
            f"{task.name} names no split for examples, and evaluated items are no examples"
        )
    asked = {item.answer for item in evaluated}
    by_file: dict[str, list[Item]] = {}
    same_file = isinstance(task.examples, ExampleSplit) and task.examples.same_file
    for item in loaded.splits:
        if item.answer not in asked:
            by_file.setdefault(item.file if same_file else "", []).append(item)
    files = sorted({item.file for item in evaluated}) if same_file else [""]
    first = isinstance(task.examples, ExampleSplit) and task.examples.order == "first"
    texts, ids = {}, {}
    for file in files:
        pool = by_file.get(file, [])
        if len(pool) < count:
            where = f" in {file}" if file else ""
            raise SettingsError(
                f"--shots {count}: task {task.name} has {len(pool)} examples{where} that are not "
                f"evaluated themselves; give at most {len(pool)}"
            )
        chosen = pool if first else sorted(pool, key=lambda item: _rank(item.id, seed))
        chosen = chosen[:count]
        texts[file] = "".join(item.answer + task.between for item in chosen)
        ids[file] = tuple(item.id for item in chosen)
    return Shots(texts=texts, ids=ids)
