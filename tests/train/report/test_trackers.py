"""Trackers of the figures: fakes at the border of their packages, which the tests do not install.

The real packages were run once with the same calls: docs/training_engine.md names the versions.
"""

from __future__ import annotations

import logging
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import SettingsError
from schemas.settings import parse_settings
from train.report.config import SinkConfig
from train.report.trackers import open_tracker, run_id
from train.settings import MetricsConfig

RECORD = {
    "step": 3,
    "loss": 2.5,
    "loss_by_source": {"中文 <b>": 2.0},
    "pair_loss": None,
    "time": 9.0,
}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "settings.yaml").write_text("seed: 17\n")
    return tmp_path / "run"


class FakeRun:
    """What `wandb.init` returns."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.is_finished = False

    def log(self, values: dict[str, float], *, step: int) -> None:
        self.logged.append((step, values))

    def finish(self) -> None:
        self.is_finished = True


def fake_wandb(monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    runs: list[FakeRun] = []

    def init(**options: Any) -> FakeRun:
        runs.append(FakeRun(**options))
        return runs[-1]

    module = types.ModuleType("wandb")
    module.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return runs


def test_wandb_is_offline_and_knows_the_recipe(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = fake_wandb(monkeypatch)

    tracker = open_tracker(SinkConfig(name="wandb"), output, first_step=0)
    tracker.write(RECORD)
    tracker.close()

    (run,) = runs
    assert run.options["mode"] == "offline"
    assert run.options["dir"] == str(output)
    assert run.options["config"] == {"seed": 17}
    assert run.logged == [(3, {"loss": 2.5, "loss_by_source/中文 <b>": 2.0})]
    assert run.is_finished


def test_a_resumed_run_goes_on_in_the_same_run_of_wandb(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = fake_wandb(monkeypatch)
    for first_step in (0, 4):
        open_tracker(SinkConfig(name="wandb"), output, first_step=first_step).close()

    assert runs[0].options["id"] == runs[1].options["id"] == run_id(output)
    assert runs[1].options["resume"] == "allow"


def test_options_and_the_environment_win(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = fake_wandb(monkeypatch)
    monkeypatch.setenv("WANDB_MODE", "disabled")

    open_tracker(SinkConfig(name="wandb", options={"project": "mine"}), output, first_step=0)
    open_tracker(SinkConfig(name="wandb", options={"mode": "online"}), output, first_step=0)

    assert (runs[0].options["mode"], runs[0].options["project"]) == ("disabled", "mine")
    assert runs[1].options["mode"] == "online"


class FakeClient:
    """The calls of `mlflow.MlflowClient` that the tracker makes; its store is one for all clients."""

    store: dict[str, Any]

    def __init__(self, uri: str) -> None:
        self.store["uri"] = uri

    def get_experiment_by_name(self, name: str) -> Any:
        return self.store.get(("experiment", name))

    def create_experiment(self, name: str, artifact_location: str | None) -> str:
        self.store["artifacts"] = artifact_location
        self.store["experiment", name] = types.SimpleNamespace(experiment_id="7")
        return "7"

    def search_runs(self, experiments: list[str], query: str) -> list[Any]:
        return [run for run in self.store["runs"] if f"'{run.tag}'" in query]

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        number = f"r{len(self.store['runs'])}"
        run = types.SimpleNamespace(info=types.SimpleNamespace(run_id=number), tag=tags["run_id"])
        self.store["runs"].append(run)
        return run

    def update_run(self, run: str, status: str) -> None:
        self.store["calls"].append(("update", run, status))

    def log_dict(self, run: str, values: dict[str, Any], name: str) -> None:
        self.store["calls"].append((name, run, values))

    def log_batch(self, run: str, metrics: list[Any]) -> None:
        self.store["calls"].append(("batch", run, [(m.key, m.value, m.step) for m in metrics]))

    def set_terminated(self, run: str) -> None:
        self.store["calls"].append(("end", run))


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the fake server holds."""
    store: dict[str, Any] = {"runs": [], "calls": []}

    def metric(key: str, value: float, timestamp: int, step: int) -> Any:
        return types.SimpleNamespace(key=key, value=value, step=step)

    package, entities = types.ModuleType("mlflow"), types.ModuleType("mlflow.entities")
    package.MlflowClient = type("Client", (FakeClient,), {"store": store})  # type: ignore[attr-defined]
    entities.Metric = metric  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", package)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return store


