"""How each new row began: one JSON line per token, and a summary for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from schemas.plain_json import json_text
from train.warm_start.growth import Growth

NAME = "new_rows.jsonl"
_RULES = {
    "subword_mean": "from the mean of their base pieces",
    "mean": "from the mean of the trained rows",
    "gaussian": "drawn with mean and variance of the trained rows",
    "gaussian_no_pieces": "drawn: no base piece of theirs stands for text ([UNK], spare, sentinel)",
}


def summary(growth: Growth) -> dict[str, Any]:
    """Count the rows by rule and origin, and those that start equal to another."""
    starts = growth.starts
    sources = Counter(tuple(sorted(s.used)) for s in starts if s.rule == "subword_mean")
    return {
        "rows": len(starts),
        "tensors": list(growth.tensors),
        "by_rule": dict(Counter(start.rule for start in starts)),
        "by_origin": dict(Counter(start.token.origin for start in starts)),
        "with_ignored_pieces": sum(bool(s.ignored) and bool(s.used) for s in starts),
        "sharing_a_start": sum(count for count in sources.values() if count > 1),
    }


def lines(growth: Growth) -> list[str]:
    """Write the summary in sentences."""
    totals = summary(growth)
    if not totals["rows"]:
        return []
    first, last = growth.starts[0].token.id, growth.starts[-1].token.id
    text = [
        f"new: {totals['rows']:,} rows ({first} to {last}) in each of {', '.join(growth.tensors)}"
    ]
    text += [f"  {count:,} {_RULES[rule]}" for rule, count in sorted(totals["by_rule"].items())]
    if totals["with_ignored_pieces"]:
        text.append(f"  {totals['with_ignored_pieces']:,} left out a piece that stands for no text")
    if totals["sharing_a_start"]:
        text.append(
            f"  {totals['sharing_a_start']:,} share their start with another of equal pieces"
        )
    return text


def write_report(folder: Path, growth: Growth) -> Path:
    """One line per new row: token, rule, pieces, norms, and the cosine to the mean row."""
    path = folder / NAME
    aside = path.with_suffix(".incomplete")
    with aside.open("w", encoding="utf-8") as file:
        for record in _records(growth):
            file.write(json_text(record) + "\n")
    aside.replace(path)
    return path


def _records(growth: Growth) -> Iterator[dict[str, Any]]:
    if not growth.starts:
        return
    first = growth.starts[0].token.id
    ids = torch.tensor([start.token.id for start in growth.starts])
    figures: dict[str, tuple[list[float], list[float]]] = {}
    for name in growth.tensors:
        table = growth.state[name]
        if table.ndim < 2:
            continue
        rows = table[ids].float()
        mean = table[:first].float().mean(0, keepdim=True)
        figures[name] = (rows.norm(dim=1).tolist(), F.cosine_similarity(rows, mean).tolist())
    for number, start in enumerate(growth.starts):
        yield {
            "id": start.token.id,
            "text": start.token.text,
            "origin": start.token.origin,
            "rule": start.rule,
            "base_ids": list(start.token.base_ids),
            "ignored": list(start.ignored),
            "norm": {name: round(norms[number], 6) for name, (norms, _) in figures.items()},
            "cosine_to_mean": {name: round(c[number], 6) for name, (_, c) in figures.items()},
        }
