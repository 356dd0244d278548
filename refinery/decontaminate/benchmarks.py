"""Benchmark files to items: the texts that documents are searched for, and questions for evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refinery.decontaminate.config import BenchmarkConfig, QuestionConfig
from refinery.sources.record import to_valid_text
from schemas.benchmark_files import (
    LETTERS,
    Row,
    benchmark_paths,
    first_rows,
    plain_text,
    read_labels,
    read_rows,
)
from schemas.errors import SettingsError


@dataclass(frozen=True)
class Item:
    """One benchmark item: the texts of the chosen fields, joined by line ends.

    `question`, `choices` and `answer` (number of the right choice) are there where the recipe says
    which fields hold them: evaluation scores these.
    """

    benchmark: str
    item_id: str
    text: str
    question: str | None = None
    choices: tuple[str, ...] = ()
    answer: int | None = None


def content_files(config: BenchmarkConfig) -> list[Path]:
    """All files that the items are a function of: those of the benchmark, and its labels."""
    labels = _labels_path(config)
    return [*benchmark_paths(config, config.name), *([Path(labels)] if labels else [])]


def read_items(config: BenchmarkConfig) -> list[Item]:
    """All items of a benchmark; ids of several files begin with the file's name.

    Raises:
        SettingsError: A file is missing, unreadable, empty, or has no such field.
    """
    rows = read_rows(config, config.name)
    labels = read_labels(_labels_path(config), config.name)
    if labels and len(labels) != len(rows):
        raise SettingsError(
            f"benchmark '{config.name}': {len(labels)} labels for {len(rows)} items"
        )
    given: list[str | None] = [*labels] or [None] * len(rows)
    return [_item(row, label, config) for row, label in zip(rows, given, strict=True)]


def check_benchmark(config: BenchmarkConfig) -> None:
    """See that the files are there and that the first item of each has the fields that are named.

    Raises:
        SettingsError: As `read_items`, for the first item of each file.
    """
    read_labels(_labels_path(config), config.name)
    for row in first_rows(config, config.name):
        _item(row, None, config)


def _labels_path(config: BenchmarkConfig) -> str | None:
    return config.multiple_choice.labels if config.multiple_choice else None


def _item(row: Row, label: str | None, config: BenchmarkConfig) -> Item:
    text = to_valid_text("\n".join(plain_text(row.value(name)) for name in config.fields))
    asked = config.multiple_choice
    if asked is None:
        return Item(config.name, row.item_id, text)
    choices = _choices([row.value(name) for name in asked.choices])
    given = label if label is not None else row.value(asked.answer) if asked.answer else None
    return Item(
        config.name,
        row.item_id,
        text,
        to_valid_text(plain_text(row.value(asked.question))),
        choices,
        _answer(given, choices, asked),
    )


def _choices(values: Sequence[Any]) -> tuple[str, ...]:
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    return tuple(to_valid_text(plain_text(value)) for value in values)


def _answer(value: Any, choices: Sequence[str], asked: QuestionConfig) -> int | None:
    """Number of the right choice; `None` where it is withheld or not one of them."""
    text = str(value).strip() if value is not None else ""
    index = -1
    if text.isdigit():
        index = int(text) - asked.first_answer
    elif len(text) == 1 and text.upper() in LETTERS:
        index = LETTERS.index(text.upper())
    if 0 <= index < len(choices):
        return index
    return list(choices).index(text) if text in choices else None