def test_mlflow_writes_into_the_folder_of_the_run(output: Path, mlflow: dict[str, Any]) -> None:
    tracker = open_tracker(SinkConfig(name="mlflow"), output, first_step=0)
    tracker.write(RECORD)
    tracker.close()

    assert mlflow["uri"] == f"sqlite:///{output.resolve()}/mlflow.db"
    assert mlflow["artifacts"] == (output.resolve() / "mlartifacts").as_uri()
    assert mlflow["calls"] == [
        ("settings.yaml", "r0", {"seed": 17}),
        # Its names allow no angle brackets.
        ("batch", "r0", [("loss", 2.5, 3), ("loss_by_source/中文 _b_", 2.0, 3)]),
        ("end", "r0"),
    ]


def test_a_resumed_run_goes_on_in_the_same_run_of_mlflow(
    output: Path, mlflow: dict[str, Any]
) -> None:
    for first_step in (0, 4):
        open_tracker(SinkConfig(name="mlflow"), output, first_step=first_step).close()
    open_tracker(SinkConfig(name="mlflow"), output, first_step=0)  # begun anew

    assert [run.info.run_id for run in mlflow["runs"]] == ["r0", "r1"]
    assert ("update", "r0", "RUNNING") in mlflow["calls"]


def test_a_server_of_mlflow_keeps_its_own_artifacts(output: Path, mlflow: dict[str, Any]) -> None:
    options = {"tracking_uri": "http://server", "experiment": "mine"}

    open_tracker(SinkConfig(name="mlflow", options=options), output, first_step=0)

    assert (mlflow["uri"], mlflow["artifacts"]) == ("http://server", None)
    assert ("experiment", "mine") in mlflow


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_that_is_not_installed_names_its_extra(
    name: str, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(SettingsError, match=rf"{name} is not installed.*\[{name}\]"):
        open_tracker(SinkConfig(name=name), output, first_step=0)


class Failing:
    """A tracker of one's own whose second step fails."""

    def __init__(self, output: Path, first_step: int, *, prefix: str = "") -> None:
        self.steps: list[str] = []
        SEEN.append(self)
        self._prefix = prefix

    def write(self, record: dict[str, Any]) -> None:
        if record["step"] == 1:
            raise ConnectionError("no route to host")
        self.steps.append(f"{self._prefix}{record['step']}")


SEEN: list[Failing] = []


def test_a_tracker_of_one_s_own_that_fails_does_not_end_the_run(
    output: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module = types.ModuleType("my_tracker")
    module.Failing = Failing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_tracker", module)

    config = SinkConfig(name="my_tracker:Failing", options={"prefix": "s"})
    tracker = open_tracker(config, output, first_step=0)
    with caplog.at_level(logging.WARNING):
        for step in range(4):
            tracker.write({"step": step})
        tracker.close()

    assert SEEN[-1].steps == ["s0"]
    assert caplog.messages == [
        "my_tracker:Failing: ConnectionError: no route to host; it is told nothing more, "
        "metrics.jsonl has all figures"
    ]


def test_wrong_names_and_options_are_refused(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_wandb(monkeypatch)
    with pytest.raises(SettingsError, match="did you mean 'wandb'"):
        parse_settings(MetricsConfig, {"sinks": [{"name": "wanbd"}]}, where="r.yaml")
    with pytest.raises(SettingsError, match="no module 'no_such_module'"):
        open_tracker(SinkConfig(name="no_such_module:x"), output, first_step=0)
    with pytest.raises(SettingsError, match="no function or class 'Nothing'"):
        open_tracker(SinkConfig(name="pathlib:Nothing"), output, first_step=0)
    monkeypatch.setitem(sys.modules, "my_tracker", types.SimpleNamespace(Failing=Failing))
    with pytest.raises(SettingsError, match="unexpected keyword argument 'colour'"):
        open_tracker(
            SinkConfig(name="my_tracker:Failing", options={"colour": 1}), output, first_step=0
        )
