"""Tasks from the benchmark items that the refinery registered, with the clean subset beside each.

One line per item, as the stage `decontaminate` publishes it (docs/decontamination.md): `benchmark`,
`question`, `choices`, `answer`, and `documents`, how many training documents hold the item.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.errors import ContractError, SettingsError
from train.evaluation.multiple_choice import Question, read_task

# Ends the name of a task of those items that no training document holds.
CLEAN = " (clean)"


def read_all_tasks(paths: Sequence[Path]) -> dict[str, list[Question]]:
    """The tasks of all files by names that differ: equal ones get the folders that tell them apart.

    Raises:
        SettingsError: A file was given twice.
        ContractError: A line is no task record, or no registered item can be scored.
    """
    known = [path.resolve() for path in paths]
    for path in paths:
        if known.count(path.resolve()) > 1:
            raise SettingsError(f"--tasks: {path} was given twice")
    by_file = [read_tasks(path) for path in paths]
    names = [name for tasks in by_file for name in tasks]
    tasks: dict[str, list[Question]] = {}
    for path, own in zip(paths, by_file, strict=True):
        for name, questions in own.items():
            is_shared = names.count(name) > 1
            tasks[f"{_told_apart(path, paths)}:{name}" if is_shared else name] = questions
    return tasks


def _told_apart(path: Path, others: Sequence[Path]) -> str:
    """As many folders of a path as no other one ends with."""
    own = path.resolve().parts
    for count in range(2, len(own) + 1):
        end = own[-count:-1]
        if sum(other.resolve().parts[-count:-1] == end for other in others) == 1:
            return "/".join(end)
    return path.resolve().as_posix()  # two files of one folder, of which one holds many tasks


def examples_of(
    tasks: dict[str, list[Question]], paths: Sequence[Path], files: Sequence[Path]
) -> dict[str, list[Question]]:
    """The examples of each task: of the one file, of the task's own, or the benchmark of its name.

    Args:
        tasks: The tasks, as `read_all_tasks` names them.
        paths: The files that they came from.
        files: One file of examples for all of them, or one for each.
    """
    if not files:
        return {}
    names = list(tasks)
    by_task: dict[str, list[Question]] = {}
    per_file = list(files) * len(paths) if len(files) == 1 else list(files)
    for path, file in zip(paths, per_file, strict=True):
        own = list(read_tasks(path))
        found = read_tasks(file)
        for key, name in zip(own, names[: len(own)], strict=True):
            only = next(iter(found.values())) if len(found) == 1 else []
            by_task[name] = found.get(key.removesuffix(CLEAN), only)
        names = names[len(own) :]
    return by_task


def read_tasks(path: Path) -> dict[str, list[Question]]:
    """Tasks by name: one of a plain task file, or every benchmark of a file of registered items.

    A benchmark of which the corpus holds items gives a second task `<name> (clean)` of the others.

    Raises:
        ContractError: A line is no task record, or no registered item can be scored.
    """
    with path.open(encoding="utf-8") as lines:
        first = lines.readline()
        if '"benchmark"' not in first:
            return {path.stem: read_task(path)}
        items = [json.loads(line) for line in [first, *lines] if line.strip()]
    tasks: dict[str, list[Question]] = {}
    for name in sorted({item["benchmark"] for item in items}):
        own = [item for item in items if item["benchmark"] == name and item["answer"] is not None]
        clean = [item for item in own if not item["documents"]]
        if own:
            tasks[name] = _questions(own)
        if clean and len(clean) < len(own):
            tasks[f"{name}{CLEAN}"] = _questions(clean)
    if not tasks:
        raise ContractError(
            f"{path}: no item has an answer; name `multiple_choice` in the recipe's benchmarks"
        )
    return tasks


def _questions(items: Sequence[dict[str, Any]]) -> list[Question]:
    return [
        Question(question=i["question"], choices=tuple(i["choices"]), answer=i["answer"])
        for i in items
    ]
