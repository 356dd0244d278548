"""Published evaluations as `train evaluate` leaves them, with likelihoods that a test chooses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from train.evaluation.items import ItemScore


def pair(
    name: str, *, right: bool = True, cluster: str | None = None, bits: float = 10.0, **more: Any
) -> ItemScore:
    """The scores of a minimal pair of sentences of 10 and 12 bytes."""
    good = -bits * 0.6931471805599453
    values: dict[str, Any] = {
        "id": name,
        "gold": (0,),
        "log_likelihoods": (good, good - 1 if right else good + 1),
        "tokens": (3, 3),
        "chars": (10, 12),
        "bytes": (10, 12),
        "greedy": (False, False),
        "cluster": cluster,
        "group": cluster,
    }
    return ItemScore(**{**values, **more})


def write_evaluation(
    folder: Path,
    scores: Sequence[ItemScore],
    *,
    task: str = "pairs",
    texts: dict[str, dict[str, Any]] | None = None,
    **summary: Any,
) -> Path:
    """Write one task; what the summary says is not computed from the scores."""
    items = folder / "evaluation"
    items.mkdir(parents=True)
    lines = [json.dumps({**asdict(one), **(texts or {}).get(one.id, {})}) + "\n" for one in scores]
    (items / f"{task}.jsonl").write_text("".join(lines), encoding="utf-8")
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "standard_error": 0.05}
    plain = {
        "name": task, "kind": "minimal_pairs", "language": "en", "form": "from left to right",
        "items": len(scores), "shots": 0, "examples": {}, "chance": 0.5, "prompts_cut": 0,
        "metrics": {"acc": figure, "bits_per_byte": {**figure, "value": 1.5}},
        "warnings": [], "items_file": f"{task}.jsonl",
    }  # fmt: skip
    found = {"asked": {}, "checkpoint": str(folder), "tasks": [{**plain, **summary}]}
    (folder / "evaluation.json").write_text(json.dumps(found), encoding="utf-8")
    return folder
