"""Tasks on one model, by all ranks: what is stored is not scored again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from train.distributed.world import World
from train.evaluation.cache import store, stored, task_key
from train.evaluation.load import LoadedTask
from train.evaluation.run_task import Scores, Share, TaskChoice, Write, evaluate_task


@dataclass(frozen=True, kw_only=True)
class StoredEvaluation:
    """Evaluates weights, and keeps the results.

    Attributes:
        folder: Where the results lie.
        identity: What figures are a function of besides task, choice and code: weights, tokenizer, reading.
        world: All ranks; each scores its share.
        open_scorer: Loads the weights; called only where a result is missing.
        write: Writes answers to prompts; None: answers are not written.
    """

    folder: Path
    identity: str
    world: World
    open_scorer: Callable[[], Scores]
    write: Write | None = None

    @cached_property
    def _scorer(self) -> Scores:
        return self.open_scorer()

    def of(
        self, loaded: LoadedTask, choice: TaskChoice, documents: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """The result of a task as JSON, on the first rank; nothing on the others. All ranks call it."""
        key = task_key(self.identity, loaded, choice, documents=documents)
        found = stored(self.folder, key)
        # One rank may see a file before another does.
        if self.world.any(found is None):
            share = Share(
                rank=self.world.rank, ranks=self.world.size, gather=self.world.gather_values
            )
            result = evaluate_task(
                loaded, self._scorer, choice, write=self.write, documents=documents, share=share
            )
            found = store(self.folder, key, result) if self.world.is_first else {}
        return found or {}
