"""A task as data: where its items lie, how they are asked, what counts as right.

Task files are YAML (`train/evaluation/tasks/*.yaml`, and any user's own). This module reads them;
`train.evaluation.load` turns the files that they name into items.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.benchmark_files import BenchmarkFiles
from schemas.errors import SettingsError
from schemas.settings import Settings, nearest, parse_settings
from schemas.yaml_files import read_yaml
from train.evaluation.templates import check_template

SHIPPED = Path(__file__).parent / "tasks"
AUTO = "auto"


def _checked(template: str) -> str:
    check_template(template)
    return template


Template = Annotated[str, AfterValidator(_checked)]


class TaskFiles(BenchmarkFiles):
    """The files of one split of a task."""

    labels: str | None = Field(
        default=None, description="file with one answer per line; items have it as field `label`"
    )
    only: dict[str, str] = Field(
        default_factory=dict, description="field -> the value of the items that are taken"
    )


class ExampleSplit(TaskFiles):
    """The split that few-shot examples are taken from; its items are never evaluated."""

    order: Literal["first", "drawn"] = Field(
        default="drawn", description="the first ones as published, or drawn by the seed"
    )
    same_file: bool = Field(
        default=False,
        description="take the examples of an item from the file of the same name (CMMLU's subjects)",
    )


class _Task(Settings):
    """What all kinds of tasks have."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="name of the task, and of its file"
    )
    benchmark: str | None = Field(
        default=None, description="the refinery's name of the benchmark; null: that of the task"
    )
    language: str = Field(description="language of the items, such as en or zh")
    source: str = Field(description="who published the task, and whose wording the prompt has")
    data: TaskFiles = Field(description="the files of the evaluated split")
    examples: ExampleSplit | None = Field(
        default=None, description="the split that examples are taken from; null: --examples"
    )
    cluster: Template | None = Field(
        default=None,
        description="items of one cluster (passage, paradigm) are no independent evidence",
    )
    group: Template | None = Field(
        default=None, description="heading in tables: a phenomenon, a subject"
    )
    delimiter: str = Field(
        default=" ",
        description="stands between prompt and answer; auto: a blank, but none beside Chinese",
    )
    between: str = Field(default="\n\n", description="stands behind each example")
    pmi: bool = Field(
        default=False, description="score the candidates after an empty context too (acc_pmi)"
    )


class MultipleChoiceTask(_Task):
    """Choices after one prompt, or one continuation after several contexts.

    `choices` is a field that holds a list, or a template for each choice. In prompts, `{lettered}` is
    the list of the choices, one a line, behind A., B., C.
    """

    kind: Literal["multiple_choice"]
    prompt: Template = ""
    choices: str | tuple[Template, ...] | None = None
    contexts: str | tuple[Template, ...] | None = Field(
        default=None, description="contexts that differ before one `continuation` (WinoGrande)"
    )
    continuation: Template | None = None
    answer: str = Field(description="field of the answer")
    answer_is: Literal["number", "letter", "text"] = Field(
        default="number", description="what the answer's field holds of the right choice"
    )
    first_answer: int = Field(default=0, description="number of the first choice: 0 or 1")
    form: Literal["cloze", "letters"] = Field(
        default="cloze", description="what is scored: the choices' texts, or A, B, C"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.choices is None) == (self.contexts is None):
            raise ValueError("give either choices, or contexts and a continuation")
        if (self.contexts is None) != (self.continuation is None):
            raise ValueError("contexts and continuation belong together")
        if self.contexts is not None and self.form == "letters":
            raise ValueError("form letters: contexts have no letters; give choices")
        return self


class MinimalPairsTask(_Task):
    """Two sentences that differ in one thing; the good one should be likelier."""

    kind: Literal["minimal_pairs"]
    prompt: Template = ""
    good: Template
    bad: Template


