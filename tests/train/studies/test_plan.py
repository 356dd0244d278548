"""What a study is before it starts: its arms, its runs of equal tokens, and what is refused with both sides named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ContractError, SettingsError
from schemas.manifest import manifest_root, read_manifest
from schemas.yaml_files import dump_yaml
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.studies import make_study, study_data, write_base
from train.optim.betas import beta2_half_life, half_life_beta2
from train.studies.arms import Arm, changed, read_base, study_arms
from train.studies.budgets import equal_tokens
from train.studies.judging import judged_by
from train.studies.parts import PARTS, part_changes
from train.studies.plan import plan_study
from train.studies.runs import make_run
from train.studies.settings import load_study


def test_runs_are_whole_recipes_in_folders_of_their_own_seed_by_seed(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path, seeds=[4, 7]))

    assert [run.name for run in plan.runs] == [
        "base-seed-4", "flat-seed-4", "base-seed-7", "flat-seed-7"
    ]  # fmt: skip
    flat = plan.runs[3].settings
    assert (flat.seed, flat.stop.tokens, flat.schedule.lr_scheduler_type) == (7, 640, "constant")
    assert flat.output == str(tmp_path / "study" / "runs" / "flat-seed-7")
    assert flat.evaluation is None  # the study measures
    assert flat.checkpoint.every_steps == 2  # what the recipe says stays
    assert flat.checkpoint.keep_last == 1
    assert plan.measure.manifest == str(tmp_path / "data")
    assert judged_by(plan.measure, {"base": plan.runs[0]}) == plan.measure


def test_a_matrix_is_every_combination_and_the_first_is_the_reference(tmp_path: Path) -> None:
    matrix = {"schedule.peak_lr": [0.01, 1e-05], "model.tied_head": [True, False]}

    arms = study_arms(make_study(tmp_path, matrix=matrix))

    assert [arm.name for arm in arms] == [
        "schedule.peak_lr=0.01, model.tied_head=true",
        "schedule.peak_lr=0.01, model.tied_head=false",
        "schedule.peak_lr=1e-05, model.tied_head=true",
        "schedule.peak_lr=1e-05, model.tied_head=false",
    ]
    assert arms[3].changes == {"schedule.peak_lr": 1e-05, "model.tied_head": False}
    assert arms[3].slug == "schedule.peak_lr=1e-05-model.tied_head=false"


def test_parts_are_removed_by_name_or_by_their_changes(tmp_path: Path) -> None:
    by_name = study_arms(make_study(tmp_path, ablate=["bias", "dropout"]))
    mixed = study_arms(make_study(tmp_path, ablate={"bias": None, "wide": {"model.mlp_width": 64}}))

    assert [arm.name for arm in by_name] == ["base", "without bias", "without dropout"]
    assert by_name[1].changes == {"model.bias": False}
    assert mixed[1:] == [
        Arm(name="without bias", changes={"model.bias": False}),
        Arm(name="wide", changes={"model.mlp_width": 64}),
    ]


@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_part_has_keys_of_the_recipe(part: str, tmp_path: Path) -> None:
    base = read_base(make_study(tmp_path))

    settings = base.settings(
        {**part_changes(part), "stop": {"steps": 1}, "output": "x"}, where=part
    )

    assert settings.stop.steps == 1


def test_equal_tokens_are_whole_batches_of_all_arms(tmp_path: Path) -> None:
    arms = {"six": {"batch.sequences": 6}, "two": {"batch.sequences": 2, "batch.microbatch": 2}}

    plan = plan_study(make_study(tmp_path, arms=arms, budget={"tokens": 2000}))

    assert {run.sizes.tokens for run in plan.runs} == {1920}  # a multiple of 64, 96 and 32
    assert equal_tokens(1000, {"a": 100, "b": 250}) == 1000


def test_equal_compute_reads_fewer_tokens_with_a_larger_model(tmp_path: Path) -> None:
    study = make_study(tmp_path, arms={"wide": {"model.width": 64}}, budget={"flops": 4e8}, seeds=1)

    base, wide = plan_study(study).runs

    assert wide.sizes.tokens < base.sizes.tokens
    assert wide.sizes.flops == pytest.approx(base.sizes.flops, rel=0.2)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"arms": {"x": {"model.widht": 8}}}, "widht"),
    ({"arms": {"x": {"modle.width": 8}}}, "did you mean 'model'"),
    ({"arms": {"x": {"seed": 3}}}, "seed: the study sets it, by seeds"),
    ({"arms": {"x": {"stop.steps": 3}}}, "stop.steps: the study sets it, by budget"),
    ({"set": {"output": "y"}}, "set.output: the study sets it"),
    ({"arms": {"x": {"model.dropout": 0.1}}}, "'base' and 'x' are the same recipe"),
    ({"arms": {"x": {"model.bias": False}, "y": {"model.bias": False}}}, "'x' and 'y' are the same"),
    ({"arms": {"a b": {"model.bias": False}, "a/b": {"model.tied_head": False}}}, "share the folder"),
    ({"arms": {"base": {"model.bias": False}}}, "'base' is the name of the base recipe"),
    ({"ablate": ["bais"]}, "did you mean 'bias'"),
    ({"ablate": ["z_loss"]}, "same recipe: model.z_loss 0.0 changes nothing"),
    ({"seeds": []}, "seeds: expected one or more"),
    ({"seeds": [1, 1]}, "seeds"),
    ({"matrix": {"model.width": []}}, "expected one or more values"),
    ({"budget": {"tokens": 5, "flops": 1}}, "exactly one of tokens, flops and cpu_hours"),
    ({"budget": {"cpu_hours": 1}}, "needs a pilot"),
    ({"arms": {"x": {"batch.sequences": 7}}}, "'base' steps 64 tokens, 'x' 112"),
    (
        {"arms": {"x": {"batch.ramp": {"start_sequences": 1, "over_tokens": 300, "quantum": 1}}}},
        "runs of unequal tokens: base-seed-1 reads 640 tokens .* x-seed-1 6",
    ),
    (
        {"arms": {"x": {"objective": {"name": "prefix_lm"}}}},
        "prefix_lm",
    ),
    ({"measure": {"figure": "loss"}}, "expected heldout_loss"),
    ({"measure": {"figure": "blimp/acc"}}, "scores no tasks"),
    (
        {"measure": {"figure": "blmp/acc"}, "set": {"evaluation.tasks": {"at_end": [{"task": "blimp"}]}}},
        "does not score blmp; did you mean 'blimp'",
    ),
    ({"recipe": "gpt-smal"}, "did you mean 'gpt-small'"),
    ({"arms": {"x": {"model.bias": False}}, "matrix": {"model.bias": [True]}}, "exactly one of arms"),
    ({"budget": {"tokens": 20}}, "warmup 2: longer than the run of 1 steps"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=[words[:30] for _, words in REFUSED])
def test_what_could_decide_nothing_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(dump_yaml(study_data(tmp_path, **changes)))

    with pytest.raises((SettingsError, ContractError), match=words):
        plan_study(load_study(path))


def test_arms_are_not_judged_by_losses_of_their_own(tmp_path: Path) -> None:
    write_base(tmp_path)
    arms = {"x": {"objective": {"name": "causal", "augment": {"shuffled_span_tokens": 3}}}}
    plan_study(make_study(tmp_path, arms=arms))  # an augmentation is left out of the measure
    other = {"x": {"objective": {"name": "span_corruption"}}}

    with pytest.raises(SettingsError, match=r"sentinel|own loss"):
        plan_study(make_study(tmp_path, arms=other))


@pytest.mark.parametrize(
    ("shape", "measure", "words"),
    [
        ({"heldout_rows": 0}, {}, "holds no rows out"),
        ({"seq_len": 128}, {}, "rows have 128 tokens, the model of arm 'base' has 64 positions"),
        ({}, {"objective": {"name": "masked"}}, "arm 'base' cannot be judged"),
        ({}, {"figure": "bits_per_byte", "max_rows": 3}, "the whole split, not causal and 3 rows"),
    ],
)
def test_what_could_not_be_measured_at_the_end_is_refused_before_the_beginning(
    shape: dict[str, Any], measure: dict[str, Any], words: str, tmp_path: Path
) -> None:
    write_dataset(tmp_path / "held", DatasetShape(rows_per_shard=(30,), **shape))
    study = make_study(tmp_path, measure={"manifest": str(tmp_path / "held"), **measure})

    with pytest.raises(SettingsError, match=words):
        plan_study(study)


def test_a_measure_of_other_tokens_is_refused_with_both_tokenizers(tmp_path: Path) -> None:
    write_base(tmp_path)
    write_dataset(tmp_path / "held", DatasetShape(rows_per_shard=(30,)))
    path = tmp_path / "held" / "manifest.json"
    manifest = read_manifest(path)
    other = manifest.model_copy(
        update={"tokenizer": manifest.tokenizer.model_copy(update={"sha256": "f" * 64})}
    )
    other = other.model_copy(update={"root": manifest_root(other)})
    path.write_text(other.model_dump_json())
    known = manifest.tokenizer.sha256[:12]

    with pytest.raises(
        SettingsError, match=f"its tokenizer is {'f' * 12}, that of arm 'base' is {known}"
    ):
        plan_study(make_study(tmp_path, measure={"manifest": str(tmp_path / "held")}))
    with pytest.raises(
        SettingsError, match=f"'base' and 'new' have other tokenizers .{known} and {'f' * 12}"
    ):
        plan_study(make_study(tmp_path, arms={"new": {"manifest": str(tmp_path / "held")}}))


def test_data_is_an_arm_as_any_other_and_judged_on_the_bases_documents(tmp_path: Path) -> None:
    write_base(tmp_path)
    write_dataset(tmp_path / "other", DatasetShape(rows_per_shard=(60,), seed=3))
    plan = plan_study(make_study(tmp_path, arms={"new": {"manifest": str(tmp_path / "other")}}))

    assert [run.settings.manifest for run in plan.runs[:2]] == [
        str(tmp_path / "data"), str(tmp_path / "other"),
    ]  # fmt: skip
    assert plan.measure.manifest == str(tmp_path / "data")


def test_the_memory_of_adam_is_kept_in_tokens(tmp_path: Path) -> None:
    arms = {"large": {"batch.sequences": 8}}

    base, large = plan_study(
        make_study(tmp_path, arms=arms, beta2_half_life_tokens=6400, seeds=1)
    ).runs

    assert base.settings.optimizer.betas is not None
    assert large.settings.optimizer.betas is not None
    assert list(base.settings.optimizer.betas) == pytest.approx([0.9, 0.5**0.01])
    assert list(large.settings.optimizer.betas) == pytest.approx([0.9, 0.5**0.02])
    # Marek et al. 2025: from .95 at half a million tokens to 4,096.
    half_life = beta2_half_life(0.95, 524_288)
    assert half_life_beta2(half_life, 4096) == pytest.approx(0.9996, abs=5e-5)


def test_a_change_of_a_recipe_is_read_as_yaml_reads_it(tmp_path: Path) -> None:
    data = {"schedule": {"peak_lr": 1.0, "warmup": 3}, "model": {"preset": "gpt2-test"}}

    found = changed(
        data, {"schedule.peak_lr": 1e-05, "model.qkv_bias": None, "objective.name": "中"}, "x"
    )

    assert found["schedule"] == {"peak_lr": 1e-05, "warmup": 3}
    assert found["model"]["qkv_bias"] is None
    assert found["objective"] == {"name": "中"}
    base = read_base(make_study(tmp_path))
    run = make_run(base, Arm(name="a", changes={}), seed=1, tokens=640, folder=tmp_path)
    assert run.sizes.steps == 10
    assert run.ranks == 1
