"""Parts of one's own, of examples/plugins: used by a run, versioned, said when they change, refused."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from schemas.errors import ContractError, SettingsError
from tests.support.extended import write_two_datasets
from train.commands.generate import write_texts
from train.generation.config import GenerationConfig
from train.generation.open_model import open_model
from train.loop.run import pretrain
from train.model.config import ModelConfig
from train.model.transformer import build_model
from train.optim.config import ScheduleConfig
from train.optim.schedules import Progress, learning_rate
from train.refusals.facts import RunFacts
from train.refusals.refuse import refusals
from train.settings import TrainSettings

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugins"


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example's module, on the path of imports."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_parts", raising=False)
    return Path(shutil.copy(EXAMPLE / "my_parts.py", tmp_path))


@pytest.fixture
def recipe(parts: Path, tmp_path: Path) -> dict[str, Any]:
    """The example's recipe, on a small dataset and for a few steps."""
    read: dict[str, Any] = yaml.safe_load((EXAMPLE / "train.yaml").read_text("utf-8"))
    data = write_two_datasets(tmp_path / "data")
    return read | {
        "manifest": str(data.base),
        "output": str(tmp_path / "run"),
        "threads": 1,
        "model": {**read["model"], "preset": "gpt2-test"},
        "stop": {"steps": 4},
        "checkpoint": {"every_steps": 2},
    }


def train(recipe: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    assert pretrain(TrainSettings.model_validate({**recipe, **changes})) == 0
    return [json.loads(line) for line in (Path(recipe["output"]) / "metrics.jsonl").open()]


def test_a_run_uses_the_parts_that_its_recipe_names(recipe: dict[str, Any]) -> None:
    records = train(recipe)

    output = Path(recipe["output"])
    # Two triangles over 4 steps: 0, the peak, 0, the peak.
    assert [record["lr"] for record in records] == pytest.approx([0.0, 0.001, 0.0, 0.001])
    # 8 rows of 16 tokens have 120 labels at most, and each document loses its first.
    plain = train({**recipe, "output": str(output) + "-plain", "objective": {"name": "causal"}})
    assert records[0]["labels"] < plain[0]["labels"]
    last = json.loads((output / "last_loss.json").read_text())
    assert last == {"step": 3, "loss": records[3]["loss"]}
    state = json.loads((output / "checkpoints" / "step-00000004" / "state.json").read_text())
    assert set(state["environment"]["plugins"]) == {
        "my_parts:LastLoss", "my_parts:SignSgd", "my_parts:SkipsFirstLabels",
        "my_parts:scaled_transformer", "my_parts:triangle",
    }  # fmt: skip
    assert state["identity"]["model"]["plugin"] == "my_parts:scaled_transformer"


def test_a_run_resumes_with_its_parts_and_says_which_changed(
    recipe: dict[str, Any], parts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = train({**recipe, "output": recipe["output"] + "-whole"})
    train(recipe, stop={"steps": 2}, schedule={**recipe["schedule"], "options": {"periods": 1}})
    parts.write_text(parts.read_text() + "\n# changed\n")
    resumed = {**recipe, "checkpoint": {"every_steps": 2, "accept_changes": ["schedule"]}}

    with caplog.at_level(logging.WARNING):
        records = train(resumed)

    said = [line for line in caplog.messages if "its code changed" in line]
    assert len(said) == 5
    assert "plug-in my_parts:SignSgd: its code changed" in said[1]
    assert len(records) == len(whole) == 4


def test_the_weights_of_a_model_of_one_s_own_are_read_where_it_is_trusted(
    recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(recipe)
    monkeypatch.delenv("TRAIN_TRUSTED_PLUGINS", raising=False)

    for folder in (recipe["output"], f"{recipe['output']}/export"):
        with pytest.raises(
            ContractError, match="TRAIN_TRUSTED_PLUGINS=my_parts:scaled_transformer"
        ):
            open_model(Path(folder))

    monkeypatch.setenv("TRAIN_TRUSTED_PLUGINS", "my_parts:scaled_transformer")
    model = open_model(Path(recipe["output"]))
    (answer,) = write_texts(model, ["t5 t6"], GenerationConfig(max_new_tokens=2))
    assert answer["text"]


def test_a_model_of_one_s_own_has_the_initial_values_of_its_family(parts: Path) -> None:
    shape = {"vocab_size": 50, "max_positions": 16}
    own = ModelConfig(**shape, plugin="my_parts:scaled_transformer", options={"factor": 2.0})  # type: ignore[arg-type]

    ours, theirs = build_model(ModelConfig(**shape), seed=3), build_model(own, seed=3)  # type: ignore[arg-type]

    assert type(theirs.embedding).__name__ == "ScaledEmbedding"
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(theirs.state_dict()[name], value)


def test_recipes_without_plugins_have_the_identity_that_they_had(recipe: dict[str, Any]) -> None:
    plain = {**recipe, "model": {"preset": "gpt2-test"}, "optimizer": {}, "schedule": {},
             "objective": {"name": "causal"}, "metrics": {}}  # fmt: skip
    train(plain)

    path = Path(recipe["output"]) / "checkpoints" / "step-00000004" / "state.json"
    identity = json.loads(path.read_text())["identity"]
    for block in ("model", "optimizer", "schedule"):
        assert not {"plugin", "options"} & identity[block].keys()


PROGRESS = Progress(
    step=1, tokens=10, total_steps=4, total_tokens=40, tokens_per_pass=40, step_in_pass=1
)


@pytest.mark.parametrize("rate", ["-1.0", "float('nan')", "None", "float('inf')"])
def test_a_schedule_that_gives_no_rate_is_refused(parts: Path, rate: str) -> None:
    parts.write_text(f"def bad(progress, config):\n    return {rate}\n")

    with pytest.raises(SettingsError, match=r"my_parts:bad gave .* at step 1"):
        learning_rate(PROGRESS, ScheduleConfig(plugin="my_parts:bad"))


@pytest.mark.parametrize(
    ("block", "code", "said"),
    [
        ("optimizer", "def part(groups, *, lr):\n    return 3\n", "gave int; expected a torch"),
        ("objective", "def part(context):\n    return 3\n", "gave int; expected something with"),
        ("optimizer", "", "no function or class 'part'"),
    ],
)
def test_what_is_no_such_part_is_refused(
    recipe: dict[str, Any], parts: Path, block: str, code: str, said: str
) -> None:
    parts.write_text(parts.read_text() + code)
    changed = {**recipe[block], "plugin": "my_parts:part", "options": {}}

    with pytest.raises(SettingsError, match=rf"{block}.plugin: my_parts:part:? .*{said}"):
        train(recipe, **{block: changed})


def test_what_works_on_our_own_blocks_is_refused(recipe: dict[str, Any]) -> None:
    asked = {**recipe, "parallel": {"tp": 2, "dp_shard": 2}, "recompute": "full", "compile": True}
    config = ModelConfig(plugin="my_parts:scaled_transformer", num_heads=2)

    faults = refusals(TrainSettings.model_validate(asked), RunFacts(model=config, world_size=4))

    named = [fault.split(" does not go with model.plugin")[0] for fault in faults]
    assert named[:4] == ["parallel.dp_shard 2", "parallel.tp 2", "recompute full", "compile"]
