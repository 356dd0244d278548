"""Each subject of refusals alone finds its own fault, and nothing in settings that can run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from train.model.presets import resolve_model
from train.refusals.batches import batch_faults, pipeline_faults
from train.refusals.facts import RunFacts
from train.refusals.lone_steps import asynchronous_faults, diloco_faults
from train.refusals.objectives import run_objective_faults
from train.refusals.parallel import (
    degrees_beyond_one,
    model_faults,
    plugin_faults,
    tree_faults,
    world_faults,
    wrapper_faults,
)
from train.refusals.rates import idle_faults, rate_faults
from train.refusals.stability import stability_faults
from train.settings import TrainSettings

Judge = Callable[[TrainSettings, RunFacts], Iterator[str]]
PLAIN: dict[str, Any] = {
    "manifest": "none", "output": "none", "stop": {"steps": 1}, "model": {"preset": "gpt2-test"},
}  # fmt: skip
PLUGIN = {"preset": "gpt2-test", "plugin": "package.module:name"}
MUP = {"preset": "gpt2-test", "mup_base_width": 16}
JUDGES: dict[str, tuple[Judge, dict[str, Any], str]] = {
    "asynchronous": (asynchronous_faults, {"asynchronous": {"workers": 1}}, "servers step with sgd"),
    "diloco": (
        lambda settings, facts: diloco_faults(settings),
        {"diloco": {"inner_steps": 7}, "checkpoint": {"every_steps": 10}},
        "ranks agree every 7 steps",
    ),
    "world": (
        lambda settings, facts: world_faults(settings, facts.world_size),
        {"parallel": {"tp": 4}},
        "the world has 1",
    ),
    "model": (model_faults, {"parallel": {"tp": 3}}, "3 ranks do not divide num_heads"),
    "plugin": (plugin_faults, {"model": PLUGIN, "compile": True}, "compile does not go with"),
    "wrapper": (wrapper_faults, {"trainable": "new_embeddings"}, "needs weights that exist"),
    "tree": (tree_faults, {"parallel": {"reduction": "tree", "tp": 2}}, "parallel.tp 2"),
    "batch": (
        lambda settings, facts: batch_faults(settings, 3),
        {"parallel": {"dp_shard": 3}, "batch": {"sequences": 16}},
        "16 sequences do not split over 3",
    ),
    "pipeline": (pipeline_faults, {"parallel": {"pp": 8}}, "8 stages, but the model has 2 layers"),
    "rate": (rate_faults, {"model": MUP}, "give a number"),
    "idle": (idle_faults, {"schedule": {"decay_every": 5}}, "has no decays"),
    "stability": (stability_faults, {"stability": {}, "diloco": {}}, "does not go with diloco"),
    "objective": (run_objective_faults, {"objective": {"name": "masked"}}, "does not train a gpt2"),
}  # fmt: skip


def _judged(judge: Judge, changes: dict[str, Any]) -> list[str]:
    settings = TrainSettings.model_validate({**PLAIN, **changes})
    model = resolve_model(settings.model, vocab_size=50, seq_len=16)
    return list(judge(settings, RunFacts(model=model, world_size=1)))


@pytest.mark.parametrize("subject", JUDGES)
def test_a_fault_of_its_subject_is_found_and_a_plain_recipe_has_none(subject: str) -> None:
    judge, changes, words = JUDGES[subject]

    found = _judged(judge, changes)

    assert [fault for fault in found if words in fault]
    assert _judged(judge, {}) == []


def test_only_degrees_above_one_are_faults() -> None:
    settings = TrainSettings.model_validate({**PLAIN, "parallel": {"pp": 2}})

    faults = degrees_beyond_one(settings.parallel, "why")

    assert [name for name, holds in faults.items() if holds] == ["parallel.pp 2: why; set pp: 1"]
