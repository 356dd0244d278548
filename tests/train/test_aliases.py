"""Other names of settings: each means the same setting, and an old run is never another run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.errors import SettingsError
from tests.support.datasets import DatasetShape, write_dataset
from train.aliases import ALIASES, translate_recipe
from train.checkpoint.state_file import write_state
from train.loop.run import pretrain
from train.model.config import ModelConfig
from train.phases import END_NAME, PhaseEnd, read_end, split_phases, write_end
from train.settings import TrainSettings, load_train_settings
from train.warm_start.source import find_source

# Old name, its value, name of today.
RENAMED: list[tuple[str, Any, str]] = [
    ("schedule.init_lr", 0.002, "schedule.peak_lr"),
    ("schedule.warmup_lr", 0.0001, "schedule.warmup_start_lr"),
    ("optimizer.max_norm", 0.5, "optimizer.max_grad_norm"),
    ("parallel.schedule", "gpipe", "parallel.pipeline_schedule"),
    ("loader.prefetch_batches", 2, "loader.prefetch_microbatches"),
    ("model.layers", 3, "model.num_layers"),
    ("model.heads", 4, "model.num_heads"),
    ("model.kv_heads", 2, "model.num_kv_heads"),
    ("model.head_dim", 8, "model.head_width"),
    ("model.norm_place", "post", "model.norm_position"),
    ("model.classes", 3, "model.num_classes"),
    ("model.token_types", 4, "model.num_token_types"),
    ("model.relative_buckets", 16, "model.num_relative_buckets"),
    ("model.relative_distance", 64, "model.max_relative_distance"),
    ("stages", [{"trainable": "all"}], "phases"),
]
# Name of LAVIS, its value, our name, our value.
LAVIS: list[tuple[str, Any, str, Any]] = [
    ("init_lr", 0.002, "schedule.peak_lr", 0.002),
    ("min_lr", 0.0001, "schedule.min_lr", 0.0001),
    ("warmup_lr", 0.0001, "schedule.warmup_start_lr", 0.0001),
    ("lr_decay_rate", 0.5, "schedule.lr_decay_rate", 0.5),
    ("lr_scheduler_type", "constant", "schedule.lr_scheduler_type", "constant"),
    ("lr_sched", "constant", "schedule.lr_scheduler_type", "constant"),
    ("warmup_steps", 2, "schedule.warmup", 2),
    ("use_amp", True, "precision.compute", "auto"),
    ("use_amp", False, "precision.compute", "fp32"),
    ("enable_gradient_checkpointing", True, "recompute", "full"),
    ("max_norm", 5.0, "optimizer.max_grad_norm", 5.0),
    ("weight_decay", 0.3, "optimizer.weight_decay", 0.3),
    ("max_steps", 7, "stop.steps", 7),
    ("max_epoch", 2, "stop.epochs", 2),
]


def nested(dotted: str, value: Any) -> dict[str, Any]:
    block, _, key = dotted.rpartition(".")
    return {block: {key: value}} if block else {key: value}


def load(path: Path, data: dict[str, Any], *overrides: str) -> TrainSettings:
    stop = {} if "max_steps" in data or "max_epoch" in data else {"stop": {"steps": 3}}
    recipe = {"manifest": "data", "output": "out", **stop, **data}
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return load_train_settings(path, overrides)


def test_every_alias_is_tested() -> None:
    assert {old for old, *_ in RENAMED} | {name for name, *_ in LAVIS} == set(ALIASES)


@pytest.mark.parametrize(("old", "value", "key"), RENAMED)
def test_an_old_name_gives_equal_settings_and_one_warning(
    old: str, value: Any, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = tmp_path / "recipe.yaml"

    translated = load(recipe, nested(old, value))
    warnings = [record.getMessage() for record in caplog.records]
    overridden = load(recipe, {}, f"{old}={json.dumps(value)}")

    assert warnings == [f"{recipe}: {old} is now {key}; write {key}"]
    assert translated == overridden == load(recipe, nested(key, value))


@pytest.mark.parametrize(("name", "value", "key", "ours"), LAVIS)
def test_a_name_of_lavis_gives_equal_settings(
    name: str, value: Any, key: str, ours: Any, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    data = nested(key, ours)

    expected = load(recipe, data)

    if "stop" not in data:  # exactly one of the ways to stop is given
        assert load(recipe, {}, f"{name}={json.dumps(value)}") == expected
    assert load(recipe, {name: value}) == expected
    assert load(recipe, {"run": {name: value}, **({"stop": None} if "stop" in data else {})})


@pytest.mark.parametrize(("old", "value", "key"), RENAMED)
def test_two_names_of_one_setting_are_refused_with_both(
    old: str, value: Any, key: str, tmp_path: Path
) -> None:
    block, _, last = key.rpartition(".")
    data = nested(old, value)
    (data[block] if block else data)[last] = value

    with pytest.raises(SettingsError, match=f"{old} and {key} are two names of one setting"):
        load(tmp_path / "recipe.yaml", data)


def test_a_name_of_lavis_beside_ours_is_refused_with_both(tmp_path: Path) -> None:
    data = {"init_lr": 0.1, "schedule": {"peak_lr": 0.2}}

    with pytest.raises(SettingsError, match=r"init_lr and schedule\.peak_lr are two names"):
        load(tmp_path / "recipe.yaml", data)


def test_an_override_replaces_what_the_recipe_says_under_another_name(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"

    new_over_old = load(recipe, {"schedule": {"init_lr": 0.1}}, "schedule.peak_lr=0.2")
    old_over_new = load(recipe, {"schedule": {"peak_lr": 0.1}}, "schedule.init_lr=0.2")
    lavis_over_new = load(recipe, {"schedule": {"peak_lr": 0.1}}, "run.init_lr=0.2")
    a_block = load(recipe, {}, "schedule={init_lr: 0.2}")
    a_run_block = load(recipe, {}, "run={init_lr: 0.2}")

    assert new_over_old == old_over_new == lavis_over_new == a_block == a_run_block
    assert new_over_old.schedule.peak_lr == 0.2


def test_old_names_in_phases_are_translated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = tmp_path / "recipe.yaml"
    old = {"stages": [{"schedule": {"init_lr": 0.1}}, {"stop": {"steps": 2}}]}

    settings = load(recipe, old, "stages.1.optimizer.max_norm=0.5")

    expected = (
        {"schedule": {"peak_lr": 0.1}},
        {"stop": {"steps": 2}, "optimizer": {"max_grad_norm": 0.5}},
    )
    assert settings.phases == expected
    assert "phases.0.schedule.init_lr is now phases.0.schedule.peak_lr" in caplog.text


@pytest.mark.parametrize(
    ("model", "derived"),
    [
        ({"width": 48, "num_heads": 4}, (4, 12, 192, "pre")),
        ({"width": 48, "num_heads": 4, "family": "bert"}, (4, 12, 192, "post")),
        (
            {"width": 48, "num_heads": 4, "num_kv_heads": None, "mlp_width": None},
            (4, 12, 192, "pre"),
        ),
        ({"num_heads": 4, "num_kv_heads": 2, "head_width": 7, "mlp_width": 9}, (2, 7, 9, "pre")),
    ],
)
def test_fields_of_a_model_that_are_null_follow_from_others(
    model: dict[str, Any], derived: tuple[int, int, int, str]
) -> None:
    config = ModelConfig.model_validate(model)

    found = (config.num_kv_heads, config.head_width, config.mlp_width, config.norm_position)
    assert found == derived


# What the trainer of version 0.1 (587d801) computed for the settings below under its own names.
OLD_SHA256 = "ed992e7c00a55ac43bed860df01ec6ed2f9c9c8b25c110b37a740e95c4569434"


def test_a_phase_that_ended_under_old_names_is_not_another_one(tmp_path: Path) -> None:
    settings = TrainSettings.model_validate({
        "manifest": "data",
        "output": "out/stages/1-all",
        "stop": {"steps": 3},
        "schedule": {"peak_lr": 0.002, "warmup_start_lr": 0.001, "warmup": 2},
        # Defaults of that version, which are others today.
        "precision": {"compute": "fp32"},
        "optimizer": {"max_grad_norm": 0.5, "momentum": 0.9},
        "parallel": {"pp": 2, "pipeline_schedule": "gpipe"},
        "loader": {"prefetch_microbatches": 2},
        "model": {
            "preset": "gpt2-test", "num_layers": 3, "num_heads": 4, "num_kv_heads": 2,
            "norm_position": "post",
        },
    })  # fmt: skip
    end = PhaseEnd(checkpoint="c", manifest="data", next_sample=9, settings_sha256=OLD_SHA256)
    folder = tmp_path / "out" / "stages" / "1-all"
    folder.mkdir(parents=True)
    write_end(folder, end)
    (folder / END_NAME).rename(tmp_path / END_NAME)

    assert _end_in(tmp_path, settings) == end
    assert _end_in(tmp_path, settings.model_copy(update={"seed": 2})) is None


def _end_in(folder: Path, settings: TrainSettings) -> PhaseEnd | None:
    """As `read_end`, of a file that lies elsewhere: the output counts in the hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path(settings.output).mkdir(parents=True, exist_ok=True)
        (Path(settings.output) / END_NAME).write_text((folder / END_NAME).read_text())
        return read_end(settings)


