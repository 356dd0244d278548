"""Tasks from the benchmark items that the refinery registered, with the clean subset beside each.

One line per item, as the stage `decontaminate` publishes it (docs/decontamination.md): `benchmark`,
`question`, `choices`, `answer`, and `documents`, how many training documents hold the item.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.errors import ContractError
from train.evaluation.multiple_choice import Question, read_task


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
            tasks[f"{name} (clean)"] = _questions(clean)
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
