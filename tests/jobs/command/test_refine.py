"""`refinery refine` hands on what it was given; `refinery report` says where its page is."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from jobs import launch
from jobs.command import refine, report
from jobs.spark import launcher
from jobs.spark.java import Java
from jobs.spark.worker_daemon import MODULE
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
        ["--recipe", "r.yaml", "--ui", "--conf", "spark.a=b", "--conf", "spark.c.d=e f"],
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


def test_a_recipe_is_named_by_its_first_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[list[str]] = []
    monkeypatch.setattr(launch, "main", lambda argv: reached.append(argv) or 0)

    refine.run(parse(refine, "r.yaml", "--until", "clean"))

    assert reached == [["--recipe", "r.yaml", "--until", "clean"]]


def test_spark_is_started_with_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "find_java", lambda: Java(Path("/java"), 21))
    monkeypatch.setenv("REFINERY_MASTER", "local[3]")
    monkeypatch.setenv("REFINERY_DRIVER_MEMORY", "2g")
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)
    asked = parse(refine, "r.yaml", "--ui", "--conf", "spark.local.dir=/a b")

    found = launcher.launcher_environment(
        Path("s.log"), Path("l.properties"), with_ui=asked.ui, conf=asked.conf
    )

    words = shlex.split(found["PYSPARK_SUBMIT_ARGS"])
    assert words[:4] == ["--master", "local[3]", "--driver-memory", "2g"]
    assert words[-7:] == [
        "--conf", "spark.ui.enabled=true", "--conf", f"spark.python.daemon.module={MODULE}",
        "--conf", "spark.local.dir=/a b", "pyspark-shell",
    ]  # fmt: skip


def test_on_a_cluster_spark_has_its_own_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "find_java", lambda: Java(Path("/java"), 21))
    monkeypatch.setenv("REFINERY_MASTER", "spark://far:7077")
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)

    found = launcher.launcher_environment(Path("s.log"), Path("l"), with_ui=False, conf=())

    assert "daemon" not in found["PYSPARK_SUBMIT_ARGS"]


def test_a_setting_that_is_not_of_spark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(refine, "r.yaml", "--conf", "runtime.partitions=3")

    assert "expected spark.KEY=VALUE, got 'runtime.partitions=3'" in capsys.readouterr().err
