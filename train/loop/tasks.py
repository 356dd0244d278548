"""Tasks while a model trains: scored from the checkpoint that was just published.

The checkpoint is the model, whatever the layout: each rank opens it whole and scores its share, so the figures
are those of `train evaluate`, to the bit, for every number of ranks.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.checkpoint.store import CheckpointStore
from train.distributed.world import World
from train.evaluation.config import ProbeName, TaskChoiceConfig, TasksConfig
from train.evaluation.load import LoadedTask, choose_items, choose_shots
from train.evaluation.open_scorer import open_scorer, weights_hash
from train.evaluation.open_tasks import TaskRequest, open_tasks
from train.evaluation.probes import probe_checkpoint
from train.evaluation.run_task import Scores, TaskChoice
from train.evaluation.stored import StoredEvaluation
from train.generation.open_model import open_weights, with_tokenizer
from train.objectives.config import parse_objective

logger = logging.getLogger(__name__)

TASKS_NAME = "tasks.jsonl"
_SHOWN = ("acc", "perplexity", "bits_per_byte")


@dataclass(frozen=True, kw_only=True)
class _Due:
    loaded: LoadedTask
    choice: TaskChoice
    documents: dict[str, int] | None


@dataclass(frozen=True, kw_only=True)
class TaskEvaluation:
    """The tasks of a run, as often as the recipe asks.

    Attributes:
        config: None: no tasks.
        store: The folder of the checkpoints.
        world: All ranks.
        output: Folder of the run; results lie in its `evaluation`, by step in `tasks.jsonl`.
    """

    config: TasksConfig | None
    store: CheckpointStore
    world: World
    output: Path

    def check(self) -> None:
        """Read all task files before the first step.

        Raises:
            SettingsError: A task, a file or a field is missing, or there are too few examples.
        """
        for due in (*self._at_checkpoints, *self._at_end):
            choice = due.choice
            items = choose_items(
                due.loaded.items, limit=choice.limit, per_cluster=choice.per_cluster
            )
            choose_shots(due.loaded, items, choice.shots, choice.seed)

    def after_step(
        self, done: int, *, is_last: bool, publish: Callable[[], None]
    ) -> dict[str, Any]:
        """What to add to the record after `done` steps: figures of the tasks that are due.

        Args:
            done: Steps that are done.
            is_last: Whether the run ends here.
            publish: Waits until the checkpoint is on disk.
        """
        due = self._due(done, is_last=is_last)
        if not due and not self._probes(done, is_last=is_last):
            return {}
        publish()
        return self._evaluate(done, due, is_last=is_last)

    def catch_up(self, done: int, *, is_last: bool) -> None:
        """Score the checkpoint that a run resumes from, where it was ended before that was done."""
        due = self._due(done, is_last=is_last)
        if done and (due or self._probes(done, is_last=is_last)):
            self._evaluate(done, due, is_last=is_last)

    def _due(self, done: int, *, is_last: bool) -> Sequence[_Due]:
        if is_last:
            return [*self._at_checkpoints, *self._at_end]
        return self._at_checkpoints if done % self.store.config.every_steps == 0 else ()

    def _probes(self, done: int, *, is_last: bool) -> Sequence[ProbeName]:
        is_due = is_last or done % self.store.config.every_steps == 0
        return self.config.probes if self.config is not None and is_due else ()

    @cached_property
    def _at_checkpoints(self) -> tuple[_Due, ...]:
        return () if self.config is None else self._open(self.config.at_checkpoints)

    @cached_property
    def _at_end(self) -> tuple[_Due, ...]:
        return () if self.config is None else self._open(self.config.at_end)

    def _open(self, choices: Sequence[TaskChoiceConfig]) -> tuple[_Due, ...]:
        assert self.config is not None, "no tasks are opened without settings"
        data, registered = self.config.data, self.config.registered
        due = []
        for choice in choices:
            request = TaskRequest(
                names=[choice.task],
                data=None if data is None else Path(data),
                registered=None if registered is None else Path(registered),
            )
            plain = TaskChoice(**choice.model_dump(exclude={"task"}))
            due += [
                _Due(loaded=loaded, choice=plain, documents=documents)
                for loaded, documents in open_tasks(request)
            ]
        return tuple(due)

    def _evaluate(self, done: int, due: Sequence[_Due], *, is_last: bool) -> dict[str, Any]:
        assert self.config is not None, "nothing is due without settings"
        path, reading = self.store.path(done), self.config.read
        evaluation = StoredEvaluation(
            folder=self.output / "evaluation",
            identity=f"{weights_hash(path)[0]}, {reading}, nothing written",
            world=self.world,
            open_scorer=lambda: self._scorer(path),
        )
        results = [evaluation.of(one.loaded, one.choice, one.documents) for one in due]
        probed: dict[str, Any] = {}
        probes = self._probes(done, is_last=is_last)
        if probes and self.world.is_first:
            folder = self.output / "evaluation"
            probed = probe_checkpoint(path, probes, folder, self.world.device)
        self.world.barrier()
        if not self.world.is_first:
            return {}
        self._write(done, results, probed)
        figures = {"tasks": {result["name"]: _figures(result) for result in results}}
        return {**figures, "probes": probed} if probed else figures

    def _scorer(self, path: Path) -> Scores:
        assert self.config is not None, "nothing is due without settings"
        weights = open_weights(path)
        weights.model.to(self.world.device)
        assert weights.state is not None, "a checkpoint has a state"
        objective = parse_objective(dict(weights.state["settings"].get("objective") or {}))
        return open_scorer(
            weights, with_tokenizer(weights), objective=objective, reading=self.config.read
        )

    def _write(self, done: int, results: Sequence[dict[str, Any]], probed: dict[str, Any]) -> None:
        """The results of a step as one line; a line of the same step is replaced."""
        path = self.output / TASKS_NAME
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        kept = [line for line in lines if json.loads(line)["step"] != done]
        more = {"probes": probed} if probed else {}
        kept.append(json_text({"step": done, "tasks": list(results), **more}))
        replace_text(path, "".join(line + "\n" for line in kept))
        for result in results:
            logger.info("step %d, %s: %s", done, result["name"], _figures(result))
        if copied := probed.get("copy"):
            saved = copied["saved"]
            logger.info(
                "step %d, copy: %.3f nats per token less where a string stands again (%.3f to %.3f)",
                done, saved["value"], saved["low"], saved["high"],
            )  # fmt: skip


def _figures(result: dict[str, Any]) -> dict[str, float]:
    return {
        name: round(result["metrics"][name]["value"], 6)
        for name in _SHOWN
        if name in result["metrics"]
    }
