"""Arguments of all jobs: one recipe, single settings, and which stages run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.pipeline.arguments import parse_recipe_arguments, recipe_parser, refine_parser
from schemas.errors import SettingsError


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "r.yaml"
    source = {"name": "a", "uri": str(tmp_path), "format": "text"}
    settings = {"recipe": {"name": "r", "sources": [source]}, "runtime": {"output": "out"}}
    path.write_text(json.dumps(settings), "utf-8")
    return str(path)


def test_settings_of_the_command_line_win(recipe: str) -> None:
    argv = ["--recipe", recipe, "--set", "recipe.seed=7", "--set", "runtime.output=elsewhere"]

    settings, _ = parse_recipe_arguments(argv, recipe_parser("job"))

    assert (settings.recipe.seed, settings.runtime.output) == (7, "elsewhere")


def test_stages_are_arguments_of_runs_of_several_stages_alone(recipe: str) -> None:
    argv = ["--recipe", recipe, "--from", "clean", "--until", "dedup"]

    _, args = parse_recipe_arguments(argv, refine_parser("refine"))

    assert (args.first, args.until) == ("clean", "dedup")
    with pytest.raises(SystemExit) as stopped:
        parse_recipe_arguments(argv, recipe_parser("clean"))
    assert stopped.value.code == 2


def test_a_misspelt_setting_names_the_nearest(recipe: str) -> None:
    with pytest.raises(SettingsError, match="did you mean 'seed'"):
        parse_recipe_arguments(["--recipe", recipe, "--set", "recipe.sede=7"], recipe_parser("job"))
