"""Say how a run begins: what was loaded, what is new, how far the first loss is from expectation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from schemas.plain_json import json_text
from train.batch.batch import Batch
from train.data.loader import SplitReader
from train.data.packed import PackedRows
from train.warm_start.config import WarmStartConfig
from train.warm_start.first_loss import FirstLoss, first_loss
from train.warm_start.new_rows_report import lines as growth_lines
from train.warm_start.new_rows_report import summary, write_report
from train.warm_start.start import Start, StartedModel

logger = logging.getLogger(__name__)

NAME = "warm_start.json"
# A forward pass of this many FLOPs is some 20 s on two cores; beyond it, fewer rows are judged.
_MAX_FLOPS = 2e12


@dataclass(frozen=True, kw_only=True)
class StartReport:
    """What to say of a run whose recipe has a warm start."""

    start: Start
    started: StartedModel
    source: str
    rows: int | None

    @classmethod
    def of(
        cls, start: Start, started: StartedModel, warm: WarmStartConfig | None
    ) -> StartReport | None:
        """Make it for a recipe that has a warm start; None for others."""
        if warm is None:
            return None
        return cls(start=start, started=started, source=warm.source, rows=warm.first_loss_rows)

    @property
    def loss_of_source(self) -> float | None:
        """The held-out loss of the source's run; None where heads are new, whose losses are others."""
        source = self.start.source
        return None if source is None or self.started.fresh else source.heldout_loss

    def num_rows(self, seq_len: int) -> int:
        """Number of rows on which the first loss is measured in reasonable time."""
        if self.rows is None:
            return 0
        forward = self.start.config.flops_per_token(seq_len) / 3 * seq_len
        return min(self.rows, int(_MAX_FLOPS // forward))

    def show(
        self,
        output: Path,
        make_batch: Callable[[PackedRows], Batch],
        data: SplitReader,
        first_sample: int,
    ) -> None:
        """Log it, and write `warm_start.json` and `new_rows.jsonl` into the run's folder.

        Args:
            output: Folder of the run.
            make_batch: The objective, which makes a batch of packed rows.
            data: The training split; its first rows are read.
            first_sample: Index in the data's order at which the run begins.
        """
        measured = None
        if count := self.num_rows(data.manifest.seq_len):
            samples = range(first_sample, first_sample + count)
            rows = (data.read(np.array([sample], dtype=np.int64)) for sample in samples)
            measured = first_loss(
                self.started.model,
                map(make_batch, rows),
                new_rows=self.start.new_rows,
                heldout_loss=self.loss_of_source,
                fresh=self.started.fresh,
            )
        output.mkdir(parents=True, exist_ok=True)
        text = json_text(self._as_dict(measured), indent=1) + "\n"
        (output / NAME).write_text(text, encoding="utf-8")
        for line in self._lines():
            logger.info("%s", line)
        if self.started.growth is not None:
            logger.info("how each began: %s", write_report(output, self.started.growth))
        if measured is None:
            logger.info("the first loss was not judged beforehand; see the first step's")
            return
        is_loaded = self.start.source is not None
        for line in measured.lines(is_loaded=is_loaded):
            logger.info("%s", line)
        warning = measured.warning(is_loaded=is_loaded)
        if warning is not None:
            logger.warning("%s", warning)

    def _lines(self) -> list[str]:
        config = self.start.config
        source = self.start.source
        if source is None:
            return [
                f"nothing loaded: {self.source} is a preset; all {config.num_parameters():,} "
                f"parameters of the {config.family} are new"
            ]
        tensors, parameters = self.started.loaded
        lines = [
            f"loaded {tensors:,} tensors, {parameters:,} parameters from {source.path} "
            f"({config.family}, {config.num_layers} layers x {config.width})"
        ]
        if self.started.growth is not None:
            lines += growth_lines(self.started.growth)
        if self.started.fresh:
            lines.append(f"new, since the source lacks them: {', '.join(self.started.fresh)}")
        if self.started.growth is None and not self.started.fresh:
            lines.append("nothing is new")
        return lines

    def _as_dict(self, measured: FirstLoss | None) -> dict[str, Any]:
        growth = self.started.growth
        return {
            "source": self.source,
            "loaded": {"tensors": self.started.loaded[0], "parameters": self.started.loaded[1]},
            "new_tensors": list(self.started.fresh),
            "new_rows": summary(growth) if growth is not None else None,
            "first_loss": measured.as_dict() if measured is not None else None,
        }
