"""Checkpoints of each kind of parallel strategy in each other, at 4 ranks, bit for bit.

All pairs of all strategies take minutes on two cores: `train selftest --reshard` has them, and their
result is recorded. Here are the ways in which a tensor can be split.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.ranks import run_on_ranks
from train.distributed.world import open_world
from train.selftest.cases import cases
from train.selftest.reshard import ONE, RESHARD_FAMILY, reshard_cells

KINDS = (ONE.name, "fsdp", "tp+sp", "pp 1f1b", "fsdp x tp", "pp x fsdp", "pp x tp x dp")
# One layer more than stages. The recorded matrix has the nine that interleaved stages need.
SHALLOW = replace(RESHARD_FAMILY, model={**RESHARD_FAMILY.model, "num_layers": 5})
RESULTS = Path(__file__).parents[3] / "benchmarks" / "results" / "reshard.json"


def load_all(found: str) -> None:
    with open_world(timeout_seconds=120) as world:
        results = reshard_cells(world, SHALLOW, KINDS)
    if world.is_first:
        pairs = [(cell.source, cell.target, cell.passed, cell.detail) for cell in results]
        Path(found).write_text(json.dumps(pairs))


@pytest.mark.distributed
def test_each_kind_of_strategy_loads_what_each_other_saved(tmp_path: Path) -> None:
    found = tmp_path / "pairs.json"
    run_on_ranks(load_all, 4, str(found))

    pairs = json.loads(found.read_text())
    assert [pair[:2] for pair in pairs] == [[a, b] for a in KINDS for b in KINDS]
    assert [pair for pair in pairs if not pair[2]] == []


def test_the_recorded_matrix_has_every_strategy() -> None:
    recorded = json.loads(RESULTS.read_text())

    assert recorded["strategies"] == [ONE.name, *(case.name for case in cases(recorded["world"]))]
    assert recorded["passed"] == len(recorded["strategies"]) ** 2
