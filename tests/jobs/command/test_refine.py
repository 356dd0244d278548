"""`refinery refine` hands on what it was given; `refinery report` says where its page is."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

import pytest

from jobs import launch
from jobs.command import refine, report
from schemas.errors import ContractError, PipelineError


def parse(verb: ModuleType, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    "argv",
    [
        ["--recipe", "r.yaml"],
        ["--recipe", "r.yaml", "--set", "recipe.seed=3", "--set", "runtime.output=o"],
        ["--recipe", "r.yaml", "--until", "clean", "--from", "ingest"],
    ],
)
def test_all_arguments_reach_the_local_start(
    argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[list[str]] = []
    monkeypatch.setattr(launch, "main", lambda argv: reached.append(argv) or 5)

    assert refine.run(parse(refine, *argv)) == 5

    assert reached == [argv]


def test_a_report_needs_a_finished_run(tmp_path: Path) -> None:
    with pytest.raises((ContractError, PipelineError), match=str(tmp_path)):
        report.run(parse(report, str(tmp_path)))
