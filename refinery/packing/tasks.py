"""Supervised tables as text to text: templates, targets and the mixing of tasks.

Source: Raffel et al. 2020, sections 2.3, 3.5.2 and appendix D; t5's data/preprocessors.py.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.errors import ContractError, SettingsError
from schemas.settings import Settings, nearest

_FIELD = re.compile(r"\{(\w+)\}")


class TaskConfig(Settings):
    """A table whose rows become inputs and targets."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    files: tuple[str, ...] = Field(min_length=1, description=".jsonl, .csv, .tsv or .parquet")
    input: str = Field(description="template: 'stsb sentence1: {sentence1} sentence2: {sentence2}'")
    target: str = Field(description="template of the target: '{label}'")
    target_kind: Literal["text", "score"] = Field(
        default="text",
        description="score: a number to the nearest 0.2 as text: 21 strings from 1.0 to 5.0",
    )
    labels: dict[str, str] | None = Field(
        default=None, description="what the target is called: {0: not_entailment, 1: entailment}"
    )


class TaskMixing(Settings):
    """Share of each task: its size up to a cap, to the power of 1 / temperature."""

    cap: int | None = Field(default=2**16, gt=0, description="examples; null: sizes as they are")
    temperature: float = Field(default=1.0, ge=1, description="1: by size; large: all alike")
    examples: int | None = Field(
        default=None, gt=0, description="in all; null: the sum of the capped sizes"
    )


class PairsRecipe(Settings):
    """A dataset of supervised rows."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    seed: int = 0
    output: str = Field(description="folder of the dataset")
    tokenizer: str = Field(description="folder")
    tasks: tuple[TaskConfig, ...] = Field(min_length=1)
    mixing: TaskMixing = TaskMixing()
    seq_len: int = Field(
        default=512, ge=8, description="input and target together, with both marks"
    )
    target_tokens: int = Field(
        default=128, ge=2, description="longer targets are cut, mark included"
    )
    heldout_fraction: float = Field(default=0.02, ge=0, lt=0.5)
    shard_tokens: int = Field(default=32_000_000, gt=0)
    row_group_rows: int = Field(default=256, gt=0)
    lanes: int = Field(default=48, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.target_tokens > self.seq_len - 2:
            raise ValueError(
                f"target_tokens {self.target_tokens} leave no input in {self.seq_len} tokens"
            )
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise ValueError(f"names of tasks must differ, got {names}")
        return self


def score_text(score: float) -> str:
    """What T5 writes for STS-B: the nearest fifth, with one decimal.

    From 1.0 to 5.0 these are the 21 strings of the paper; the data also hold scores below 1.
    """
    return f"{round(score * 5) / 5:.1f}"


def task_examples(task: TaskConfig) -> Iterator[tuple[str, str, str]]:
    """(id, input, target) of each row; the id is a hash of the task and both texts.

    Raises:
        SettingsError: A file or a field of a template that is not there.
        ContractError: A score that is no number, a label without a name.
    """
    for name in task.files:
        for place, row in enumerate(_rows(Path(name))):
            where = f"{name}: row {place + 1}"
            source = _filled(task.input, row, where)
            target = _target(task, _filled(task.target, row, where), where)
            digest = hashlib.sha256(f"{task.name}\x1f{source}\x1f{target}".encode()).hexdigest()
            yield digest[:32], source, target


def _target(task: TaskConfig, value: str, where: str) -> str:
    if task.labels is not None:
        if value not in task.labels:
            raise ContractError(
                f"{where}: label '{value}' has no name{nearest(value, set(task.labels))}"
            )
        value = task.labels[value]
    if task.target_kind == "text":
        return value
    try:
        return score_text(float(value))
    except ValueError as error:
        raise ContractError(f"{where}: '{value}' is no score") from error


def _filled(template: str, row: Mapping[str, Any], where: str) -> str:
    for field in _FIELD.findall(template):
        if field not in row:
            raise SettingsError(f"{where}: no field '{field}'{nearest(field, set(row))}")
    return _FIELD.sub(lambda match: str(row[match[1]]), template)


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.is_file():
        raise SettingsError(f"tasks: {path}: no such file")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
        return
    with path.open(encoding="utf-8", newline="") as lines:
        if path.suffix == ".jsonl":
            yield from (json.loads(line) for line in lines if line.strip())
        else:
            delimiter = "\t" if path.suffix == ".tsv" else ","
            # Published TSV tables (GLUE) hold bare quotation marks.
            is_bare = path.suffix == ".tsv"
            yield from csv.DictReader(
                lines,
                delimiter=delimiter,
                quoting=csv.QUOTE_NONE if is_bare else csv.QUOTE_MINIMAL,
            )


def mixing_rates(sizes: Sequence[int], mixing: TaskMixing) -> list[float]:
    """Share of each task; they sum to 1.

    Source: Raffel et al. 2020, section 3.5.2: r = min(size, cap), raised to 1 / temperature.
    """
    capped = [size if mixing.cap is None else min(size, mixing.cap) for size in sizes]
    powers = [float(size) ** (1 / mixing.temperature) for size in capped]
    return [power / sum(powers) for power in powers]


def epochs_of_tasks(sizes: Sequence[int], mixing: TaskMixing) -> list[float]:
    """Copies of each example of each task."""
    capped = [size if mixing.cap is None else min(size, mixing.cap) for size in sizes]
    total = mixing.examples or sum(capped)
    return [
        rate * total / size if size else 0.0
        for rate, size in zip(mixing_rates(sizes, mixing), sizes, strict=True)
    ]


def copies_of(doc_id: str, epochs: float, seed: int) -> int:
    """Whole copies, and one more by the hash of the id for the rest; nested in `epochs`."""
    digest = hashlib.sha256(f"{seed}\x1f{doc_id}".encode()).hexdigest()
    share = int(digest[:15], 16) / 16**15
    return int(epochs) + int(share < epochs - int(epochs))
