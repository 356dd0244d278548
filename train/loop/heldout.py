"""The held-out loss of a run: when it is due, and what is written."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas.errors import PipelineError
from schemas.plain_json import json_text
from train.data.loader import SplitReader
from train.distributed.world import World
from train.evaluation.chosen_rows import Int64s, choose_rows
from train.evaluation.heldout import EvaluationBatches, heldout_loss
from train.parallel.strategy import Strategy
from train.sections import section
from train.settings import EvaluationConfig

logger = logging.getLogger(__name__)

EVALUATION_NAME = "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class HeldoutEvaluation:
    """Loss on the held-out split, as often as the recipe asks.

    Attributes:
        config: None: never.
        open_split: Opens the held-out split; None where the dataset has no such rows.
        batches: Make the batches of an evaluation.
        output: Folder of the run, for the figures at its end.
    """

    config: EvaluationConfig | None
    open_split: Callable[[], SplitReader] | None
    batches: EvaluationBatches
    strategy: Strategy
    world: World
    output: Path

    @cached_property
    def rows(self) -> Int64s | None:
        """The rows that each evaluation reads; None: all."""
        if self.config is None or self.config.max_rows is None or self.open_split is None:
            return None
        data = self.open_split()
        return choose_rows(data.reader.tokens_by_source(), self.config.max_rows)

    def after_step(self, done: int, *, is_last: bool) -> dict[str, Any]:
        """What to add to the record after `done` steps: the figures where they are due.

        All ranks call it together: each reads its share.

        Raises:
            PipelineError: The loss at the end of the run is no number.
        """
        config = self.config
        if config is None or self.open_split is None:
            return {}
        is_due = config.every_steps is not None and done % config.every_steps == 0
        if not (is_due or is_last):
            return {}
        with section("evaluation", step=done - 1):
            result = heldout_loss(
                self.strategy.parts[0],
                self.open_split(),
                self.batches,
                self.world,
                microbatch=config.microbatch,
                rows=self.rows,
                strategy=self.strategy,
            )
        if not result.is_finite:
            fault = f"the held-out loss is {result.totals.loss} after step {done}"
            if is_last:
                raise PipelineError(f"{fault}: the run ends with weights that predict nothing")
            logger.warning("%s", fault)
        figures = {"heldout": result.as_dict()}
        if self.world.is_first:
            logger.info("step %d: %s", done, _in_words(figures["heldout"]))
        if self.world.is_first and is_last:
            text = json_text(figures, indent=1)
            (self.output / EVALUATION_NAME).write_text(text + "\n", encoding="utf-8")
        return figures


def _in_words(figures: dict[str, Any]) -> str:
    bits = figures["bits_per_byte"]
    more = "" if bits is None else f", {bits:.3f} bits per byte"
    return f"held-out loss {figures['loss']:.4f} over {figures['labels']:,.0f} labels{more}"
