"""Parallel strategies that cannot work are refused before any rank waits, with the numbers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

from schemas.errors import SettingsError
from schemas.settings import parse_settings
from tests.support.option_pairs import Mix, all_pairs, few_mixes, write_datasets
from tests.support.pair_runs import run_servers, run_share, run_together
from tests.support.ranks import free_ports, run_on_ranks
from train.model.presets import resolve_model
from train.recipe_facts import judge_recipe
from train.refusals.facts import RunFacts
from train.refusals.refuse import refusals, refuse
from train.settings import TrainSettings


def check(world: int, parallel: dict[str, Any], preset: str = "gpt2-test", **changes: Any) -> None:
    settings = TrainSettings.model_validate(
        {
            "manifest": "none",
            "output": "none",
            "stop": {"steps": 1},
            "batch": {"sequences": 16, "microbatch": 2},
            "model": {"preset": preset, "width": 32, "num_heads": 2, "num_layers": 4},
            "parallel": parallel,
        }
        | changes
    )
    config = resolve_model(settings.model, vocab_size=50, seq_len=16)
    refuse(settings, RunFacts(model=config, world_size=world))


@pytest.mark.parametrize(
    ("world", "parallel", "message"),
    [
        (6, {"tp": 4}, "= 4 ranks, but the world has 6"),
        (16, {"pp": 16}, "16 stages, but the model has 4 layers"),
        (3, {"dp_shard": 3}, "16 sequences do not split over 3 data ranks"),
        (6, {"pp": 2, "dp_replicate": 3}, "16 sequences are no multiple of 3 data ranks x "),
        (16, {"pp": 4, "dp_replicate": 4}, "needs at least 4 micro-batches .* got 2"),
    ],
)
def test_numbers_that_do_not_fit_are_named(
    world: int, parallel: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        check(world, parallel)


def test_zero_bubble_is_refused_for_an_encoder_with_a_decoder() -> None:
    parallel = {"pp": 2, "pipeline_schedule": "zero_bubble"}

    check(2, parallel)
    with pytest.raises(SettingsError, match="for t5 use gpipe, 1f1b or interleaved"):
        check(2, parallel, preset="t5-small")


def class_faults(classes: int | None, loaded: int | None, **changes: Any) -> list[str]:
    """Faults of a BERT's head for `classes`, where the weights bring one for `loaded`."""
    given = {"manifest": "none", "output": "none", "stop": {"steps": 1}, **changes}
    settings = TrainSettings.model_validate({**given, "model": {"preset": "bert-test"}})
    fields = {"preset": "bert-test", "num_classes": classes}
    model = resolve_model(fields, vocab_size=50, seq_len=16)
    facts = RunFacts(model=model, world_size=1, has_weights=True, loaded_classes=loaded)
    return [fault for fault in refusals(settings, facts) if "class" in fault]


def test_a_head_for_classes_that_would_never_be_trained_is_refused() -> None:
    classify = {"objective": {"name": "classify"}}
    rows_alone = {**classify, "trainable": "new_embeddings"}
    masked = {"objective": {"name": "masked"}}

    [frozen] = class_faults(3, None, **rows_alone)
    [other] = class_faults(3, 2, **rows_alone)
    [unread] = class_faults(3, None, **masked)

    assert frozen.startswith("trainable: new_embeddings trains rows of tokens alone")
    assert "objective.name: classify would read a head for 3 classes" in other
    assert unread.startswith("model.num_classes 3: objective.name: masked never trains a head")
    assert class_faults(3, None, **classify) == class_faults(3, 3, **rows_alone) == []
    assert class_faults(3, 3, **masked) == class_faults(None, None, **masked) == []


