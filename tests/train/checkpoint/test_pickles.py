"""Nothing in a checkpoint, a run or an exported folder that somebody hands over is ever run."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint.state_dict_saver import save as save_distributed

from schemas.errors import ContractError, PipelineError
from tests.support.extended import write_two_datasets
from tests.train.checkpoint.test_store import STATE, store
from train.__main__ import main
from train.checkpoint.index import CheckpointIndex, read_index, write_index
from train.checkpoint.state_file import read_state
from train.checkpoint.store import load_tensors
from train.checkpoint.upgrade import upgrade_checkpoint
from train.commands import upgrade
from train.exchange.tokenizer import open_tokenizer


class Payload:
    """Unpickled, it makes a file: what a planted pickle could do instead has no bound."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self._mark),)


def old_checkpoint(folder: Path, tensors: dict[str, Any]) -> Path:
    """A checkpoint as version 0.2 wrote it."""
    save_distributed(tensors, checkpoint_id=folder / "weights", no_dist=True)
    state = {"format_version": 1, **STATE}
    (folder / "state.json").write_text(json.dumps(state))
    return folder


def torch_file(payload: Payload) -> bytes:
    """What `torch.save` writes, with a payload where the tensor is described."""
    stream = io.BytesIO()
    torch.save(torch.ones(2), stream)
    made = io.BytesIO()
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            data = pickle.dumps(payload) if name.endswith("data.pkl") else old.read(name)
            new.writestr(name, data)
    return made.getvalue()


def test_an_old_checkpoint_is_refused_with_the_command_that_upgrades_it(tmp_path: Path) -> None:
    path = old_checkpoint(tmp_path / "old", {"model": {"w": torch.ones(2)}})

    with pytest.raises(ContractError, match=r"is a pickle, which is never read .*train upgrade"):
        load_tensors(path, {"model": {"w": torch.zeros(2)}}, world_size=1)


def test_an_upgraded_checkpoint_has_the_tensors_that_it_had(tmp_path: Path) -> None:
    tensors = {
        "model": {"w": torch.arange(12.0).reshape(3, 4), "b": torch.ones(3, dtype=torch.bfloat16)},
        "optimizer": {"param_groups.w.lr": 0.1, "state.w.step": torch.tensor(5.0)},
    }
    path = old_checkpoint(tmp_path / "run" / "checkpoints" / "step-00000005", tensors)

    parser = argparse.ArgumentParser()
    upgrade.add_arguments(parser)
    assert upgrade.run(parser.parse_args([str(tmp_path / "run")])) == 0

    into = {
        "model": {"w": torch.zeros(3, 4), "b": torch.zeros(3, dtype=torch.bfloat16)},
        "optimizer": {"state.w.step": torch.tensor(0.0)},
    }
    load_tensors(path, into, world_size=1)
    assert torch.equal(into["model"]["w"], tensors["model"]["w"])
    assert into["model"]["b"].tolist() == [1, 1, 1]
    assert into["optimizer"]["state.w.step"] == 5
    assert read_state(path)["identity"] == STATE["identity"]
    with pytest.raises(ContractError, match="no checkpoint of format 1"):
        main(["upgrade", str(tmp_path / "run")])


@pytest.mark.parametrize("file", ["metadata", "weights"])
def test_an_upgrade_runs_nothing_that_is_planted(tmp_path: Path, file: str) -> None:
    path = old_checkpoint(tmp_path / "old", {"model": {"w": torch.ones(2)}})
    mark = tmp_path / "ran"
    if file == "metadata":
        (path / "weights" / ".metadata").write_bytes(pickle.dumps(Payload(mark)))
    else:
        weights = path / "weights" / "__0_0.distcp"
        planted = torch_file(Payload(mark))
        # Of the very length that the list names: what follows the end of a zip file is a comment.
        weights.write_bytes(planted + b"\0" * (weights.stat().st_size - len(planted)))

    with pytest.raises(ContractError, match=r"posix\.mkdir|BadZipFile|mkdir"):
        upgrade_checkpoint(path)

    assert not mark.exists()


def test_a_tensor_in_another_order_of_numbers_is_not_upgraded(tmp_path: Path) -> None:
    path = old_checkpoint(tmp_path / "old", {"w": torch.arange(6.0).reshape(2, 3).t()})

    with pytest.raises(ContractError, match="with strides"):
        upgrade_checkpoint(path)


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change an index as somebody would who also writes the hashes anew."""
    weights = path / "weights"
    index = json.loads((weights / "index.json").read_text())
    change(index)
    (weights / "index.json").write_text(json.dumps(index))


INDEXES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a path outside": (
        lambda index: index["file_bytes"].update({"../secret": 5}),
        "is no name of a file in this folder",
    ),
    "an absolute path": (
        lambda index: index["file_bytes"].update({"/etc/passwd": 5}),
        "is no name of a file in this folder",
    ),
    "a tensor of more numbers than the files hold": (
        lambda index: index["tensors"]["w"].update(size=[1 << 50]),
        "its blocks are not all of",
    ),
    "a block beyond the file": (
        lambda index: index["tensors"]["w"]["chunks"][0].update(start=1 << 40),
        "ends beyond the file",
    ),
    "a type that is none": (
        lambda index: index["tensors"]["w"].update(dtype="load"),
        "is none of float64",
    ),
}


@pytest.mark.parametrize("what", INDEXES)
def test_an_index_is_judged_before_anything_is_read(tmp_path: Path, what: str) -> None:
    from schemas.fingerprints import sha256_file

    path = store(tmp_path, asynchronous=False).save(1, {"w": torch.ones(4)}, STATE)
    change, message = INDEXES[what]
    edited(path, change)

    with pytest.raises(ContractError, match=message):
        read_index(path / "weights", sha256=sha256_file(path / "weights" / "index.json"))


def test_a_file_of_weights_that_is_a_link_is_refused(tmp_path: Path) -> None:
    path = store(tmp_path / "run", asynchronous=False).save(1, {"w": torch.ones(4)}, STATE)
    weights = path / "weights" / "__0_0.distcp"
    shutil.move(weights, tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ContractError, match="missing, or no plain file"):
        load_tensors(path, {"w": torch.zeros(4)}, world_size=1)


def test_an_index_is_written_and_read_again(tmp_path: Path) -> None:
    index = CheckpointIndex(file_bytes={}, tensors={})

    digest = write_index(tmp_path, index)

    assert read_index(tmp_path, sha256=digest) == index


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps with its dataset, checkpoint and export."""
    folder = tmp_path_factory.mktemp("handed")
    write_two_datasets(folder)
    assert main(pretrain_arguments(folder, folder / "run")) == 0
    return folder


