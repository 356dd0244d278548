"""The average of a run's last checkpoints, written as a checkpoint of its own.

Averages of weights along a constant rate come near what a decay of the rate reaches (Izmailov et al. 2018; Sanyal et al. 2023;
Li et al. 2025, "Model merging in pre-training"), without training: how near is in docs/scaling.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict_saver import save as save_distributed

from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import sha256_file
from train.checkpoint.branch import ancestry
from train.checkpoint.durable import ASIDE, replace_text
from train.checkpoint.index import INDEX_NAME, WEIGHTS_NAME, read_index
from train.checkpoint.pointer import CHECKPOINTS_NAME, LATEST_NAME, find_checkpoint, step_of
from train.checkpoint.state_file import index_sha256, read_state, write_state
from train.checkpoint.storage import PlainPlanner, VerifiedWriter, dtype_of
from train.checkpoint.store import load_tensors

Method = Literal["uniform", "ema"]
_MODEL = "model."
# What checkpoints share that can be averaged.
_SHARED = ("model", "manifest_root", "tokenizer_sha256", "seed", "trainable", "new_rows")


@dataclass(frozen=True, kw_only=True)
class Average:
    """How checkpoints are averaged.

    Attributes:
        last: Number of checkpoints, the newest among them.
        method: uniform, or ema: each older one weighs `decay` times the next.
        decay: Of ema.
    """

    last: int
    method: Method = "uniform"
    decay: float = 0.5

    def __post_init__(self) -> None:
        if self.last < 2:
            raise SettingsError(f"--last {self.last}: an average needs 2 checkpoints or more")
        if not 0 < self.decay < 1:
            raise SettingsError(f"--decay {self.decay:g}: expected a number between 0 and 1")

    def weights(self) -> list[float]:
        """Shares of the checkpoints, the oldest first; their sum is 1."""
        base = 1.0 if self.method == "uniform" else self.decay
        raw = [base ** (self.last - 1 - index) for index in range(self.last)]
        return [one / sum(raw) for one in raw]


def chosen_checkpoints(run: Path, last: int) -> list[Path]:
    """The newest checkpoint of a run and those that it descends from, oldest first.

    Checkpoints that the run left behind when it went back are none of them.

    Raises:
        ContractError: There are fewer; the message has those that are there.
    """
    known = ancestry(find_checkpoint(run))[::-1]
    if len(known) < last:
        steps = ", ".join(str(step_of(path)) for path in known)
        raise ContractError(
            f"{run}: {len(known)} checkpoints in a line (steps {steps}), asked for the last {last}; "
            "checkpoint.keep_last or keep_every_steps keeps more of them"
        )
    return known[-last:]


def merge_checkpoints(run: Path, output: Path, average: Average) -> Path:
    """Write the average as the only checkpoint of a new folder; returns that checkpoint.

    Weights are averaged in float64; whole numbers, optimizer states, cursor and settings are those of the newest
    checkpoint, so that a branch of the average goes on with them.

    Raises:
        ContractError: The run has too few checkpoints, they are of other models or data, or one is damaged.
        SettingsError: The output is taken.
    """
    if output.exists() and any(output.iterdir()):
        raise SettingsError(f"{output}: is not empty; give another --output")
    paths = chosen_checkpoints(run, average.last)
    states = [read_state(path) for path in paths]
    _refuse_others(paths, states)
    newest = paths[-1]
    tensors = _read(newest, _names(newest))
    tensors |= _averaged(paths, average.weights(), tensors)
    return _write(output, newest, tensors, states[-1], _provenance(run, paths, average))


def _refuse_others(paths: Sequence[Path], states: Sequence[dict[str, Any]]) -> None:
    newest = states[-1]["identity"]
    for path, state in zip(paths, states, strict=True):
        for key in _SHARED:
            there, here = state["identity"].get(key), newest.get(key)
            if there != here:
                raise ContractError(
                    f"{path}: its {key} is {there!s:.60}, that of {paths[-1].name} {here!s:.60}; an average is "
                    "of one model on one data"
                )


def _names(path: Path) -> list[str]:
    return sorted(read_index(path / WEIGHTS_NAME, sha256=index_sha256(path)).tensors)


def _read(path: Path, names: Sequence[str]) -> dict[str, Tensor]:
    """Some tensors of a checkpoint by their names in it.

    Raises:
        ContractError: One is missing or damaged.
    """
    index = read_index(path / WEIGHTS_NAME, sha256=index_sha256(path))
    missing = sorted(set(names) - index.tensors.keys())
    if missing:
        raise ContractError(f"{path}: has no {missing[0]}, which the newest checkpoint has")
    tensors = {
        name: torch.empty(index.tensors[name].size, dtype=dtype_of(index.tensors[name]))
        for name in names
    }
    load_tensors(path, tensors, world_size=1)
    return tensors


def _averaged(
    paths: Sequence[Path], weights: Sequence[float], newest: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The averages of the model's weights; one checkpoint's are in memory at a time."""
    names = [n for n, value in newest.items() if n.startswith(_MODEL) and value.is_floating_point()]
    sums = {name: torch.zeros(newest[name].shape, dtype=torch.float64) for name in names}
    for path, weight in zip(paths, weights, strict=True):
        read = _read(path, names)
        for name in names:
            if read[name].shape != sums[name].shape:
                raise ContractError(
                    f"{path}: {name} is {tuple(read[name].shape)}, expected {tuple(sums[name].shape)}"
                )
            sums[name].add_(read[name].double(), alpha=weight)
    return {name: value.to(newest[name].dtype) for name, value in sums.items()}


def _provenance(run: Path, paths: Sequence[Path], average: Average) -> dict[str, Any]:
    """What the state of the average says of where it comes from."""
    return {
        "run": str(run),
        "method": average.method,
        "decay": average.decay if average.method == "ema" else None,
        "checkpoints": [
            {"step": step_of(path), "weight": weight, "index_sha256": index_sha256(path)}
            for path, weight in zip(paths, average.weights(), strict=True)
        ],
    }


def _write(
    output: Path,
    newest: Path,
    tensors: dict[str, Tensor],
    state: dict[str, Any],
    provenance: dict[str, Any],
) -> Path:
    """Write the folder aside, and name it when it is whole."""
    target = output / CHECKPOINTS_NAME / newest.name
    aside = target.with_name(target.name + ASIDE)
    weights = aside / WEIGHTS_NAME
    weights.mkdir(parents=True)
    save_distributed(
        tensors, storage_writer=VerifiedWriter(weights), planner=PlainPlanner(), no_dist=True
    )
    own = {key: value for key, value in state.items() if key not in _OF_FILE}
    write_state(
        aside,
        {**own, "parent": None, "merged": provenance},
        index_sha256=sha256_file(weights / INDEX_NAME),
    )
    aside.rename(target)
    replace_text(target.parent / LATEST_NAME, target.name)
    return target


# What `write_state` writes itself.
_OF_FILE = ("format_version", "sha256", "index_sha256")
