"""The verbs that look at a run: one small run, then its report, its steps and its evaluation."""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from schemas.errors import ContractError, SettingsError
from schemas.manifest import read_manifest
from tests.support.extended import write_two_datasets
from train.commands import compare, evaluate, plan, pretrain, report, selftest, trace
from train.commands.arguments import settings_of
from train.commands.evaluate_control import Control
from train.commands.evaluate_model import evaluate_model
from train.evaluation.run_task import TaskChoice
from train.report.page import render
from train.selftest.cases import FAMILIES, cases
from train.selftest.run import is_refused

STEPS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, its data, and its finished run."""
    root = tmp_path_factory.mktemp("run")
    data = write_two_datasets(root)
    recipe: dict[str, Any] = {
        "manifest": str(data.base), "output": str(root / "run"), "threads": 1,
        "precision": {"compute": "fp32"},
        "model": {"preset": "gpt2-test"}, "objective": {"name": "causal"},
        "batch": {"sequences": 4, "microbatch": 4}, "stop": {"steps": STEPS},
        "evaluation": {"microbatch": 4},
    }  # fmt: skip
    (root / "r.yaml").write_text(yaml.safe_dump(recipe))
    run(pretrain, "--recipe", str(root / "r.yaml"))
    return root


def last_metrics(folder: Path) -> dict[str, Any]:
    """The record of the last step."""
    lines = (folder / "run" / "metrics.jsonl").read_text("utf-8").splitlines()
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def run(verb: ModuleType, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    code: int = verb.run(parser.parse_args(arguments))
    return code


def test_the_page_is_offline_and_has_what_the_run_wrote(folder: Path) -> None:
    assert run(report, "--run", str(folder / "run")) == 0

    page = (folder / "run" / "report.html").read_text("utf-8")
    # The library, the charts, the order of tables.
    assert page.count("<script>") == 3
    assert "default-src 'none'" in page
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert "http://" not in own
    assert "https://" not in own
    assert page.count('<figure class="chart') >= 8
    assert "<dt>parameters</dt>" in page
    last = last_metrics(folder)
    assert last["step"] == STEPS - 1
    assert f"<dd>{last['loss']:.4f}</dd>" in page
    for event in ("start", "manifest"):
        assert event in page


def test_a_report_names_its_run_as_an_argument_too(folder: Path, tmp_path: Path) -> None:
    assert run(report, str(folder / "run"), "--out", str(tmp_path / "page.html")) == 0

    assert "<h1>run</h1>" in (tmp_path / "page.html").read_text("utf-8")
    with pytest.raises(SettingsError, match="name the output folder"):
        run(report)


def test_a_folder_without_metrics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=str(tmp_path)):
        render(tmp_path)


def test_a_step_is_traced_to_its_documents(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(folder / "r.yaml")

    assert run(trace, "--recipe", recipe, "--step", "2") == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["sample"] for line in lines] == [8, 9, 10, 11]
    root = read_manifest(folder / "base").root
    assert {line["manifest"] for line in lines} == {root[:12]}
    assert all(document["doc_id"] for line in lines for document in line["documents"])
    with pytest.raises(SettingsError, match="steps 0 to 2"):
        run(trace, "--recipe", recipe, "--step", "3")


def test_an_evaluation_is_made_once_for_each_question(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = tmp_path / "words.jsonl"
    items = [{"question": f"t{n} t{n + 1}", "choices": ["t5 t6", "t9"], "answer": n % 2}
             for n in range(5, 9)]  # fmt: skip
    tasks.write_text("".join(json.dumps(item) + "\n" for item in items))
    out = tmp_path / "evaluation.json"
    asked = ["--checkpoint", str(folder / "run"), "--manifest", str(folder / "base"),
             "--tasks", str(tasks), "--output", str(out)]  # fmt: skip

    assert run(evaluate, *asked) == 0
    result, written = json.loads(out.read_text()), out.stat().st_mtime_ns
    assert run(evaluate, *asked) == 0

    assert out.stat().st_mtime_ns == written, "the same question is not answered twice"
    (task,) = result["tasks"]
    assert (task["name"], task["items"], task["chance"]) == ("words", 4, 0.5)
    # The run itself measured the same loss at its end.
    heldout = last_metrics(folder)["heldout"]
    assert result["heldout"]["loss"] == pytest.approx(heldout["loss"], rel=1e-6)
    assert "words" in capsys.readouterr().out
    assert run(evaluate, *asked, "--max-rows", "3") == 0
    assert out.stat().st_mtime_ns != written


def test_an_evaluation_has_a_control_a_page_and_a_comparison(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: Any
) -> None:
    """Of the run's own shards; the control answers the same items."""
    tasks = tmp_path / "words.jsonl"
    items = [{"question": f"t{n} t{n + 1}", "choices": [f"t{n + 2}", "<b>t9"], "answer": 0}
             for n in range(5, 9)]  # fmt: skip
    tasks.write_text("".join(json.dumps(item) + "\n" for item in items))
    caplog.set_level("INFO")
    sides = [tmp_path / f"{name}.json" for name in ("whole", "some")]

    for side, more in zip(sides, ([], ["--limit", "3"]), strict=True):
        asked = ["--checkpoint", str(folder / "run"), "--tasks", str(tasks), "--control"]
        plain = ["--lm-eval", str(tmp_path / "lm.json")]
        assert run(evaluate, *asked, *more, *plain, "--output", str(side)) == 0
    assert run(compare, *map(str, sides), "--out", str(tmp_path / "both.html")) == 0

    result = json.loads(sides[0].read_text())
    (control,) = result["control"]["tasks"]
    assert control["form"].startswith("5-grams counted from ")
    assert control["items"] == 4
    assert result["control"]["manifest_root"] == read_manifest(folder / "base").root
    assert "words: 4 items: no difference between two models could be told" in caplog.text
    assert json.loads((tmp_path / "lm.json").read_text())["n-samples"]["words"]["effective"] == 3
    page = (tmp_path / "whole.html").read_text("utf-8")
    assert "5-gram control" in page
    lines = (tmp_path / "whole" / result["tasks"][0]["items_file"]).read_text().splitlines()
    assert json.loads(lines[0])["candidates"][1] == "<b>t9"
    assert "<b>t9" not in (tmp_path / "both.html").read_text("utf-8")
    assert "3 items in common, of 4" in capsys.readouterr().out


