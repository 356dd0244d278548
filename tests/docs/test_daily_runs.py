"""The page on daily runs: its recipes load, its commands parse, its DAG is one."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jobs.command.main import VERBS
from jobs.pipeline.arguments import Parser
from refinery.recipe import RefineSettings
from schemas.settings import parse_settings
from schemas.yaml_files import parse_yaml

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "daily_runs.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def parse_verb(command: str) -> Any:
    """The arguments of `refinery VERB ...`; an unknown flag ends the test."""
    words = shlex.split(command, comments=True)
    assert words[0] == "refinery"
    assert words[1] in VERBS
    parser = Parser()
    importlib.import_module(f"jobs.command.{words[1]}").add_arguments(parser)
    return parser.parse_args(words[2:])


@pytest.mark.parametrize("text", [b for b in blocks("yaml") if "recipe:" in b])
def test_its_recipes_load(text: str) -> None:
    data = parse_yaml(text)
    data.setdefault("runtime", {"output": "runs/x"})

    parse_settings(RefineSettings, data, where="docs/daily_runs.md")


def test_its_commands_parse() -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines() if line.strip()]

    assert len(lines) >= 6
    for line in lines:
        parse_verb(line)


class Operator:
    """Stands for Airflow's: keeps what it was given, and the order by `>>`."""

    made: list[Operator]

    def __init__(self, *, task_id: str, bash_command: str) -> None:
        self.task_id, self.bash_command = task_id, bash_command
        self.after: list[str] = []
        Operator.made.append(self)

    def __rshift__(self, other: Operator) -> Operator:
        other.after.append(self.task_id)
        return other


class Dag:
    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def __enter__(self) -> Dag:
        return self

    def __exit__(self, *_: object) -> None: ...


def test_its_dag_checks_refines_and_cleans_one_day_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Operator.made = []
    modules = {
        name: ModuleType(name)
        for name in ("airflow", "airflow.operators", "airflow.operators.bash")
    }
    vars(modules["airflow"])["DAG"] = Dag
    vars(modules["airflow.operators.bash"])["BashOperator"] = Operator
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    (source,) = blocks("python")
    found: dict[str, Any] = {}

    exec(compile(source, "daily_corpus.py", "exec"), found)

    assert [(task.task_id, task.after) for task in Operator.made] == [
        ("check", []), ("refine", ["check"]), ("clean", ["refine"]),
    ]  # fmt: skip
    assert found["dag"].settings["max_active_runs"] == 1
    for task in Operator.made:
        command = task.bash_command.replace("{{ ds }}", "2024-05-01")
        folder, _, verb = command.partition(" && ")
        assert folder == "cd /srv/corpus"
        assert "runs/daily/2024-05-01" in str(vars(parse_verb(verb)))


def test_the_line_for_cron_names_the_day_as_the_dag_does() -> None:
    (line,) = re.findall(r"^0 6 .*$", PAGE, re.MULTILINE)

    command = line.split("&&")[1].split(">>")[0].replace(r"$(date -u +\%F)", "2024-05-01")

    assert parse_verb(command).overrides == ["runtime.output=runs/daily/2024-05-01"]
