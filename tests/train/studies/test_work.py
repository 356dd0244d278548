"""The queue without a server: every run once, whoever works, dies or comes back."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ContractError, PipelineError, SettingsError
from tests.support.studies import FakeExecutor, make_study, noise
from train.report.locks import InUseError, take_lock
from train.studies.claims import AskedToStopError, claim, held, holder
from train.studies.folder import enter, identity_of
from train.studies.outcome import (
    Costs,
    Documents,
    Outcome,
    exit_code,
    read_outcome,
    write_outcome,
)
from train.studies.plan import plan_study
from train.studies.runs import StudyRun
from train.studies.work import (
    finished,
    forget_failures,
    outcome_path,
    outcomes_of,
    work_through,
)

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom train.studies.claims import claim\n"
    "with claim(Path(sys.argv[1]), 'run') as mine:\n"
    "    print(mine, flush=True); time.sleep(60)\n"
)


def test_a_dead_workers_run_is_free_at_once(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "True\n"
        with claim(tmp_path, "run") as mine:
            assert not mine
        assert f"process {worker.pid} on" in (holder(tmp_path, "run") or "")
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()

    assert holder(tmp_path, "run") is None
    with claim(tmp_path, "run") as mine:
        assert mine
        assert f"process {os.getpid()} on" in (holder(tmp_path, "run") or "")


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    with held(tmp_path, "page"), (tmp_path / "page.lock").open() as file:
        assert not take_lock(file)
    with (tmp_path / "page.lock").open() as file:
        assert take_lock(file)


def test_every_run_is_done_once_and_a_failure_is_an_outcome(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path))

    def value(run: StudyRun) -> float:
        if run.name == "flat-seed-2":
            raise PipelineError("step 3: the gradient is no number")
        return 2.0 + 0.01 * noise(run)

    worker = FakeExecutor(value)
    found = work_through(plan.runs, plan.folder, worker)
    again = FakeExecutor(value)
    assert work_through(plan.runs, plan.folder, again) == found

    assert worker.asked == [run.name for run in plan.runs]
    assert again.asked == []
    failed = found["flat-seed-2"]
    assert (failed.state, failed.why) == ("failed", "step 3: the gradient is no number")
    assert exit_code(found) == 1
    assert exit_code({name: one for name, one in found.items() if one.is_done}) == 0
    assert [run.name for run in finished(plan.runs, found)] == [
        name for name in worker.asked if name != "flat-seed-2"
    ]


def test_a_run_that_another_worker_holds_is_left_to_it(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path, seeds=1))
    other, mine = FakeExecutor(lambda run: 1.0), FakeExecutor(lambda run: 2.0)
    first, second = plan.runs

    def value(run: StudyRun) -> float:
        # While this worker trains the second run, another one does the first.
        write_outcome(outcome_path(plan.folder, first.name), other(first))
        return 2.0

    mine.value = value
    with claim(plan.folder / "queue", first.name):
        found = work_through(plan.runs, plan.folder, mine, look_seconds=0.01)

    assert mine.asked == [second.name]
    assert {name: one.value for name, one in found.items()} == {"base-seed-1": 1.0, "flat-seed-1": 2.0}  # fmt: skip


def test_who_is_asked_to_stop_leaves_no_outcome(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path))

    def value(run: StudyRun) -> float:
        if run.seed == 2:
            raise AskedToStopError("SIGTERM")
        return 2.0

    with pytest.raises(AskedToStopError):
        work_through(plan.runs, plan.folder, FakeExecutor(value))

    assert sorted(outcomes_of(plan.runs, plan.folder)) == ["base-seed-1", "flat-seed-1"]


def test_the_outcome_of_another_recipe_is_not_taken(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path, seeds=1))
    work_through(plan.runs, plan.folder, FakeExecutor(lambda run: 2.0))
    other = make_study(tmp_path, seeds=1, arms={"flat": {"model.bias": False}})

    with pytest.raises(ContractError, match=r"flat-seed-1\.json: is of a run with other settings"):
        outcomes_of(plan_study(other).runs, plan.folder)


def test_a_folder_that_somebody_else_writes_into_is_no_failure_of_the_run(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path, seeds=1))

    def value(run: StudyRun) -> float:
        raise InUseError(f"{run.name}: in use by another run")

    with pytest.raises(InUseError):
        work_through(plan.runs, plan.folder, FakeExecutor(value))
    assert outcomes_of(plan.runs, plan.folder) == {}


def test_failures_can_be_forgotten_and_tried_again(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path, seeds=1))

    def value(run: StudyRun) -> float:
        if run.arm == "flat":
            raise PipelineError("a disk that was full")
        return 2.0

    work_through(plan.runs, plan.folder, FakeExecutor(value))

    assert forget_failures(plan.folder) == ["flat-seed-1"]
    again = FakeExecutor(lambda run: 3.0)
    found = work_through(plan.runs, plan.folder, again)
    assert again.asked == ["flat-seed-1"]
    assert (found["base-seed-1"].value, found["flat-seed-1"].value) == (2.0, 3.0)


WORKER = (
    "import sys, time\nfrom pathlib import Path\n"
    "from tests.support.studies import FakeExecutor, make_study\n"
    "from train.studies.study import run_study\nfrom train.studies.search_study import run_search\n"
    "folder, search = Path(sys.argv[1]), eval(sys.argv[2])\n"
    "def value(run):\n"
    "    with (folder / 'asked').open('a') as log: log.write(run.name + '\\n')\n"
    "    time.sleep(0.02)\n"
    "    return 2.0 + (run.settings.schedule.peak_lr or 0)\n"
    "study = make_study(folder, **search)\n"
    "go = run_search if study.search else run_study\n"
    "found = go(study, FakeExecutor(value).made, say=lambda text: None)\n"
)
ARMS = {"arms": {f"a{n}": {"schedule.peak_lr": 0.001 * n} for n in range(1, 5)}, "seeds": 2}
SEARCH = {
    "search": {"space": {"schedule.peak_lr": {"low": 0.001, "high": 0.1}}, "trials": 8, "confirm": None},
    "seeds": 1,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ARMS, SEARCH], ids=["arms", "search"])
def test_workers_share_a_study_and_none_does_what_another_has_done(
    kind: dict[str, Any], tmp_path: Path
) -> None:
    make_study(tmp_path, **kind)
    command = [sys.executable, "-c", WORKER, str(tmp_path), repr(kind)]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    errors = [worker.communicate(timeout=120)[1].decode() for worker in workers]

    assert [worker.returncode for worker in workers] == [0, 0, 0], errors
    asked = (tmp_path / "asked").read_text().split()
    assert len(asked) == len(set(asked)) == (10 if kind is ARMS else 8)
    found = json.loads((tmp_path / "study" / "study.json").read_text())
    assert len(found["table"]) == (5 if kind is ARMS else 8)
    assert {row.get("state", "done") for row in found["table"]} == {"done"}


def test_an_outcome_is_read_as_it_was_written(tmp_path: Path) -> None:
    documents = Documents(root="r", names=("文",), losses=(2.5,), labels=(3,))
    outcome = Outcome(
        name="a", fingerprint="f", state="failed", why="why", documents=documents, costs=Costs()
    )

    write_outcome(tmp_path / "a.json", outcome)
    found = read_outcome(tmp_path / "a.json")

    assert found is not None
    assert math.isnan(found.value)
    assert found.documents == documents
    assert math.isnan(found.costs.seconds)
    assert found.costs.memory_bytes is None
    assert read_outcome(tmp_path / "gone.json") is None
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ContractError, match="no outcome of a run"):
        read_outcome(tmp_path / "a.json")


def test_a_folder_of_another_base_recipe_is_refused_with_both_sides_named(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    plan = plan_study(study)
    enter(plan.folder, identity_of(plan))
    enter(plan.folder, identity_of(plan))
    more = make_study(tmp_path, seeds=5, arms={"new": {"model.bias": False}})
    enter(plan.folder, identity_of(plan_study(more)))  # arms and seeds may be added

    other = plan_study(make_study(tmp_path, set={"optimizer.weight_decay": 0.2}))
    with pytest.raises(
        SettingsError, match=r"recipe\.optimizer\.weight_decay is 0\.1 there and 0\.2 here"
    ):
        enter(plan.folder, identity_of(other))
    longer = plan_study(make_study(tmp_path, budget={"tokens": 1280}))
    with pytest.raises(SettingsError, match=r"budget\.tokens is 640 there and 1280 here"):
        enter(plan.folder, identity_of(longer))


def test_a_folder_that_is_no_study_is_refused(tmp_path: Path) -> None:
    plan = plan_study(make_study(tmp_path))
    plan.folder.mkdir()
    (plan.folder / "metrics.jsonl").write_text("")

    with pytest.raises(SettingsError, match=r"holds metrics\.jsonl, which is no study"):
        enter(plan.folder, identity_of(plan))
    (plan.folder / "metrics.jsonl").unlink()
    (plan.folder / "identity.json").write_text(json.dumps([]))
    with pytest.raises(ContractError, match="not the identity of a study"):
        enter(plan.folder, identity_of(plan))
