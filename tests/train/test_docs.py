"""What the trainer's documentation tells people to write is what the trainer reads."""

from __future__ import annotations

import argparse
import re
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from train.__main__ import VERBS
from train.model.config import ModelConfig
from train.objectives.config import ObjectiveConfig
from train.settings import TrainSettings

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "examples/README.md",
    "docs/training.md",
    "docs/training_engine.md",
    "docs/models.md",
    "docs/numerics.md",
    "docs/branches.md",
    "docs/spikes.md",
    "docs/survival.md",
    "docs/quickstart.md",
    "docs/tutorials/read_the_shards.md",
    "docs/tutorials/second_language.md",
)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")


def commands(page: str) -> list[list[str]]:
    found = re.findall(r"-m train ([a-z][^`#|\n]*)", text_of(page))
    return [re.split(r" {3,}", command)[0].split() for command in found]


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_the_verbs_and_options_that_are_written(page: str) -> None:
    for verb, *words in commands(page):
        if verb not in VERBS:
            pytest.fail(f"{page}: no verb {verb}")
        parser = argparse.ArgumentParser()
        import_module(VERBS[verb][0]).add_arguments(parser)
        for option in (word.split("=")[0] for word in words if word.startswith("--")):
            assert option in parser._option_string_actions, f"{page}: {verb} {option}"


def models_of(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_of(part)]


def knows(model: type[BaseModel], keys: list[str]) -> bool:
    if not keys:
        return True
    field = model.model_fields.get(keys[0])
    if field is None:
        return False
    inner = models_of(field.annotation)
    return not inner or any(knows(one, keys[1:]) for one in inner)


def is_setting(key: str) -> bool:
    block, *rest = key.split(".")
    if block == "model" and rest:
        return rest[0] == "preset" or rest[0] in ModelConfig.model_fields
    if block == "objective" and rest:
        return rest[0] == "name" or any(knows(one, rest) for one in models_of(ObjectiveConfig))
    return knows(TrainSettings, [block, *rest])


@pytest.mark.parametrize("page", PAGES)
def test_dotted_settings_exist(page: str) -> None:
    blocks = "|".join(TrainSettings.model_fields)
    keys = re.findall(rf"[`\s]((?:{blocks})\.[a-z_0-9.]+[a-z_0-9])(?=[`=: ])", text_of(page))
    names = {key for key in keys if not key.endswith((".json", ".yaml", ".md", ".jsonl"))}

    assert [name for name in sorted(names) if not is_setting(name)] == []


def leaves(block: Any, prefix: str = "") -> list[str]:
    if not isinstance(block, dict):
        return [prefix]
    return [
        leaf
        for key, value in block.items()
        for leaf in leaves(value, f"{prefix}.{key}" if prefix else str(key))
    ]


def test_yaml_of_the_engine_page_is_a_recipe() -> None:
    fences = re.findall(r"```yaml\n(.*?)```", text_of("docs/training_engine.md"), re.DOTALL)
    recipes = [yaml.safe_load(fence) for fence in fences if "apiVersion" not in fence]

    assert len(recipes) >= 3
    for recipe in recipes:
        assert [leaf for leaf in leaves(recipe) if not is_setting(leaf)] == []
