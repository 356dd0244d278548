"""Real runs of a study: trained as any run is, measured on the same documents, stopped and resumed without a trace."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from schemas.errors import PipelineError, SettingsError
from schemas.yaml_files import dump_yaml, read_yaml
from tests.support.studies import make_study, study_data
from train.distributed.world import World
from train.evaluation.open_heldout import HeldoutRequest, heldout_of_weights, open_heldout
from train.generation.open_model import open_weights
from train.objectives.config import parse_objective
from train.report.run_files import read_metrics
from train.studies import execute as module
from train.studies.claims import AskedToStopError
from train.studies.execute import Executor, StopAtStep
from train.studies.found import RESULT_NAME
from train.studies.pilot import pilot_runs
from train.studies.plan import plan_study
from train.studies.search_study import run_search
from train.studies.settings import MeasureConfig
from train.studies.study import run_study


def test_a_run_is_measured_document_by_document(tmp_path: Path) -> None:
    # Processors that are fast at bf16 would train in it, and evaluate a run so; studies measure in fp32.
    exact = {"evaluation": {"max_rows": None}, "precision": {"compute": "fp32"}}
    plan = plan_study(make_study(tmp_path, seeds=1, set=exact))
    run = plan.runs[0]

    outcome = Executor(plan.measure)(run)

    folder = Path(run.settings.output)
    own = json.loads((folder / "evaluation.json").read_text())["heldout"]
    assert outcome.value == pytest.approx(own["loss"], rel=1e-9)  # the run's own evaluation
    assert outcome.tokens == 640
    assert (folder / "recipe.yaml").is_file()
    assert (folder / "report.html").is_file()
    documents = outcome.documents
    assert documents is not None
    # 12 rows of which every third holds two documents.
    assert len(documents.names) == 16
    assert all(documents.names)
    weights = open_weights(folder)
    split = open_heldout(
        weights,
        HeldoutRequest(
            manifest=run.settings.manifest, objective=parse_objective({"name": "causal"})
        ),
    )
    whole = heldout_of_weights(weights, split, World(rank=0, size=1, device=torch.device("cpu")))
    firsts = whole.totals.labels - sum(documents.labels)
    assert 0 <= firsts <= 16  # first tokens that nothing precedes in their row
    assert sum(documents.losses) < whole.totals.loss


def test_a_run_that_waits_at_a_rung_ends_as_one_that_never_waited(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path, seeds=1))
    executor = Executor(plan.measure)
    run = plan.runs[0]
    first = executor(replace(run, until_step=3))
    second = executor(replace(run, until_step=6))
    end = executor(run)
    elsewhere = plan_study(make_study(tmp_path, seeds=1, output=str(tmp_path / "other"))).runs[0]
    whole = executor(elsewhere)

    assert (first.tokens, second.tokens, end.tokens) == (192, 384, 640)
    assert end.value == whole.value
    assert end.documents == whole.documents
    steps = [one["step"] for one in read_metrics(Path(run.settings.output) / "metrics.jsonl")]
    assert steps == list(range(10))  # no step was done twice


def test_a_rung_before_the_first_line_of_metrics_is_measured(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path, seeds=1, set={"metrics.every_steps": 50}))
    executor = Executor(plan.measure)

    rung = executor(replace(plan.runs[0], until_step=1))
    end = executor(plan.runs[0])

    assert (rung.state, end.state) == ("done", "done")
    assert math.isnan(rung.costs.seconds)
    assert end.costs.seconds > 0  # the mean of the steps that were written, for all ten


def test_a_worker_that_is_asked_to_stop_takes_no_other_run(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path, seeds=1))
    executor = Executor(plan.measure)
    executor._flag.is_set = True

    with pytest.raises(AskedToStopError, match="same command goes on"):
        executor(plan.runs[0])

    flag = StopAtStep(3, executor._flag)
    executor._flag.is_set = False
    assert [flag.is_set for _ in range(3)] == [False, False, True]
    assert module.RECIPE_NAME == "recipe.yaml"


def test_several_ranks_are_started_as_torchrun_starts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = {"parallel.dp_shard": 2, "batch.sequences": 4}
    run = plan_study(make_study(tmp_path, seeds=1, set=ranks)).runs[0]
    asked: list[list[str]] = []

    def started(command: list[str], **more: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(subprocess, "run", started)
    with pytest.raises(PipelineError, match="its ranks ended with exit code 3"):
        Executor(MeasureConfig(manifest=str(tmp_path / "data")))(run)

    (command,) = asked
    assert command[command.index("--nproc-per-node") + 1] == "2"
    assert command[command.index("--recipe") + 1] == f"{run.settings.output}/recipe.yaml"
    study = make_study(tmp_path, seeds=1, set=ranks, pilot={"seeds": 2})
    with pytest.raises(SettingsError, match="lays out 2 ranks; set pilot: null"):
        pilot_runs(plan_study(study))


@pytest.mark.slow
def test_a_study_that_is_killed_and_started_again_ends_with_the_same_table(tmp_path: Path) -> None:
    data = {"seeds": 1, "ablate": ["bias"], "set": {"checkpoint.every_steps": 1}}
    (tmp_path / "whole").mkdir()
    whole = make_study(tmp_path / "whole", **data)
    run_study(whole, Executor, say=lambda text: None)
    folder = tmp_path / "killed"
    folder.mkdir()
    path = folder / "study.yaml"
    path.write_text(dump_yaml(study_data(folder, **data)))
    command = [sys.executable, "-m", "train", "study", str(path)]

    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = folder / "study" / "runs" / "without-bias-seed-1" / "checkpoints" / "latest"
    while not checkpoint.is_file() and worker.poll() is None:
        time.sleep(0.01)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    subprocess.run(command, check=True, capture_output=True)

    found = json.loads((folder / "study" / RESULT_NAME).read_text())["table"]
    assert found == json.loads((tmp_path / "whole" / "study" / RESULT_NAME).read_text())["table"]
    assert found[1]["by_seed"]["1"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["gp", "cmaes"])
def test_samplers_with_a_model_search_over_real_runs(sampler: str, tmp_path: Path) -> None:
    space = {
        "schedule.peak_lr": {"low": 1e-4, "high": 3.0, "log": True},
        "optimizer.weight_decay": {"low": 0.0, "high": 0.5},
    }
    search = {"space": space, "sampler": sampler, "trials": 4, "confirm": None, "start": ["recipe"]}
    study = make_study(tmp_path, search=search, seeds=1, budget={"tokens": 128})

    found = run_search(study, Executor, say=lambda text: None)

    assert [one.state for one in found.trials] == ["done"] * 4
    values = [one.value for one in found.trials if one.value is not None]
    assert len(set(values)) == 4
    assert found.best is not None
    assert found.best.value == min(values)
    assert found.trials[0].settings["schedule.peak_lr"] == 0.01
    for one in found.trials:  # each is a run with its own rate
        recipe = tmp_path / "study" / "runs" / f"trial-{one.number:04d}-seed-1" / "recipe.yaml"
        rate = read_yaml(recipe)["schedule"]["peak_lr"]
        assert rate == pytest.approx(one.settings["schedule.peak_lr"])
