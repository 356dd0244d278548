"""muP and CompleteP in every family: what a step moves does not depend on width and depth."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from schemas.errors import SettingsError
from schemas.yaml_files import dump_yaml
from tests.support.datasets import write_dataset
from train.__main__ import main
from train.commands.check_transfer import add_arguments
from train.model.config import ModelConfig, unsaid
from train.model.layers import weighted_part
from train.model.roles import Role
from train.model.sizes import with_size
from train.model.transformer import build_model
from train.optim.config import OptimizerConfig
from train.optim.groups import Transfer, build_optimizer, kind_of
from train.recipe_facts import judge_recipe
from train.settings import load_train_settings
from train.transfer import page
from train.transfer.coordinates import CheckConfig, check_coordinates, made_batch

BASE: dict[str, Any] = {
    "vocab_size": 64, "width": 32, "num_heads": 2, "max_positions": 16, "num_layers": 2
}  # fmt: skip
T5: dict[str, Any] = {"family": "t5", "positions": "relative", "norm": "rmsnorm", "bias": False}
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": {"family": "gpt2", "init_std": 0.1},
    "llama": {
        "family": "llama", "positions": "rotary", "norm": "rmsnorm", "activation": "swiglu",
        "bias": False, "tied_head": False, "init_std": 0.1,
    },
    "t5, tied head": {**T5, "activation": "relu", "tied_head": True},
    "t5 v1.1": {**T5, "activation": "geglu", "tied_head": False},
    "bert": {"family": "bert", "init_std": 0.1},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def check(family: str, axis: Any) -> Any:
    config = CheckConfig(axis=axis, factors=(1, 4), steps=3, seeds=1)
    return check_coordinates(ModelConfig(**BASE, **FAMILIES[family]), OptimizerConfig(), config)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("axis", ["width", "depth"])
def test_no_activation_moves_more_in_a_larger_model_and_without_it_some_do(
    family: str, axis: str
) -> None:
    found = check(family, axis)

    assert [(one.layer, one.slope) for one in found.faults] == []
    without = max(one.slope for one in found.standard)
    # Norms after the sums hide most of a deep model's growth.
    assert without > (0.5 if axis == "width" else max(one.slope for one in found.scaled) + 0.15)
    layers = {one.layer for one in found.scaled}
    assert "logits" in layers
    if family.startswith("t5"):
        assert {"encoder.last block", "decoder.last block's cross attention"} <= layers


def std(shape: ModelConfig, name: str) -> float:
    return float(build_model(shape, seed=0).state_dict()[name].std())


@pytest.mark.parametrize(
    ("family", "name", "factor"),
    [
        ("gpt2", "blocks.0.mlp.up.weight", 0.5),
        ("gpt2", "embedding.weight", 1.0),
        ("bert", "transform.weight", 0.5),
        ("bert", "pair_head.weight", 1.0),
        ("t5 v1.1", "encoder.blocks.0.mlp.up.weight", 0.5),
        ("t5 v1.1", "decoder.blocks.0.cross_attention.value.weight", 0.5),
        ("t5 v1.1", "head.weight", 1.0),
        ("t5, tied head", "embedding.weight", 1.0),
    ],
)
def test_at_four_times_the_width_hidden_matrices_start_at_half_and_tables_as_before(
    family: str, name: str, factor: float
) -> None:
    small = ModelConfig(**BASE, **FAMILIES[family]).model_copy(update={"mup_base_width": 32})
    large = with_size(small, layers=2, heads=8)

    assert std(large, name) / std(small, name) == pytest.approx(factor, rel=0.15)


@pytest.mark.parametrize("family", FAMILIES)
def test_at_the_base_size_the_model_is_the_one_without_parametrisation(family: str) -> None:
    plain = ModelConfig(**BASE, **FAMILIES[family])
    based = plain.model_copy(update={"mup_base_width": 32, "mup_base_depth": 2})
    batch = made_batch(plain, seed=1)

    logits = [build_model(shape, seed=0).eval().logits(batch) for shape in (plain, based)]

    assert torch.equal(*logits)


def test_completep_scales_rate_decay_and_epsilon_by_table_1() -> None:
    transfer, config = Transfer(width=4, depth=3), OptimizerConfig(weight_decay=0.1)

    hidden = kind_of("blocks.0.mlp.up.weight", Role.HIDDEN, config, transfer)
    table = kind_of("embedding.weight", Role.TABLE, config, transfer)
    norm = kind_of("blocks.0.mlp_norm.weight", Role.VECTOR, config, transfer)

    assert (hidden.lr_scale, hidden.decay_scale) == (0.25, 4)
    assert hidden.eps_scale == pytest.approx(1 / 12)
    assert (table.lr_scale, table.decay_scale, table.eps_scale) == (1, 1, 0.25)
    assert norm.eps_scale == pytest.approx(1 / 12)
    assert not norm.decays


def test_under_muon_a_matrix_of_any_width_moves_by_the_spectral_norm_of_the_base() -> None:
    norms = {}
    for heads in (2, 8):
        shape = with_size(ModelConfig(**BASE, **FAMILIES["llama"]), layers=2, heads=heads)
        model = build_model(shape.model_copy(update={"mup_base_width": 32}), seed=0)
        optimizer = build_optimizer([model], OptimizerConfig(name="muon", weight_decay=0.0))
        matrix = model.get_parameter("blocks.1.attention.output.weight")
        before = matrix.detach().clone()
        model(made_batch(shape, seed=0)).loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * group["lr_scale"]
        optimizer.step()
        norms[heads] = float(torch.linalg.matrix_norm(matrix.detach() - before, 2))

    # 0.2 x root of the width x rate, give or take what Newton and Schulz leave: singular values of .7 to 1.2.
    assert norms[2] == pytest.approx(0.2 * 32**0.5 * 0.01, rel=0.35)
    assert norms[8] == pytest.approx(norms[2], rel=0.15)


def test_muons_matrices_take_the_root_of_the_ratio_and_completep_keeps_rate_times_decay() -> None:
    transfer, config = Transfer(width=4, depth=3), OptimizerConfig(name="muon")

    hidden = kind_of("blocks.0.mlp.up.weight", Role.HIDDEN, config, transfer)
    table = kind_of("embedding.weight", Role.TABLE, config, transfer)

    assert (hidden.lr_scale, hidden.decay_scale) == (0.5, 2.0)
    assert table.lr_scale == 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_under_muon_no_activation_moves_more_or_less_in_a_wider_model(family: str) -> None:
    config = CheckConfig(axis="width", factors=(1, 4), steps=3, seeds=1)
    shape = ModelConfig(**BASE, **FAMILIES[family])

    found = check_coordinates(shape, OptimizerConfig(name="muon"), config)

    # With the factor of Adam, slopes of T5 go down to -0.29.
    slopes = {one.layer: one.slope for one in found.scaled if one.layer != "logits"}
    assert {name: slope for name, slope in slopes.items() if abs(slope) > 0.25} == {}


def test_mup_alone_leaves_decay_and_epsilon_as_earlier_runs_had_them() -> None:
    shape = ModelConfig(**BASE, mup_base_width=16)
    model = build_model(shape, seed=0)

    groups = build_optimizer([model], OptimizerConfig(weight_decay=0.1)).param_groups

    assert {group["eps"] for group in groups} == {1e-8}
    assert {group["weight_decay"] for group in groups} == {0.0, 0.1}
    assert {group["lr_scale"] for group in groups} == {0.5, 1.0}


def test_groups_of_a_deep_model_reach_adam() -> None:
    shape = ModelConfig(**BASE).model_copy(update={"mup_base_width": 16, "mup_base_depth": 1})
    optimizer = build_optimizer([build_model(shape, seed=0)], OptimizerConfig(weight_decay=0.1))

    by_rate = {group["lr_scale"]: group for group in optimizer.param_groups if group["decays"]}

    assert by_rate[0.5]["eps"] == pytest.approx(1e-8 / 4)
    assert by_rate[0.5]["weight_decay"] == pytest.approx(0.2)
    assert by_rate[1.0]["eps"] == pytest.approx(1e-8 / 2)


def test_twice_the_depth_halves_what_a_part_adds() -> None:
    assert float(weighted_part(torch.tensor(3.0), 0.5)) == 1.5


def test_a_base_depth_needs_a_base_width() -> None:
    with pytest.raises(ValidationError, match="mup_base_depth 2 needs mup_base_width"):
        ModelConfig(**BASE, mup_base_depth=2)


def test_identities_of_older_runs_do_not_name_the_new_field() -> None:
    assert "mup_base_depth" in unsaid(ModelConfig(**BASE))
    assert "mup_base_depth" not in unsaid(ModelConfig(**BASE, mup_base_width=16, mup_base_depth=2))


def write_recipe(folder: Path, **model: Any) -> Path:
    recipe = {
        "manifest": str(write_dataset(folder / "data").parent),
        "output": str(folder / "run"),
        "model": {"preset": "gpt2-test", **model},
        "stop": {"steps": 2},
        "threads": 1,
    }
    path = folder / "recipe.yaml"
    path.write_text(dump_yaml(recipe), "utf-8")
    return path


def test_the_command_passes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = tmp_path / "check.html"
    arguments = ["--factors", "1", "4", "--steps", "3", "--seeds", "1", "--page", str(drawn)]

    code = main(["check-transfer", "--recipe", str(write_recipe(tmp_path)), *arguments])

    text = capsys.readouterr().out
    assert code == 0
    assert "pass: muP keeps" in text
    assert "pass: CompleteP keeps" in text
    assert "Over the depth" in drawn.read_text("utf-8")


def test_a_parametrisation_that_does_not_hold_fails_and_names_the_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rates of hidden matrices as in the standard way: the check must see it."""
    monkeypatch.setattr(Transfer, "of", classmethod(lambda cls, shape: cls()))
    arguments = ["--factors", "1", "4", "--steps", "3", "--seeds", "1"]

    code = main(["check-transfer", "--recipe", str(write_recipe(tmp_path)), *arguments])

    assert code == 4
    assert "FAIL: the movement depends on the width in first block" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--factors", "2"], ["--rate", "0"]])