def test_zero_bubble_is_refused_for_sharded_stages() -> None:
    parallel = {"pp": 2, "dp_shard": 2}

    check(4, {**parallel, "pipeline_schedule": "1f1b"})
    with pytest.raises(SettingsError, match="pp 2 with dp_shard 2 use gpipe, 1f1b or interleaved"):
        check(4, {**parallel, "pipeline_schedule": "zero_bubble"})


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Every pair of options: recipes of those that may run by the ranks they need, and refusals."""

    allowed: dict[int, list[Mix]]
    served: list[Mix]
    compiled: list[Mix]
    refused: list[tuple[Mix, str, float]]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    datasets = write_datasets(tmp_path_factory.mktemp("pairs"))
    allowed: dict[int, list[Mix]] = {1: [], 2: [], 4: []}
    found = Matrix(allowed=allowed, served=[], compiled=[], refused=[])
    for pair in all_pairs(datasets):
        started = time.perf_counter()
        refusal = why_refused(pair)
        if refusal is not None:
            found.refused.append((pair, refusal, time.perf_counter() - started))
        elif "compile" in pair.axes:
            found.compiled.append(pair)
        elif "asynchronous" in pair.axes:
            found.served.append(pair)
        else:
            allowed[pair.ranks].append(pair)
    for ranks, pairs in allowed.items():
        allowed[ranks] = few_mixes(pairs, datasets, may_run)
    found.served[:] = few_mixes(found.served, datasets, may_run)
    return found


def may_run(mix: Mix) -> bool:
    return "compile" not in mix.axes and why_refused(mix) is None


def why_refused(mix: Mix) -> str | None:
    try:
        judge_recipe(parse_settings(TrainSettings, mix.recipe, where="recipe"), mix.ranks)
    except SettingsError as error:
        return str(error)
    return None


@pytest.mark.slow
def test_a_refused_pair_is_refused_within_a_second_by_both_names(matrix: Matrix) -> None:
    unnamed = {pair.label: why for pair, why, _ in matrix.refused if not pair.is_named_in(why)}

    assert unnamed == {}
    assert max(seconds for _, _, seconds in matrix.refused) < 1
    # Compiling takes some 10 s a pair: these pairs are judged and not run.
    assert len(matrix.compiled) < 60


@pytest.mark.slow
@pytest.mark.distributed
def test_every_other_pair_takes_a_step_in_one_process(matrix: Matrix) -> None:
    run_on_ranks(run_share, 2, matrix.allowed[1])


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.parametrize("ranks", [2, 4])
def test_every_other_pair_takes_a_step_on_ranks(matrix: Matrix, ranks: int) -> None:
    run_on_ranks(run_together, ranks, matrix.allowed[ranks])


@pytest.mark.slow
@pytest.mark.distributed
def test_every_other_pair_runs_with_a_parameter_server(matrix: Matrix) -> None:
    run_on_ranks(run_servers, 2, matrix.served, free_ports(len(matrix.served)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": {"name": "lion", "eps": 1e-3}}, "optimizer.eps 0.001: lion has none"),
        ({"optimizer": {"name": "adafactor", "eps": 1e-3}}, "adafactor has none"),
        ({"optimizer": {"name": "sgd", "betas": [0.9, 0.99]}}, "optimizer.betas .*: sgd has none"),
        ({"optimizer": {"momentum": 0.5}}, "optimizer.momentum 0.5: adamw has none"),
        (
            {"schedule": {"decay_every": 5}},
            "schedule.decay_every 5: linear_warmup_cosine_lr has no",
        ),
        (
            {"schedule": {"warmup": 500}, "stop": {"steps": 2}},
            "schedule.warmup 500: longer than the run of 2 steps",
        ),
    ],
)
def test_settings_that_would_do_nothing_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        check(1, {}, **changes)


def test_settings_that_do_something_are_not_refused() -> None:
    check(1, {}, optimizer={"name": "adamw", "eps": 1e-6, "betas": [0.9, 0.99]})
    check(1, {}, optimizer={"name": "muon", "momentum": 0.9, "betas": [0.9, 0.99]})
    # Version 0.2 wrote this default of sgd into the settings of every run.
    check(1, {}, optimizer={"name": "adamw", "momentum": 0.9})


@pytest.mark.parametrize(
    ("world", "parallel", "stability", "message"),
    [
        (
            1,
            {},
            {"policy": "palm"},
            r"goes 100 steps back, but checkpoint.keep_last 2 every 20 .* 20",
        ),
        (
            4,
            {"pp": 2},
            {"detectors": [{"kind": "mad", "signal": "row_loss"}]},
            "watches row_loss, with parallel.pp 2",
        ),
        (4, {"pp": 2}, {"policy": "glm"}, "scales the embedding's gradient, with parallel.pp 2"),
    ],
)
def test_policies_that_cannot_act_in_a_layout_are_refused(
    world: int, parallel: dict[str, Any], stability: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        check(world, parallel, stability=stability, checkpoint={"every_steps": 20})


def test_ranks_that_step_alone_cannot_decide_together() -> None:
    with pytest.raises(SettingsError, match="stability does not go with diloco"):
        check(2, {}, stability={}, diloco={}, checkpoint={"every_steps": 500})
