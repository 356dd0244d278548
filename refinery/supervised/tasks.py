"""Supervised tables as text to text: templates, targets and the mixing of tasks.

Source: Raffel et al. 2020, sections 2.3, 3.5.2 and appendix D; t5's data/preprocessors.py.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
        default=None,
        description="what the target is called, which also numbers the classes: "
        "{0: not_entailment, 1: entailment}",
    )
    words: str | None = Field(
        default=None, description="field with a list of words, put where the input says {words}"
    )
    tags: str | None = Field(
        default=None,
        description="field with the list of their tags, put where the target says {tags}",
    )
    tag_names: tuple[str, ...] = Field(default=(), description="tags in the order of their numbers")

    @model_validator(mode="after")
    def _words_have_tags(self) -> Self:
        if (self.words is None) != (self.tags is None) or (self.words is None) != (
            not self.tag_names
        ):
            raise ValueError("words, tags and tag_names are given together or not at all")
        if self.words is not None and self.input.count("{words}") != 1:
            raise ValueError("the input template needs {words} once")
        return self


class TaskMixing(Settings):
    """How tasks share the dataset: a task's share is its size up to a cap, to the power 1 / temperature."""

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
    max_examples: int | None = Field(
        default=None,
        gt=0,
        description="training examples of each task, the first by hash: a smaller number gives a part of a "
        "larger one's; null: all",
    )
    shard_tokens: int = Field(default=32_000_000, gt=0)
    row_group_rows: int = Field(default=256, gt=0)
    lanes: int = Field(default=48, gt=0)

    @property
    def labels(self) -> tuple[Literal["class_label", "token_labels"], ...]:
        """Names of the label columns that at least one task fills."""
        has_classes = any(task.labels is not None for task in self.tasks)
        has_tags = any(task.words is not None for task in self.tasks)
        classes: tuple[Literal["class_label"], ...] = ("class_label",) if has_classes else ()
        tags: tuple[Literal["token_labels"], ...] = ("token_labels",) if has_tags else ()
        return (*classes, *tags)

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
    """Write a score as T5 does for STS-B: the nearest fifth, with one decimal.

    From 1.0 to 5.0 these are the 21 strings of the paper; the data also hold scores below 1.
    """
    return f"{round(score * 5) / 5:.1f}"


@dataclass(frozen=True)
class TaskExample:
    """One row of a task as text.

    Attributes:
        doc_id: A hash of the task and both texts.
        source: Text that the model reads.
        target: Text that it is to write.
        class_label: Number of the label; None where the task has no `labels`.
        tags: (code point in the input, number of the tag) of each word.
    """

    doc_id: str
    source: str
    target: str
    class_label: int | None = None
    tags: tuple[tuple[int, int], ...] = ()


def task_examples(task: TaskConfig) -> Iterator[TaskExample]:
    """Each row of a task's files.

    Raises:
        SettingsError: A file or a field of a template that is not there.
        ContractError: A score that is no number, a label without a name.
    """
    for name in task.files:
        for number, row in enumerate(_rows(Path(name))):
            where = f"{name}: row {number + 1}"
            tags: tuple[tuple[int, int], ...] = ()
            if task.words is not None:
                row, tags = _with_words(task, row, where)
            source = _filled(task.input, row, where)
            value = _filled(task.target, row, where)
            target = _target(task, value, where)
            label = None if task.labels is None else [*task.labels].index(value)
            digest = hashlib.sha256(f"{task.name}\x1f{source}\x1f{target}".encode()).hexdigest()
            yield TaskExample(digest[:32], source, target, label, tags)


def _with_words(
    task: TaskConfig, row: Mapping[str, Any], where: str
) -> tuple[Mapping[str, Any], tuple[tuple[int, int], ...]]:
    """The row with `words` and `tags` as text, and where each word lies in the input."""
    words, tags = row.get(task.words or ""), row.get(task.tags or "")
    if not isinstance(words, list) or not isinstance(tags, list) or len(words) != len(tags):
        raise ContractError(
            f"{where}: fields '{task.words}' and '{task.tags}' are no lists of one length"
        )
    unknown = sorted({str(tag) for tag in tags} - set(task.tag_names))
    if unknown:
        raise ContractError(f"{where}: tag '{unknown[0]}' is not in tag_names {task.tag_names}")
    whole = {**row, "words": " ".join(words), "tags": " ".join(map(str, tags))}
    before, _ = task.input.split("{words}")
    offset, located = len(_filled(before, row, where)), []
    for word, tag in zip(words, tags, strict=True):
        located.append((offset, task.tag_names.index(str(tag))))
        offset += len(word) + 1
    return whole, tuple(located)


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
    """Copies of an example: the whole epochs, and one more where its hash lies below the rest.

    More epochs never take a copy away.
    """
    digest = hashlib.sha256(f"{seed}\x1f{doc_id}".encode()).hexdigest()
    share = int(digest[:15], 16) / 16**15
    return int(epochs) + int(share < epochs - int(epochs))