class LastWordTask(_Task):
    """The end of a text: what stands behind its last blank, or a target behind a prompt."""

    kind: Literal["last_word"]
    text: Template | None = None
    prompt: Template | None = None
    target: Template | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        pair = (self.prompt, self.target)
        if (self.text is None) == (pair == (None, None)) or (None in pair and self.text is None):
            raise ValueError("give either text, or prompt and target")
        return self


class ClassificationTask(_Task):
    """A class among few: the word of each class is scored behind the prompt.

    Where classes are numbers and `rating` names a field, people's numbers are compared with the mean
    of the classes, weighted by what the model gives to each.
    """

    kind: Literal["classification"]
    prompt: Template
    classes: dict[str, str] = Field(min_length=2, description="value of the answer -> its word")
    answer: str = Field(description="field that holds one of the values")
    rating: bool = Field(
        default=False, description="classes are numbers; answers are rounded to the nearest one"
    )

    @model_validator(mode="after")
    def _ratings_are_numbers(self) -> Self:
        if self.rating and not all(_is_number(value) for value in self.classes):
            raise ValueError(f"rating: classes must be numbers, found {sorted(self.classes)}")
        return self


class GenerationTask(_Task):
    """A text that the model writes, compared with references or run as a program."""

    kind: Literal["generation"]
    prompt: Template
    reference: Template = Field(description="the right answer, as examples show it")
    metrics: tuple[
        Literal["exact_match", "normalised_match", "f1", "bleu", "chrf", "pass_at_k"], ...
    ] = Field(min_length=1)
    until: tuple[str, ...] = Field(default=("\n\n",), description="texts that end an answer")
    max_new_tokens: int = Field(default=256, gt=0)
    extract: str | None = Field(
        default=None, description="regular expression; its last group is the answer in a text"
    )
    program: Template | None = Field(
        default=None, description="what is run for pass_at_k; {output} is what the model wrote"
    )
    samples: int = Field(default=1, gt=0, description="answers per item")
    temperature: float | None = Field(default=None, gt=0, description="null: the likeliest tokens")
    k: int = Field(default=1, gt=0, description="of pass_at_k")
    seconds: float = Field(default=5.0, gt=0, description="that a program may run")

    @model_validator(mode="after")
    def _programs(self) -> Self:
        if ("pass_at_k" in self.metrics) != (self.program is not None):
            raise ValueError("pass_at_k and program belong together")
        if self.k > self.samples:
            raise ValueError(f"k {self.k} needs as many samples, got samples {self.samples}")
        if self.samples > 1 and self.temperature is None:
            raise ValueError("several samples need a temperature; without one all are equal")
        return self


Task = MultipleChoiceTask | MinimalPairsTask | LastWordTask | ClassificationTask | GenerationTask
KINDS: dict[str, type[Any]] = {
    "multiple_choice": MultipleChoiceTask,
    "minimal_pairs": MinimalPairsTask,
    "last_word": LastWordTask,
    "classification": ClassificationTask,
    "generation": GenerationTask,
}


def parse_task(data: dict[str, Any], *, where: str) -> Task:
    """A task from the mapping of its file.

    Raises:
        SettingsError: With every mistake, and the nearest right field or kind.
    """
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        found = "missing" if kind is None else f"unknown '{kind}'"
        raise SettingsError(f"{where}: kind: {found}{nearest(str(kind), set(KINDS))}")
    task: Task = parse_settings(KINDS[kind], data, where=where)
    return task


def read_task(path: Path) -> Task:
    """Read a task file."""
    return parse_task(read_yaml(path), where=str(path))


def shipped_names() -> list[str]:
    """Names of the tasks that come with the trainer."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def find_task(name: str) -> Path:
    """The file of a shipped task.

    Raises:
        SettingsError: There is none; it names the nearest one.
    """
    path = SHIPPED / f"{name}.yaml"
    if not path.is_file():
        raise SettingsError(f"--tasks {name}: no such task{nearest(name, set(shipped_names()))}")
    return path


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
