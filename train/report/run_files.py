"""What the folder of a run says of it, read once for its page or for a comparison."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from schemas.errors import ContractError
from train.model.config import ModelConfig
from train.report.metrics import text_lines

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """A run's folder.

    Attributes:
        name: What the run is called on a page.
        records: Lines of `metrics.jsonl`; at least one.
    """

    folder: Path
    name: str
    records: list[Record]

    @property
    def last(self) -> Record:
        return self.records[-1]

    @cached_property
    def state(self) -> Record | None:
        """`state.json` of the newest checkpoint."""
        states = sorted((self.folder / "checkpoints").glob("step-*/state.json"))
        found = _json(states[-1]) if states else None
        return found if isinstance(found, dict) else None

    @cached_property
    def evaluation(self) -> Record | None:
        """The last held-out loss of the whole split, with its sources."""
        found = _json(self.folder / "evaluation.json")
        return found.get("heldout") if isinstance(found, dict) else None

    @cached_property
    def settings(self) -> Record:
        """The resolved recipe; empty where the folder has none."""
        path = self.folder / "settings.yaml"
        found = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None
        return found if isinstance(found, dict) else {}

    @cached_property
    def parameters(self) -> int | None:
        """Parameters of the model; None before the first checkpoint."""
        model = (self.state or {}).get("identity", {}).get("model")
        try:
            if not model or model.get("plugin"):
                return None  # its shape is its own
            return ModelConfig.model_validate(model).num_parameters()
        except ValidationError:  # a shape of another version
            return None

    @property
    def peak_memory(self) -> int | None:
        """The most bytes that the first rank has held; None for runs of older versions."""
        held = [r["memory_bytes"] for r in self.records if r.get("memory_bytes")]
        return max(held, default=None)

    @property
    def heldout(self) -> list[tuple[Record, float]]:
        """The records with a held-out loss, and that loss."""
        return [(r, r["heldout"]["loss"]) for r in self.records if "heldout" in r]

    @property
    def last_heldout(self) -> float | None:
        return self.heldout[-1][1] if self.heldout else None


def read_run(folder: Path, name: str | None = None) -> RunFiles:
    """Read a run's folder.

    Raises:
        ContractError: The folder has no metrics.
    """
    records = read_metrics(folder / "metrics.jsonl")
    return RunFiles(folder=folder, name=name or folder.resolve().name, records=records)


def read_metrics(path: Path) -> list[Record]:
    """Records of `metrics.jsonl`; a last line that a kill cut short is left out.

    Raises:
        ContractError: The file is missing or empty.
    """
    if path.is_file():
        records = [_record(line) for line in text_lines(path) if line.endswith("\n")]
        if records:
            return records
    raise ContractError(f"{path}: no metrics there yet; expected the folder of a run")


def _record(line: str) -> Record:
    """A line of metrics; a loss or norm that was no number, which JSON cannot hold, is NaN again."""
    record: Record = json.loads(line)
    for name in ("loss", "grad_norm"):
        if name in record and record[name] is None:
            record[name] = math.nan
    heldout = record.get("heldout")
    if heldout is not None and heldout["loss"] is None:
        heldout["loss"] = math.nan
    return record


def middle(values: list[float]) -> float:
    """The median; 0 where there is none."""
    return sorted(values)[len(values) // 2] if values else 0.0


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