def test_a_run_that_began_in_stages_goes_on_there(tmp_path: Path) -> None:
    settings = TrainSettings.model_validate(
        {"manifest": "data", "output": str(tmp_path), "stop": {"steps": 1}, "phases": ({}, {})}
    )

    assert split_phases(settings)[0].output == str(tmp_path / "phases" / "1-all")
    (tmp_path / "stages").mkdir()
    assert split_phases(settings)[0].output == str(tmp_path / "stages" / "1-all")


SHAPE = {"width": 16, "num_layers": 1, "num_heads": 2, "dropout": 0.1}


def run_settings(data: Path, output: Path, steps: int) -> TrainSettings:
    return TrainSettings.model_validate({
        "manifest": str(data),
        "output": str(output),
        "model": SHAPE,
        "batch": {"sequences": 4, "microbatch": 2},
        "stop": {"steps": steps},
        "schedule": {"peak_lr": 0.01, "warmup": 2, "lr_scheduler_type": "constant"},
        "evaluation": None,
        "checkpoint": {"export": False},
        "threads": 1,
    })  # fmt: skip


def losses(output: Path) -> list[float]:
    lines = (output / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


OLD_KEYS = {key.rpartition(".")[2]: old.rpartition(".")[2] for old, _, key in RENAMED}
OLD_NULLS = ("kv_heads", "head_dim", "mlp_width", "norm_place")


def as_version_0_1_stored_it(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    old = {OLD_KEYS.get(k, k): as_version_0_1_stored_it(v) for k, v in value.items()}
    if "pipeline_schedule" in value:
        old["schedule"] = value["pipeline_schedule"]
    return {k: None if k in OLD_NULLS else v for k, v in old.items()}


def test_a_checkpoint_with_old_names_resumes_as_if_it_had_new_ones(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", DatasetShape())
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    pretrain(run_settings(data, whole, 4))
    pretrain(run_settings(data, cut, 2))
    state_path = cut / "checkpoints" / "step-00000002" / "state.json"
    old = as_version_0_1_stored_it(json.loads(state_path.read_text()))
    del old["sha256"]
    write_state(state_path.parent, old, index_sha256=old["index_sha256"])
    assert old["identity"]["model"]["layers"] == 1
    assert old["settings"]["schedule"]["init_lr"] == 0.01

    pretrain(run_settings(data, cut, 4))

    assert losses(cut) == losses(whole)
    assert len(losses(cut)) == 4


def test_a_source_with_old_names_has_its_shape(tmp_path: Path) -> None:
    shape = ModelConfig.model_validate({**SHAPE, "norm_position": "sandwich"})
    old = as_version_0_1_stored_it(shape.model_dump(mode="json"))
    old["norm_place"] = "sandwich"
    (tmp_path / "shape.json").write_text(json.dumps(old))

    source = find_source(str(tmp_path))

    assert source is not None
    assert source.config == shape


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("learning_rate=0.1", "learning_rate: unknown key; here it is schedule.peak_lr"),
        ("optimizer.lr=0.1", "optimizer.lr: unknown key; here it is schedule.peak_lr"),
        ("batch_size=8", "batch_size: unknown key; here it is batch.sequences"),
    ],
)
def test_names_of_other_trainers_are_told_what_they_are_here(override: str, key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        translate_recipe({}, [override])


def test_lavis_own_name_of_the_schedule_is_an_alias() -> None:
    settings, warnings = translate_recipe({"run": {"lr_sched": "linear_warmup_step_lr"}})

    assert settings == {"schedule": {"lr_scheduler_type": "linear_warmup_step_lr"}}
    assert warnings == []


@pytest.mark.parametrize(
    ("overrides", "stop", "phase"),
    [
        (["stop.steps=50"], {"steps": 50}, {"tokens": 7}),
        (["stop.tokens=9"], {"tokens": 9}, {"tokens": 7}),
        (["stop.steps=5", "stop.epochs=1"], {"steps": 5, "epochs": 1}, {"tokens": 7}),
        (["phases.0.stop.epochs=2"], {"tokens": 100}, {"epochs": 2}),
        (["stop={steps: 3}"], {"steps": 3}, {"tokens": 7}),
        (["model.stop.steps=1"], {"tokens": 100}, {"tokens": 7}),
    ],
)
def test_another_end_of_a_run_replaces_that_of_the_recipe(
    overrides: list[str], stop: dict[str, int], phase: dict[str, int]
) -> None:
    recipe = {"stop": {"tokens": 100}, "phases": [{"stop": {"tokens": 7}}]}

    settings, warnings = translate_recipe(recipe, overrides)

    assert settings["stop"] == stop
    assert settings["phases"][0]["stop"] == phase
    assert recipe == {"stop": {"tokens": 100}, "phases": [{"stop": {"tokens": 7}}]}
    assert warnings == []