def test_a_control_of_an_unknown_text_is_refused(folder: Path, tmp_path: Path) -> None:
    tasks = tmp_path / "words.jsonl"
    tasks.write_text('{"question": "q", "choices": ["x", "y"], "answer": 0}\n')
    export = ["--model", str(folder / "run" / "export"), "--tasks", str(tasks), "--control"]

    with pytest.raises(SettingsError, match="give its --manifest"):
        run(evaluate, *export, "--output", str(tmp_path / "e.json"))
    assert Control(str(folder / "base"), None, tmp_path).of([], TaskChoice())["tasks"] == []


def test_an_export_is_evaluated_and_compared_without_its_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    moved = tmp_path / "published"
    shutil.copytree(folder / "run" / "export", moved)

    asked = ["--manifest", str(folder / "base"), "--model", str(moved), str(folder / "run")]
    assert run(evaluate, *asked) == 0

    said = capsys.readouterr().out
    alone = json.loads((tmp_path / "evaluation-published.json").read_text())
    of_run = json.loads((folder / "run" / "evaluation.json").read_text())
    assert alone["heldout"]["loss"] == pytest.approx(of_run["heldout"]["loss"], rel=1e-6)
    assert alone["objective"] == "causal"
    assert str(moved) in said
    assert f"{alone['heldout']['loss']:.4f}" in said


def test_what_cannot_be_evaluated_is_refused(folder: Path, tmp_path: Path) -> None:
    tasks = tmp_path / "t.jsonl"
    tasks.write_text('{"question": "q", "choices": ["x", "y"], "answer": 0}\n')
    model = ["--model", str(folder / "run")]

    with pytest.raises(SettingsError, match="nothing to evaluate on"):
        run(evaluate, *model)
    with pytest.raises(SettingsError, match=r"--shots 2: give --examples FILE"):
        run(evaluate, *model, "--tasks", str(tasks), "--shots", "2")
    with pytest.raises(SettingsError, match="--shots 2: task t has 0 examples"):
        run(evaluate, *model, "--tasks", str(tasks), "--shots", "2", "--examples", str(tasks))
    with pytest.raises(ContractError, match="no such folder"):
        run(evaluate, "--model", str(tmp_path / "none"), "--tasks", str(tasks))


def test_another_tokenizer_is_refused(folder: Path) -> None:
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    other = ["--checkpoint", str(folder / "run"), "--manifest", str(folder / "extended")]

    with pytest.raises(ContractError, match="its tokenizer is"):
        evaluate_model(parser.parse_args(other), folder / "run", folder / "evaluation")


def test_a_plan_says_what_the_run_did(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(plan, "--recipe", str(folder / "r.yaml")) == 0

    said = " ".join(capsys.readouterr().out.split())
    assert f"{STEPS} steps, {4 * STEPS} rows of 16 tokens" in said


def test_settings_of_the_command_line_win(folder: Path) -> None:
    args = argparse.Namespace(recipe=folder / "r.yaml", overrides=["seed=9", "stop.steps=1"])

    settings = settings_of(args)

    assert (settings.seed, settings.stop.steps) == (9, 1)


@pytest.mark.parametrize(
    ("option", "name", "known"),
    [("--family", "gtp2", "gpt2"), ("--strategy", "fsdp x tb", "fsdp x tp")],
)
def test_a_selftest_of_no_cell_is_refused(option: str, name: str, known: str) -> None:
    with pytest.raises(SettingsError, match=f"did you mean '{known}'"):
        run(selftest, option, name)


def test_the_one_cell_that_torch_cannot_run_is_left_out() -> None:
    left_out = [
        (family.name, case.name)
        for family in FAMILIES
        for case in cases(4)
        if is_refused(family, case, 4)
    ]

    assert left_out == [("t5", "pp zero_bubble")]
