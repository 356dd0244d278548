"""Evaluate a checkpoint: held-out loss, bits per byte, multiple choice; a table and a JSON file."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from torch import nn

from schemas.errors import ContractError
from schemas.settings import parse_settings
from train.checkpoint.state import collect_model, restore_model
from train.checkpoint.store import load_tensors, read_state
from train.data.loader import open_split, shard_files
from train.data.remote import ShardFiles, open_manifest
from train.distributed.world import World, open_world
from train.evaluation.heldout import heldout_loss
from train.evaluation.multiple_choice import Scorer, evaluate_task
from train.evaluation.registered import read_tasks
from train.loop.build import Built, build_run
from train.settings import TrainSettings
from train.warm_start.start import Resumed

logger = logging.getLogger(__name__)


def evaluate_checkpoint(args: argparse.Namespace, path: Path) -> dict[str, Any] | None:
    """Run `train evaluate` on a checkpoint; `None` on all ranks but the first."""
    tasks = {name: task for path in args.tasks for name, task in read_tasks(path).items()}
    with open_world(timeout_seconds=600) as world:
        state = read_state(path)
        settings = parse_settings(TrainSettings, state["settings"], where=str(path))
        files = shard_files(args.manifest, settings.loader)
        manifest = open_manifest(files)
        if manifest.tokenizer.sha256 != state["identity"]["tokenizer_sha256"]:
            raise ContractError(
                f"{args.manifest}: its tokenizer is {manifest.tokenizer.sha256[:16]}..., "
                f"{path} was trained with {state['identity']['tokenizer_sha256'][:16]}..."
            )
        built = build_run(
            settings.start_request,
            settings.objective,
            manifest,
            resumed=Resumed.of(state["identity"]),
        )
        _load_model(built.model, path, world)
        data = open_split(files, manifest, settings.loader, split="heldout", seed=0)
        heldout = heldout_loss(
            built.model, data, built.make_batch, world, microbatch=8, max_rows=args.max_rows
        )
        result: dict[str, Any] = {"checkpoint": str(path), "heldout": heldout.as_dict()}
        if tasks and world.is_first:
            scorer = _scorer(built, files, _manifest_pad_bos(manifest), manifest.seq_len)
            results = [
                evaluate_task(name, questions, scorer, shots=args.shots)
                for name, questions in tasks.items()
            ]
            result["tasks"] = [task.as_dict() for task in results]
        world.barrier()
        return result if world.is_first else None


def _load_model(model: nn.Module, path: Path, world: World) -> None:
    tensors = collect_model([model])
    load_tensors(path, tensors, world_size=world.size)
    restore_model([model], tensors)
    model.to(world.device).eval()


def _manifest_pad_bos(manifest: Any) -> tuple[int, int]:
    """The ids of padding and of what stands before a document: BOS, or the end of the previous one."""
    special = manifest.tokenizer.special_ids
    return special.pad, special.bos if special.bos is not None else special.eos


def _scorer(built: Built, files: ShardFiles, marks: tuple[int, int], seq_len: int) -> Scorer:
    from transformers import AutoTokenizer

    from train.data.remote import local_tokenizer

    tokenizer = AutoTokenizer.from_pretrained(local_tokenizer(files))

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    return Scorer(
        model=built.model,
        make_batch=built.make_batch,
        encode=encode,
        seq_len=seq_len,
        pad=marks[0],
        bos=marks[1],
    )
