"""What came out of a run of a study, as its file has it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from schemas.errors import ContractError, PipelineError
from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text

State = Literal["done", "failed"]


@dataclass(frozen=True, kw_only=True)
class Documents:
    """A sum and a count for each held-out document, in the order of the split.

    Attributes:
        root: Root hash of the manifest whose split was read, and what else decides the labels.
        names: Id of each document.
        losses: Sum of the losses of its labels, in nats.
        labels: Number of its labels.
    """

    root: str
    names: tuple[str, ...]
    losses: tuple[float, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a run cost on the machine that ran it; a run that was taken up again counts what is in its weights.

    Attributes:
        seconds: Of all steps, by the clock.
        cpu_seconds: Of the process that trained and measured, all threads; NaN where it was killed between.
        tokens_per_second: Of the median step.
        memory_bytes: The most that the first rank held; None where it is not known.
    """

    seconds: float = math.nan
    cpu_seconds: float = math.nan
    tokens_per_second: float = math.nan
    memory_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a run.

    Attributes:
        name: Name of the run.
        fingerprint: Of the settings that it ran with.
        state: Whether it came to its end.
        why: What ended it, where it failed.
        value: The measure; NaN where it failed.
        documents: Losses of the held-out documents, where the measure reads them.
        tokens: Packed tokens that it read.
        figures: Other figures that were asked for, by name.
    """

    name: str
    fingerprint: str
    state: State
    why: str | None = None
    value: float = math.nan
    documents: Documents | None = None
    tokens: int = 0
    costs: Costs = Costs()
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether there is a measure."""
        return self.state == "done"


def exit_code(found: Mapping[str, Outcome]) -> int:
    """0 where every run came to its end; what a failed one would say is missing from the answer."""
    return 0 if all(one.is_done for one in found.values()) else PipelineError.exit_code


def write_outcome(path: Path, outcome: Outcome) -> None:
    """Write it at once: a reader finds no outcome or a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, json_text(asdict(outcome)) + "\n")


def read_outcome(path: Path) -> Outcome | None:
    """The outcome in a file; None where there is none.

    Raises:
        ContractError: The file is none of ours.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return _outcome(json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise ContractError(
            f"{path}: no outcome of a run ({error}); remove the file to run it again",
            entity=str(path),
        ) from error


def _outcome(found: dict[str, Any]) -> Outcome:
    documents = found.pop("documents")
    costs: dict[str, Any] = found.pop("costs")
    for name, figure in costs.items():
        if figure is None and name != "memory_bytes":
            costs[name] = math.nan
    value = found.pop("value")
    return Outcome(
        **found,
        value=math.nan if value is None else value,
        costs=Costs(**costs),
        documents=None
        if documents is None
        else Documents(
            root=documents["root"],
            names=tuple(documents["names"]),
            losses=tuple(math.nan if one is None else one for one in documents["losses"]),
            labels=tuple(documents["labels"]),
        ),
    )
