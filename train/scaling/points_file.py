"""The file of a ladder's finished runs: a JSON line for each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from schemas.errors import ContractError
from train.scaling.points import LadderPoints

FIELDS = ("parameters", "tokens", "loss")


def read_points(path: Path, *, counted: str) -> LadderPoints:
    """Read the runs.

    Args:
        path: Lines with the fields `parameters`, `tokens` and `loss`; others are left alone.
        counted: Which parameters the sizes count.

    Raises:
        ContractError: A line is no JSON object with the three numbers; the message has its number.
    """
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ContractError(f"{path}: line {number}: no JSON: {error}") from error
        found = [record.get(name) for name in FIELDS] if isinstance(record, dict) else [None]
        if not all(type(value) in (int, float) for value in found):
            raise ContractError(
                f"{path}: line {number}: expected the numbers {', '.join(FIELDS)}, found {line:.80}"
            )
        rows.append(found)
    parameters, tokens, losses = np.array(rows, np.float64).reshape(-1, len(FIELDS)).T
    return LadderPoints(parameters=parameters, tokens=tokens, losses=losses, counted=counted)
