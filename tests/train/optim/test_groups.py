"""Groups by what a parameter is, in every family and for every optimizer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from train.model.presets import resolve_model
from train.model.roles import Role, parameter_roles, role_of
from train.model.transformer import make_model
from train.objectives.config import MaskedConfig
from train.optim.config import OptimizerConfig
from train.optim.groups import build_optimizer, parameter_groups
from train.planning.groups import planned_groups
from train.vocabulary.trainable import train_rows_only

FAMILIES = [
    "gpt2-test",
    "opt-test",
    "neox-test",
    "llama-test",
    "t5-test",
    "t5-v1.1-test",
    "bert-test",
]
TABLES = {
    "gpt2-test": {"embedding.weight", "position.weight"},
    "opt-test": {"embedding.weight", "position.weight"},
    "neox-test": {"embedding.weight"},
    "llama-test": {"embedding.weight"},
    "t5-test": {"embedding.weight"},
    "t5-v1.1-test": {"embedding.weight"},
    "bert-test": {"embedding.weight", "position.weight", "token_type.weight"},
}
HEADS = {
    "neox-test": {"head.weight"},
    "llama-test": {"head.weight"},
    "t5-v1.1-test": {"head.weight"},
    "bert-test": {"pair_head.weight", "class_head.weight"},
}
BIAS_TABLES = {"encoder.relative.weight", "decoder.relative.weight"}


def model_of(preset: str) -> nn.Module:
    fields = {"num_classes": 3} if preset == "bert-test" else {}
    return make_model(resolve_model({"preset": preset, **fields}, vocab_size=90, seq_len=16))


def with_role(model: nn.Module, role: Role) -> set[str]:
    return {name for name, own in parameter_roles(model).items() if own is role}


@pytest.mark.parametrize("preset", FAMILIES)
def test_each_family_has_these_tables_and_heads_and_no_others(preset: str) -> None:
    model = model_of(preset)

    assert with_role(model, Role.TABLE) == TABLES[preset]
    assert with_role(model, Role.HEAD) == HEADS.get(preset, set())
    assert with_role(model, Role.BIAS_TABLE) == (BIAS_TABLES if "t5" in preset else set())
    shapes = dict(model.named_parameters())
    assert {n for n, p in shapes.items() if p.ndim < 2} == with_role(model, Role.VECTOR)
    # What is left lies in the blocks, or makes hidden states of a bert for its heads.
    hidden = with_role(model, Role.HIDDEN)
    assert all("blocks." in n or n in ("pooler.weight", "transform.weight") for n in hidden)


@pytest.mark.parametrize("name", ["adamw", "adafactor", "sgd", "lion", "muon"])
@pytest.mark.parametrize("preset", FAMILIES)
def test_biases_of_any_shape_and_norms_do_not_decay(preset: str, name: str) -> None:
    model = model_of(preset)
    config = OptimizerConfig.model_validate({"name": name, "weight_decay": 0.5})

    optimizer = build_optimizer([model], config)

    names = {id(parameter): key for key, parameter in model.named_parameters()}
    spared = {
        names[id(p)] for g in optimizer.param_groups if not g["weight_decay"] for p in g["params"]
    }
    assert spared == with_role(model, Role.VECTOR) | with_role(model, Role.BIAS_TABLE)
    by_names = parameter_groups(model.named_parameters(), config)
    assert {n for g in by_names if not g["weight_decay"] for n, _ in g["params"]} == spared


@pytest.mark.parametrize("preset", FAMILIES)
def test_muon_turns_matrices_between_hidden_units_alone(preset: str) -> None:
    model = model_of(preset)
    optimizer = build_optimizer([model], OptimizerConfig(name="muon"))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)

    optimizer.step()

    names = {id(parameter): key for key, parameter in model.named_parameters()}
    moments = {names[id(p)] for p, state in optimizer.state.items() if "exp_avg_sq" not in state}
    assert moments == with_role(model, Role.HIDDEN)


def test_rows_that_are_trained_apart_are_still_a_table_and_a_head() -> None:
    model = model_of("llama-test")
    train_rows_only(model, 80, 90)

    roles = {n: r for n, r in parameter_roles(model).items() if "original1" in n}

    assert roles == {
        "embedding.parametrizations.weight.original1": Role.TABLE,
        "head.parametrizations.weight.original1": Role.HEAD,
    }


def test_a_table_of_another_model_is_known_by_its_class() -> None:
    other = nn.ModuleDict({"words": nn.Embedding(4, 2), "mix": nn.Linear(2, 2)})

    assert parameter_roles(other)["words.weight"] is Role.TABLE
    assert parameter_roles(other)["mix.weight"] is Role.HIDDEN
    # A part of a name says nothing: only the module that owns the parameter does.
    assert role_of("blocks.0.head_mixer.weight", torch.zeros(2, 2)) is Role.HIDDEN


def test_a_plan_lists_the_groups() -> None:
    config = resolve_model({"preset": "t5-test"}, vocab_size=90, seq_len=16)

    groups = planned_groups(config, OptimizerConfig(name="muon"))

    listed = {str(g.role): (g.kind.decays, g.kind.is_orthogonal) for g in groups}
    assert listed == {
        "table": (True, False),
        "matrix": (True, True),
        "table of biases": (False, False),
        "vector": (False, False),
    }
    assert sum(group.parameters for group in groups) == config.num_parameters()


def test_a_plan_leaves_out_heads_that_the_objective_does_not_read() -> None:
    config = resolve_model({"preset": "bert-test"}, vocab_size=90, seq_len=16)
    width = config.width

    whole = planned_groups(config, OptimizerConfig())
    masked = planned_groups(config, OptimizerConfig(), MaskedConfig())

    assert "head" not in {str(group.role) for group in masked}
    left_out = sum(g.parameters for g in whole) - sum(g.parameters for g in masked)
    assert left_out == (width * width + width) + (2 * width + 2)  # pooler, head for pairs
