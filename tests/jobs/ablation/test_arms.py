"""How many shards arms have, and which stages they do."""

from __future__ import annotations

import pytest

from jobs.ablation.arms import MOST_SHARDS, ROWS_OF_A_SHARD, shards_for
from jobs.ablation.run import StudyRequest, study_file
from jobs.ablation.stages import SHARED, arm_stages
from jobs.refine import STAGES
from refinery.ablation.counts import ArmCounts
from refinery.ablation.table import Ablation, ArmEntry
from refinery.packing.config import PackingConfig
from schemas.settings import parse_settings
from schemas.yaml_files import parse_yaml


@pytest.mark.parametrize(
    ("rows", "shards"), [(1, 1), (ROWS_OF_A_SHARD * 5 + 1, 5), (10**9, MOST_SHARDS)]
)
def test_shards_hold_enough_rows(rows: int, shards: int) -> None:
    assert shards_for(rows * 256, PackingConfig(seq_len=256)) == shards


def test_an_arm_parses_no_page_and_trains_no_model() -> None:
    own = arm_stages(STAGES, {})

    assert [stage.name for stage in own] == [
        "clean", "dedup", "decontaminate", "tokenise", "mixture", "pack",
    ]  # fmt: skip
    assert {stage.name for stage in STAGES} == {*SHARED, *(stage.name for stage in own)}
    changed = {new.name for new in own for old in STAGES if new.name == old.name and new.run is not old.run}  # fmt: skip
    assert changed == {"clean", "tokenise"}
    for new, old in ((new, old) for new in own for old in STAGES if new.name == old.name):
        assert (new.version, new.inputs, new.settings) == (old.version, old.inputs, old.settings)


def test_the_study_has_the_base_as_its_reference() -> None:
    counts = vars(ArmCounts(documents=1, tokens=2))
    arms = tuple(
        parse_settings(ArmEntry, {"arm": name, "manifest": f"{name}.json", "root": "", **counts, "cpu_seconds": None,
                                  "cost_of": ""}, where="") for name in ("base", "without dedup")
    )  # fmt: skip
    made = Ablation(recipe="some", arms=arms, study="s", study_output="found")

    study = parse_yaml(study_file(made, StudyRequest(recipe="demo", seeds=4), tokens=999))

    assert study["set"] == {"manifest": "base.json"}
    assert study["arms"] == {"without dedup": {"manifest": "without dedup.json"}}
    assert study["measure"] == {"figure": "bits_per_byte", "manifest": "base.json"}
    assert (study["seeds"], study["budget"], study["output"]) == (4, {"tokens": 999}, "found")
