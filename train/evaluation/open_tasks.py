"""From what a user names to tasks with items: shipped tasks, task files, plain questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import SettingsError
from schemas.settings import nearest
from train.evaluation.load import LoadedTask, load_task
from train.evaluation.plain_tasks import read_documents, read_plain_tasks
from train.evaluation.task import find_task, read_task, shipped_names

Opened = list[tuple[LoadedTask, dict[str, int] | None]]


@dataclass(frozen=True, kw_only=True)
class TaskRequest:
    """What a user asks for.

    Attributes:
        names: Shipped tasks by name; task files (`.yaml`); files of questions (`.jsonl`).
        data: The folder that the paths of shipped tasks begin in; None: the working directory. Those of
            a user's task file begin where that file lies.
        examples: Files to take examples from: one for all, or one for each.
        registered: The refinery's items.jsonl, which says what the training documents hold.
    """

    names: Sequence[str]
    data: Path | None = None
    examples: Sequence[Path] = ()
    registered: Path | None = None


def open_tasks(request: TaskRequest) -> Opened:
    """All tasks of a request, those of task files first.

    Raises:
        SettingsError: There is no such task or file, or a file lacks a field.
        ContractError: A file of questions holds something else.
    """
    names = list(request.names)
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise SettingsError(f"--tasks: {doubled[0]} was given twice")
    if len(request.examples) not in (0, 1, len(names)):
        raise SettingsError(
            f"--examples: {len(request.examples)} files for {len(names)} of --tasks; give one for "
            "all, or one for each"
        )
    known = None if request.registered is None else read_documents(request.registered)
    per_name = list(request.examples) * (len(names) if len(request.examples) == 1 else 1)
    opened: Opened = []
    plain: list[Path] = []
    plain_examples: list[Path] = []
    for index, name in enumerate(names):
        examples = per_name[index] if per_name else None
        path = task_path(name)
        if is_plain(path):
            plain.append(path)
            plain_examples += [] if examples is None else [examples]
            continue
        task = read_task(path)
        is_shipped = path == _shipped(name)
        folder = (request.data or Path()) if is_shipped else path.parent
        if is_shipped and request.data is None and not (folder / task.data.path).exists():
            raise SettingsError(
                f"--tasks {name}: its items lie at {task.data.path} below a folder of benchmarks; give "
                "that folder as --data"
            )
        loaded = load_task(task, folder, examples=examples)
        benchmark = task.benchmark or task.name
        opened.append((loaded, None if known is None else known.get(benchmark)))
    if plain:
        opened += read_plain_tasks(plain, plain_examples)
    return opened


def is_plain(path: Path) -> bool:
    """Whether a file holds questions, instead of saying where they are and how they are asked."""
    return path.suffix not in (".yaml", ".yml")


def task_path(name: str) -> Path:
    """The file that a name means.

    Raises:
        SettingsError: There is neither a file nor a shipped task of the name; the nearest one is named.
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix or "/" in name:
        raise SettingsError(f"--tasks: no such file: {name}{_meant(path.stem)}")
    return find_task(name)


def _meant(stem: str) -> str:
    hint = nearest(stem, set(shipped_names()))
    return hint if "did you mean" in hint else ""


def _shipped(name: str) -> Path | None:
    return None if Path(name).is_file() else find_task(name)