def pretrain_arguments(folder: Path, output: Path, *more: str) -> list[str]:
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        json.dumps(
            {
                "manifest": str(folder / "base"),
                "output": "unused",
                "model": {"preset": "gpt2-test"},
                "batch": {"sequences": 4, "microbatch": 2},
                "stop": {"steps": 2},
                "schedule": {"lr_scheduler_type": "constant"},
                "metrics": {"tensorboard": False, "peak_flops": 1e12},
                "threads": 1,
            }
        )
    )
    return ["pretrain", "--recipe", str(recipe), f"--set=output={output}", *more]


def plant_everywhere(folder: Path, mark: Path) -> None:
    """Put a payload into each file that could be unpickled, beside and instead of what is there."""
    evil = pickle.dumps(Payload(mark))
    for name in ("pytorch_model.bin", "model.pt", "optimizer.pt", "rng_state.pth", "rng.pkl"):
        (folder / name).write_bytes(evil)
    (folder / "training_args.bin").write_bytes(torch_file(Payload(mark)))
    for path in folder.rglob(".metadata"):
        path.write_bytes(evil)


VERBS = {
    "generate": lambda base, at: ["generate", "--model", str(at), "--prompt", "a"],
    "evaluate": lambda base, at: [
        *("evaluate", "--checkpoint", str(at), "--manifest", str(base / "base")),
    ],
    "pretrain --from": lambda base, at: pretrain_arguments(
        base, at.parent / "started", "--from", str(at)
    ),
    "resume": lambda base, at: pretrain_arguments(base, at, "--set=stop.steps=4"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_runs_what_is_planted_in_a_run(run_folder: Path, tmp_path: Path, verb: str) -> None:
    at, mark = tmp_path / "run", tmp_path / "ran"
    shutil.copytree(run_folder / "run", at)
    plant_everywhere(at, mark)
    for folder in (at / "export", *(at / "checkpoints").glob("step-*")):
        plant_everywhere(folder, mark)

    main(VERBS[verb](run_folder, at))

    assert not mark.exists()


ANY_ERROR = (PipelineError, SystemExit)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_pickle_instead_of_a_file_of_an_export_is_an_error_and_never_run(
    run_folder: Path, tmp_path: Path, name: str
) -> None:
    at, mark = tmp_path / "export", tmp_path / "ran"
    shutil.copytree(run_folder / "run" / "export", at)
    (at / name).write_bytes(pickle.dumps(Payload(mark)))

    with pytest.raises(ANY_ERROR):
        main(["generate", "--model", str(at), "--prompt", "a"])

    assert not mark.exists()


def test_code_that_a_configuration_names_is_not_run(run_folder: Path, tmp_path: Path) -> None:
    at, mark = tmp_path / "export", tmp_path / "ran"
    shutil.copytree(run_folder / "run" / "export", at)
    (at / "evil.py").write_text(f"import os\nos.mkdir({str(mark)!r})\nclass Evil: pass\n")
    for name in ("config.json", "tokenizer_config.json"):
        described = json.loads((at / name).read_text())
        described["auto_map"] = {
            "AutoConfig": "evil.Evil", "AutoModel": "evil.Evil",
            "AutoModelForCausalLM": "evil.Evil", "AutoTokenizer": ["evil.Evil", None],
        }  # fmt: skip
        (at / name).write_text(json.dumps(described))

    main(["generate", "--model", str(at), "--prompt", "a"])

    assert not mark.exists()


@pytest.mark.parametrize("name", ["../run/secret.safetensors", "/etc/passwd", ".."])
def test_an_index_of_weights_names_no_file_outside_its_folder(
    run_folder: Path, tmp_path: Path, name: str
) -> None:
    at = tmp_path / "export"
    shutil.copytree(run_folder / "run" / "export", at)
    (at / "model.safetensors").rename(tmp_path / "secret.safetensors")
    (at / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))

    with pytest.raises(ContractError, match="names no file of this folder"):
        main(["generate", "--model", str(at), "--prompt", "a"])


def test_a_tokenizer_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")

    with pytest.raises(ContractError, match="its tokenizer cannot be read"):
        open_tokenizer(tmp_path)
