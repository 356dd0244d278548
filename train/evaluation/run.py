"""Evaluate a checkpoint: held-out loss, bits per byte, multiple choice; a table and a JSON file."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from torch import nn

from schemas.errors import ContractError
from schemas.settings import parse_settings
from train.checkpoint.state import collect_model, restore_model
from train.checkpoint.store import CheckpointStore, load_tensors, read_state
from train.data.loader import open_dataset, shard_files
from train.data.remote import ShardFiles, open_manifest
from train.evaluation.heldout import heldout_loss
from train.evaluation.multiple_choice import Scorer, TaskResult, evaluate_task, read_task
from train.loop.build import Built, build_run
from train.parallel.world import World, open_world
from train.settings import TrainSettings

logger = logging.getLogger(__name__)

RESULT_NAME = "evaluation.json"


def evaluate_checkpoint(args: argparse.Namespace) -> int:
    """Run `train evaluate`."""
    tasks = {path.stem: read_task(path) for path in args.tasks}
    with open_world(timeout_seconds=600) as world:
        path = find_checkpoint(args.checkpoint, world)
        state = read_state(path)
        settings = parse_settings(TrainSettings, state["settings"], where=str(path))
        files = shard_files(args.manifest, settings.loader)
        manifest = open_manifest(files)
        if manifest.tokenizer.sha256 != state["identity"]["tokenizer_sha256"]:
            raise ContractError(
                f"{args.manifest}: its tokenizer is {manifest.tokenizer.sha256[:16]}..., "
                f"{path} was trained with {state['identity']['tokenizer_sha256'][:16]}..."
            )
        built = build_run(settings, manifest)
        _load_model(built.model, path, world)
        data = open_dataset(files, manifest, settings.loader, split="heldout", seed=0)
        heldout = heldout_loss(
            built.model, data, built.make_batch, world, microbatch=8, max_rows=args.max_rows
        )
        result: dict[str, Any] = {"checkpoint": str(path), "heldout": heldout.as_dict()}
        if tasks and world.is_first:
            scorer = _scorer(built, files, manifest_pad_bos(manifest), manifest.seq_len)
            found = [
                evaluate_task(name, questions, scorer, shots=args.shots)
                for name, questions in tasks.items()
            ]
            result["tasks"] = [task.as_dict() for task in found]
            _print_tasks(found)
        world.barrier()
        if world.is_first:
            _print_heldout(result["heldout"])
            target = (args.output or path.parent.parent) / RESULT_NAME
            target.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(result, indent=1, ensure_ascii=False)
            target.write_text(text + "\n", encoding="utf-8")
            print(target)
    return 0


def find_checkpoint(path: Path, world: World) -> Path:
    """The checkpoint itself, or the last good one of a run's folder."""
    from train.checkpoint.config import CheckpointConfig

    for folder in (path / "checkpoints", path):
        store = CheckpointStore(folder=folder, config=CheckpointConfig(), world=world)
        latest = store.latest()
        if latest is not None:
            return latest
    return path


def _load_model(model: nn.Module, path: Path, world: World) -> None:
    tensors = collect_model([model])
    load_tensors(path, tensors, world_size=world.size)
    restore_model([model], tensors)
    model.to(world.device).eval()


def manifest_pad_bos(manifest: Any) -> tuple[int, int]:
    """Padding, and what starts a document: the mark of its beginning, or the previous one's end."""
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


def _print_heldout(figures: dict[str, Any]) -> None:
    table = Table("held out", "loss", "perplexity", "bits per byte", "labels")
    rows = [*sorted(figures["sources"].items()), ("all", figures)]
    for name, row in rows:
        bits = "" if row["bits_per_byte"] is None else f"{row['bits_per_byte']:.3f}"
        table.add_row(
            name, f"{row['loss']:.4f}", f"{row['perplexity']:.1f}", bits, f"{row['labels']:,}"
        )
    Console().print(table)


def _print_tasks(results: list[TaskResult]) -> None:
    table = Table("task", "items", "shots", "accuracy", "per byte", "per token", "chance")
    for task in results:
        table.add_row(
            task.name,
            str(task.items),
            str(task.shots),
            f"{task.accuracy:.3f} ± {task.standard_error:.3f}",
            f"{task.accuracy_per_byte:.3f}",
            f"{task.accuracy_per_token:.3f}",
            f"{task.chance:.3f}",
        )
    Console().print(table)