def test_one_size_or_no_rate_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    with pytest.raises(SettingsError, match="two factors and a rate"):
        main(["check-transfer", "--recipe", str(write_recipe(tmp_path)), *arguments])


def test_a_layer_that_does_not_move_is_a_fault() -> None:
    found = check("gpt2", "width").scaled[0]
    still = type(found)(layer="x", sizes=(0.0, 0.0), slope=math.nan)

    assert not still.transfers
    assert add_arguments is not None
    assert page.NAMES == {"width": "muP", "depth": "CompleteP"}


def test_a_deeper_model_needs_the_rate_that_was_tuned(tmp_path: Path) -> None:
    settings = load_train_settings(
        write_recipe(tmp_path, width=64, num_heads=4, mup_base_width=64, mup_base_depth=1)
    )

    with pytest.raises(SettingsError, match=r"schedule\.peak_lr: with model\.mup_base_width 64"):
        judge_recipe(settings, 1)


def test_a_plan_shows_the_decay_and_rate_of_hidden_matrices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, width=64, num_heads=4, mup_base_width=32, mup_base_depth=2)
    changes = ["--set", "schedule.peak_lr=0.01", "--set", "optimizer.weight_decay=0.125"]

    main(["plan", "--recipe", str(recipe), *changes])

    row = next(line for line in capsys.readouterr().out.splitlines() if " matrix " in line)
    assert "0.25" in row
    assert "x 0.5" in row
