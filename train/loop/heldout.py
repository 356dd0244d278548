"""The held-out loss of a run: when it is due, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.data.loader import SplitReader
from train.data.packed import PackedRows
from train.distributed.world import World
from train.evaluation.heldout import heldout_loss
from train.parallel.strategy import Strategy
from train.settings import EvaluationConfig

EVALUATION_NAME = "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class HeldoutEvaluation:
    """Loss on the held-out split, as often as the recipe asks.

    Attributes:
        config: None: never.
        open_split: Opens the held-out split; None where the dataset has no such rows.
        output: Folder of the run, for the figures at its end.
    """

    config: EvaluationConfig | None
    open_split: Callable[[], SplitReader] | None
    make_batch: Callable[[PackedRows], Any]
    strategy: Strategy
    world: World
    output: Path

    def after_step(self, done: int, *, is_last: bool) -> dict[str, Any]:
        """What to add to the record after `done` steps: the figures where they are due.

        All ranks call it together: each reads its share.
        """
        config = self.config
        if config is None or self.open_split is None:
            return {}
        is_due = config.every_steps is not None and done % config.every_steps == 0
        if not (is_due or is_last):
            return {}
        result = heldout_loss(
            self.strategy.parts[0],
            self.open_split(),
            self.make_batch,
            self.world,
            microbatch=config.microbatch,
            max_rows=config.max_rows,
            strategy=self.strategy,
        )
        figures = {"heldout": result.as_dict()}
        if self.world.is_first and is_last:
            text = json.dumps(figures, indent=1, ensure_ascii=False)
            (self.output / EVALUATION_NAME).write_text(text + "\n", encoding="utf-8")
        return figures
