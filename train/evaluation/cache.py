"""Results of tasks on disk, found again by weights, task and code: nothing is scored twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from train.evaluation.load import LoadedTask
from train.evaluation.results import TaskResult
from train.evaluation.run_task import TaskChoice

# Lies beside weights, and is no part of them.
RESULT_NAME = "evaluation.json"
_PACKAGE = Path(__file__).resolve().parents[1]


@cache
def code_hash() -> str:
    """Hash of all code that figures are a function of."""
    digest = hashlib.sha256()
    folders = [_PACKAGE / name for name in ("evaluation", "model", "statistics")]
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def items_hash(loaded: LoadedTask) -> str:
    """Hash of a task and of all that its files hold; where they lie does not matter."""
    task = loaded.task.model_dump(mode="json", exclude={"data", "examples", "source"})
    order = None if loaded.task.examples is None else loaded.task.examples.order
    digest = hashlib.sha256(canonical_json([task, order]))
    for item in (*loaded.items, *loaded.splits):
        digest.update(json.dumps(asdict(item), sort_keys=True).encode())
    for row in loaded.rows.values():
        digest.update(json.dumps(row.values, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def task_key(
    weights: str,
    loaded: LoadedTask,
    choice: TaskChoice,
    *,
    documents: Mapping[str, int] | None = None,
) -> str:
    """What a result is a function of, as a hash.

    Args:
        weights: What names the weights, their tokenizer and the reading.
        loaded: The task with its items; where its files lie does not matter.
        choice: Which items and examples.
        documents: By item, how many documents hold it.
    """
    asked = {
        "weights": weights,
        "task": items_hash(loaded),
        "choice": asdict(choice),
        "documents": documents,
        "code": code_hash(),
    }
    return sha256_hex(canonical_json(asked))


def stored(folder: Path, key: str) -> dict[str, Any] | None:
    """The result of a key, where it is there and whole."""
    try:
        found: dict[str, Any] = json.loads((folder / f"{key[:24]}.json").read_text("utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    whole = found.get("key") == key and (folder / found["items_file"]).is_file()
    return found if whole else None


def store(folder: Path, key: str, result: TaskResult) -> dict[str, Any]:
    """Write a result, and the scores of its items beside it, the items first.

    Returns:
        The result as JSON, with its key and the name of the file that holds its items.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{key[:24]}.jsonl"
    lines = "".join(json_text(line) + "\n" for line in result.item_lines())
    plain = {"key": key, "items_file": name, **result.as_dict()}
    for file, text in ((name, lines), (f"{key[:24]}.json", json_text(plain, indent=1) + "\n")):
        written = folder / f"{file}.part"
        written.write_text(text, encoding="utf-8")
        written.replace(folder / file)
    return plain
