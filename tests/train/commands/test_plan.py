"""What a plan says before a run: sizes against published or counted ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from schemas.errors import ContractError
from tests.support.datasets import write_dataset
from train.__main__ import main
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.parallel.recompute import recompute_and_compile
from train.planning.estimate import estimate
from train.planning.fitting import activation_bytes, any_batch, largest_microbatch
from train.recipe_facts import judge_recipe
from train.settings import TrainSettings, load_train_settings


def settings(**changes: Any) -> TrainSettings:
    return TrainSettings.model_validate(
        {
            "manifest": "none",
            "output": "none",
            "stop": {"steps": 1},
            "model": {"preset": "gpt2-test", "num_layers": 4, "num_heads": 4},
            "batch": {"sequences": 16, "microbatch": 2},
        }
        | changes
    )


def test_1024_ranks_hold_a_175b_between_them() -> None:
    recipe = Path(__file__).parents[3] / "train" / "recipes" / "gpt3-175b.yaml"
    plan = load_train_settings(recipe)
    config = resolve_model(plan.model, vocab_size=51_200, seq_len=2048)

    found = estimate(plan, config, world=1024, seq_len=2048)

    # Narayanan et al. 2021, table 1: 174.6 billion; 96 layers over 16 pipeline ranks; 1,536 rows.
    assert found.parameters == pytest.approx(174.6e9, rel=1e-3)
    assert [load.layers for load in found.ranks] == [6] * 16
    assert found.microbatches == 1536 // 8
    held = sum(load.parameters for load in found.ranks) * 8
    # Norms and biases are on every tensor rank, the tied table on two stages.
    assert found.parameters < held < 1.01 * found.parameters
    assert max(load.memory_bytes for load in found.ranks) < 40e9


@pytest.mark.parametrize("parallel", [{"tp": 2}, {"dp_shard": 4}, {"pp": 2}, {"pp": 2, "tp": 2}])
def test_parameters_of_the_ranks_add_up(parallel: dict[str, Any]) -> None:
    plan = settings(parallel=parallel)
    config = resolve_model(plan.model, vocab_size=101, seq_len=16)
    world = 1
    for degree in parallel.values():
        world *= degree

    found = estimate(plan, config, world=world, seq_len=16)

    whole = sum(parameter.numel() for parameter in build_model(config, seed=1).parameters())
    assert found.parameters == whole
    held = sum(load.parameters for load in found.ranks) * world // parallel.get("pp", 1)
    assert whole <= held < 1.6 * whole


@pytest.mark.slow
def test_the_largest_microbatch_is_the_last_below_the_limit() -> None:
    plan = settings(batch={"sequences": 64, "microbatch": 2})
    config = resolve_model(plan.model, vocab_size=97, seq_len=16)
    torch.set_num_threads(1)

    unlimited = largest_microbatch(plan, config, seq_len=16, limit_bytes=10**12)
    limit = (unlimited.peaks[8] + unlimited.peaks[16]) // 2
    found = largest_microbatch(plan, config, seq_len=16, limit_bytes=limit)

    assert unlimited.largest == 64
    assert found.largest == 8
    grown = unlimited.peaks[16] - unlimited.peaks[8]
    assert unlimited.peaks[32] - unlimited.peaks[16] == pytest.approx(2 * grown, rel=0.05)


def test_curves_are_drawn_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = write_dataset(tmp_path / "data")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"manifest: {manifest}\noutput: none\nstop: {{steps: 40}}\nschedule: {{warmup: 5}}\n"
        "model: {preset: gpt2-test}\nbatch: {sequences: 4, microbatch: 2}\n"
    )

    page = tmp_path / "plan.html"
    code = main(["plan", "--recipe", str(recipe), "--page", str(page)])

    assert code == 0
    assert "40 steps, 160 rows of 16 tokens" in capsys.readouterr().out
    text = page.read_text()
    assert text.count('<figure class="chart') == 4
    assert "http" not in text.split("<script>")[0].replace("http-equiv", "")


def test_what_a_forward_pass_leaves_is_counted_whoever_keeps_it() -> None:
    rows, tokens, width, layers = 2, 16, 32, 4
    kept = {}
    for how in ("none", "selective", "full"):
        shape = {"preset": "gpt2-test", "num_layers": layers, "num_heads": 4, "width": width}
        plan = settings(model=shape, recompute=how)
        model = build_model(resolve_model(plan.model, vocab_size=50, seq_len=tokens), seed=1)
        recompute_and_compile(model, recompute=plan.recompute, compiles=plan.compile)
        kept[how] = activation_bytes(model, any_batch(rows, tokens, 50))

    # fp32 of [rows, tokens, width]; a block's products give 3 + 1 + 4 + 1 of them, attention 1.
    one = 4 * rows * tokens * width
    assert kept["full"] < kept["selective"] < kept["none"]
    assert kept["selective"] - kept["full"] == pytest.approx(layers * 10 * one, rel=0.05)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("auto", "peak rate 0.0013 for adamw and 1,972,992 parameters, 1,179,648 of them embeddings: Kaplan et al. 2020, equation D.1"),
        ("0.003", None),
    ],
)  # fmt: skip
def test_a_plan_says_which_peak_was_published_where_the_recipe_names_none(
    written: str, line: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--seq-len", "512", "--vocab-size", "8192", "--world", "2"]
    overrides = ["--set", f"schedule.peak_lr={written}"]

    assert main(["plan", "--recipe", "demo", *sizes, *overrides]) == 0

    said = [one for one in capsys.readouterr().out.splitlines() if one.startswith("peak rate")]
    assert said == ([] if line is None else [line])


def test_a_dataset_that_is_not_there_is_named_with_its_phase(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    gone = tmp_path / "gone"
    phases = [{"stop": {"steps": 2}}, {"manifest": str(gone)}]
    asked = settings(manifest=str(data), phases=phases, batch={"sequences": 4, "microbatch": 2})

    with pytest.raises(
        ContractError, match=rf"^phases\.1: {gone}/manifest.json: no manifest there"
    ):
        judge_recipe(asked, 1)
    with pytest.raises(ContractError, match=rf"^{gone}/manifest.json: no manifest there"):
        judge_recipe(settings(manifest=str(gone)), 1)
