"""Weights & Biases and MLflow as sinks, and sinks of the user's own.

Both trackers work without network until told otherwise: their files lie in the folder of the run, and a
resumed run goes on in them. `metrics.jsonl` stays the record of the run: what a tracker loses, it has.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import yaml

from schemas.errors import SettingsError
from schemas.fingerprints import sha256_hex
from schemas.own_code import load_own
from train.report.config import SinkConfig
from train.report.tensorboard import scalars

logger = logging.getLogger(__name__)

_NOT_IN_MLFLOW = re.compile(r"[^/\w.\- :]")


class Tracker(Protocol):
    """A program that is told of each step, and of the end."""

    def write(self, record: dict[str, Any]) -> None:
        """Take the figures of a step; `step` is its number, from 0."""

    def close(self) -> None: ...


def open_tracker(config: SinkConfig, output: Path, *, first_step: int) -> Tracker:
    """Open the tracker that a recipe names.

    Args:
        config: Its name and options.
        output: Folder of the run; `settings.yaml` in it is the recipe that trackers show.
        first_step: The first step that will be written; later than 0 in a resumed run.

    Raises:
        SettingsError: Its package is not installed, or it does not take the options.
    """
    make = _MAKERS.get(config.name)
    if make is None:
        made = load_own(config.name, where="metrics.sinks")
        make = lambda output, first_step, **options: made(  # noqa: E731
            output=output, first_step=first_step, **options
        )
    try:
        return _Guarded(make(output, first_step, **config.options), name=config.name)
    except ImportError as error:
        raise SettingsError(
            f"metrics.sinks: {config.name} is not installed ({error.name}): "
            f"pip install 'pretrain-refinery[{config.name}]'"
        ) from error
    except TypeError as error:
        raise SettingsError(f"metrics.sinks: {config.name}: {error}") from error


class _Guarded:
    """A tracker whose errors do not end the run: it is told no more, and one line says why."""

    def __init__(self, tracker: Any, *, name: str) -> None:
        self._tracker, self._name = tracker, name

    def write(self, record: dict[str, Any]) -> None:
        self._call(lambda tracker: tracker.write(record))

    def close(self) -> None:
        self._call(lambda tracker: tracker.close() if hasattr(tracker, "close") else None)

    def _call(self, ask: Callable[[Any], object]) -> None:
        if self._tracker is None:
            return
        try:
            ask(self._tracker)
        except Exception as error:  # a network that is down is no reason to stop training
            self._tracker = None
            logger.warning(
                "%s: %s: %s; it is told nothing more, metrics.jsonl has all figures",
                self._name,
                type(error).__name__,
                error,
            )


def run_id(output: Path) -> str:
    """What a tracker calls the run in a folder: the same after each resume."""
    return sha256_hex(str(output.resolve()).encode())[:16]


def _recipe(output: Path) -> dict[str, Any]:
    path = output / "settings.yaml"
    found = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None
    return found if isinstance(found, dict) else {}


class WandbTracker:
    """A run of Weights & Biases; offline unless `mode` or WANDB_MODE says otherwise."""

    def __init__(self, output: Path, first_step: int, **options: Any) -> None:
        import wandb

        defaults = {
            "project": "pretrain",
            "name": output.resolve().name,
            "dir": str(output),
            "mode": os.environ.get("WANDB_MODE", "offline"),
        }
        self._run = wandb.init(
            **{**defaults, **options},
            id=run_id(output),
            resume="allow",
            config=_recipe(output),
        )

    def write(self, record: dict[str, Any]) -> None:
        self._run.log(scalars(record), step=record["step"])

    def close(self) -> None:
        self._run.finish()


class MlflowTracker:
    """A run of MLflow; in `mlflow.db` in the run's folder unless `tracking_uri` says otherwise."""

    def __init__(
        self,
        output: Path,
        first_step: int,
        *,
        tracking_uri: str | None = None,
        experiment: str = "pretrain",
    ) -> None:
        from mlflow import MlflowClient

        uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        folder = output.resolve()
        self._client = MlflowClient(uri or f"sqlite:///{folder}/mlflow.db")
        found = self._client.get_experiment_by_name(experiment)
        # Without a server of its own MLflow would put artifacts into the working directory.
        artifacts = None if uri else (folder / "mlartifacts").as_uri()
        where = (
            found.experiment_id
            if found
            else self._client.create_experiment(experiment, artifact_location=artifacts)
        )
        earlier = self._client.search_runs([where], f"tags.run_id = '{run_id(output)}'")
        if first_step > 0 and earlier:
            self._run = earlier[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
        else:
            made = self._client.create_run(
                where, run_name=output.resolve().name, tags={"run_id": run_id(output)}
            )
            self._run = made.info.run_id
            self._client.log_dict(self._run, _recipe(output), "settings.yaml")

    def write(self, record: dict[str, Any]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        figures = [
            Metric(_NOT_IN_MLFLOW.sub("_", name), value, now, record["step"])
            for name, value in scalars(record).items()
        ]
        self._client.log_batch(self._run, metrics=figures)

    def close(self) -> None:
        self._client.set_terminated(self._run)


_MAKERS: dict[str, Callable[..., Tracker]] = {"wandb": WandbTracker, "mlflow": MlflowTracker}
