"""Task files without a task of their own: JSON lines of questions, or items that the refinery registered.

A line of the first is `{"question": str, "choices": [str, ...], "answer": int}`; `answer` may also be the
choice's letter or text. Registered items (docs/decontamination.md) have the same fields, `benchmark`, `item`,
and `documents`: how many training documents hold the item.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from schemas.benchmark_files import LETTERS, Row
from schemas.errors import ContractError, SettingsError
from train.evaluation.load import LoadedTask, make_item
from train.evaluation.task import MultipleChoiceTask, TaskFiles

_UNKNOWN = "und"


def read_plain_tasks(
    paths: Sequence[Path], examples: Sequence[Path] = ()
) -> list[tuple[LoadedTask, dict[str, int] | None]]:
    """The tasks of all files by names that differ, with the documents that hold their items.

    Args:
        paths: Files of questions or of registered items.
        examples: One file of examples for all, or one for each: of the task's benchmark, or its only task.

    Raises:
        SettingsError: A file was given twice.
        ContractError: A line is no question, or no registered item can be scored.
    """
    known = [path.resolve() for path in paths]
    for path in paths:
        if known.count(path.resolve()) > 1:
            raise SettingsError(f"--tasks: {path} was given twice")
    by_file = [_read(path) for path in paths]
    names = [loaded.task.name for tasks in by_file for loaded, _ in tasks]
    splits = [_read(path) for path in examples] or [[] for _ in paths]
    if len(splits) == 1:
        splits *= len(paths)
    result = []
    for path, tasks, split in zip(paths, by_file, splits, strict=True):
        for loaded, documents in tasks:
            own = _examples(loaded, [one for one, _ in split])
            name = loaded.task.name
            if names.count(name) > 1:
                name = f"{_told_apart(path, paths)}:{name}"
            task = loaded.task.model_copy(update={"name": name})
            result.append((replace(loaded, task=task, splits=own), documents))
    return result


def read_documents(path: Path) -> dict[str, dict[str, int]]:
    """By benchmark and item, how many training documents hold it, of a file of registered items.

    Raises:
        ContractError: The file holds no registered items, or they were not searched for.
    """
    found: dict[str, dict[str, int]] = {}
    for row in _lines(path):
        try:
            benchmark, item, documents = (row[key] for key in ("benchmark", "item", "documents"))
        except KeyError as error:
            raise ContractError(f"{path}: no registered item, {error} is missing") from error
        if documents is None:
            raise ContractError(f"{path}: its items were not searched for in the documents yet")
        found.setdefault(benchmark, {})[item] = documents
    return found


def _examples(loaded: LoadedTask, split: Sequence[LoadedTask]) -> tuple[Any, ...]:
    named = [one.items for one in split if one.task.name == loaded.task.name]
    if named:
        return named[0]
    return split[0].items if len(split) == 1 else ()


def _read(path: Path) -> list[tuple[LoadedTask, dict[str, int] | None]]:
    lines = _lines(path)
    if lines and "benchmark" in lines[0]:
        return _registered(path, lines)
    if not lines:
        raise ContractError(f"{path}: holds no question")
    rows = [_row(line, path, line["_line"], str(index)) for index, line in enumerate(lines)]
    return [(_loaded(path.stem, path, rows), None)]


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    # Not splitlines: a JSON string may hold U+2028, at which that divides too.
    for number, text in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise ContractError(_no_question(path, number, text, error)) from error
        if not isinstance(record, dict):
            raise ContractError(_no_question(path, number, text, "no mapping"))
        lines.append({**record, "_line": number})
    return lines


def _no_question(path: Path, number: int, text: Any, error: object) -> str:
    shown = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    return (
        f"{path}:{number}: expected {{question, choices, answer}}, found {shown[:60]!r} ({error})"
    )


def _registered(
    path: Path, lines: Sequence[dict[str, Any]]
) -> list[tuple[LoadedTask, dict[str, int] | None]]:
    tasks: list[tuple[LoadedTask, dict[str, int] | None]] = []
    for name in sorted({line["benchmark"] for line in lines}):
        own = [line for line in lines if line["benchmark"] == name and line["answer"] is not None]
        if not own:
            continue
        rows = [
            _row(line, path, line["_line"], str(line.get("item", line["_line"]))) for line in own
        ]
        documents = {row.item_id: line["documents"] for row, line in zip(rows, own, strict=True)}
        known = all(count is not None for count in documents.values()) and any(documents.values())
        tasks.append((_loaded(name, path, rows), documents if known else None))
    if not tasks:
        raise ContractError(
            f"{path}: no item has an answer; name `multiple_choice` in the recipe's benchmarks"
        )
    return tasks


def _loaded(name: str, path: Path, rows: Sequence[Row]) -> LoadedTask:
    task = MultipleChoiceTask.model_construct(
        kind="multiple_choice",
        name=name,
        language=_UNKNOWN,
        source=str(path),
        data=TaskFiles(path=str(path)),
        prompt="{question}",
        choices="choices",
        answer="answer",
        delimiter="auto",
    )
    items = tuple(make_item(task, row) for row in rows)
    return LoadedTask(task=task, items=items, rows={row.item_id: row for row in rows})


def _row(record: dict[str, Any], path: Path, number: int, item_id: str) -> Row:
    """The fields of a line, with the answer as the choice's number."""
    try:
        question, given, answer = (record[key] for key in ("question", "choices", "answer"))
        choices = [str(choice) for choice in given]
    except (KeyError, TypeError) as error:
        plain = {key: value for key, value in record.items() if key != "_line"}
        raise ContractError(_no_question(path, number, plain, error)) from error
    index = answer
    if isinstance(answer, str):
        by_letter = LETTERS.find(answer.upper()) if len(answer) == 1 else -1
        index = choices.index(answer) if answer in choices else by_letter
    # `true` is no number of a choice: which of "yes" and "no" comes first is not known.
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(choices):
        raise ContractError(f"{path}:{number}: answer {answer!r} is none of {len(choices)} choices")
    values = {"question": str(question).rstrip(), "choices": choices, "answer": index}
    return Row(item_id=item_id, file=path.stem, where=f"{path}:{number}", values=values)


def _told_apart(path: Path, others: Sequence[Path]) -> str:
    """As many folders of a path as no other one ends with."""
    own = path.resolve().parts
    for count in range(2, len(own) + 1):
        end = own[-count:-1]
        if sum(other.resolve().parts[-count:-1] == end for other in others) == 1:
            return "/".join(end)
    return path.resolve().as_posix()  # two files of one folder, of which one holds many tasks
