"""Settings of the programs that are told of each step; imports nothing heavy."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from schemas.own_code import is_import_path
from schemas.settings import Settings, nearest

TRACKERS = ("wandb", "mlflow")


class SinkConfig(Settings):
    """Somewhere else that the figures of each step go to."""

    name: str = Field(
        description="wandb, mlflow (each needs the extra of its name), or `package.module:name` of "
        "your own"
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="for wandb.init, for MLflow (tracking_uri, experiment), or for the call of your own",
    )

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in TRACKERS and not is_import_path(name):
            raise ValueError(
                f"'{name}' is neither a tracker nor package.module:name{nearest(name, set(TRACKERS))}"
            )
        return name
