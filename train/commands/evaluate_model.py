"""Evaluate weights: held-out loss, bits per byte, tasks."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError
from train.commands.evaluate import task_request
from train.commands.evaluate_control import Control
from train.commands.generate import fitting, write_texts
from train.data.config import LoaderConfig
from train.data.loader import shard_files
from train.data.remote import open_manifest
from train.distributed.world import open_world
from train.evaluation.heldout_documents import heldout_with_intervals
from train.evaluation.open_heldout import HeldoutRequest
from train.evaluation.open_scorer import open_scorer, weights_hash
from train.evaluation.open_tasks import open_tasks
from train.evaluation.probes import copy_of_weights
from train.evaluation.run_task import TaskChoice, Write
from train.evaluation.stored import StoredEvaluation
from train.evaluation.task import GenerationTask
from train.generation.config import GenerationConfig
from train.generation.open_model import OpenModel, OpenWeights, open_weights, with_tokenizer
from train.model.transformer import Transformer
from train.objectives.config import ObjectiveConfig, parse_objective

_OF_FAMILY = {"t5": "span_corruption", "bert": "masked"}


def evaluate_model(args: argparse.Namespace, path: Path, folder: Path) -> dict[str, Any] | None:
    """Run `train evaluate` on one model; `None` on all ranks but the first.

    Args:
        args: Those of the command.
        path: The model.
        folder: Where results of tasks are kept, each found again by its key.
    """
    tasks = open_tasks(task_request(args))
    with open_world(timeout_seconds=600) as world:
        weights = open_weights(path)
        if args.copy and not isinstance(weights.model, Transformer):
            family = weights.source.config.family
            raise SettingsError(f"--copy: {path} is a {family}; only decoders read left to right")
        weights.model.to(world.device)
        result: dict[str, Any] = {"checkpoint": str(weights.source.path)}
        manifest = files = None
        if args.manifest is not None:
            files = shard_files(args.manifest, LoaderConfig())
            manifest = open_manifest(files)
        objective = _objective(
            weights, args.objective, () if manifest is None else manifest.columns
        )
        if files is not None:
            request = HeldoutRequest(
                manifest=args.manifest, objective=objective, max_rows=args.max_rows
            )
            result |= {
                "objective": objective.name,
                "heldout": heldout_with_intervals(weights, request, world),
            }
        if args.copy:
            result["copy"] = copy_of_weights(weights, with_tokenizer(weights, args.tokenizer))
        if tasks:
            opened = with_tokenizer(weights, args.tokenizer)
            known = objective if weights.state is not None or args.objective else None
            evaluation = StoredEvaluation(
                folder=folder,
                identity=_task_identity(args, path),
                world=world,
                open_scorer=lambda: open_scorer(
                    weights, opened, objective=known, reading=args.read, manifest=manifest
                ),
                write=_writer(args, opened),
            )
            choice = TaskChoice(
                shots=args.shots, seed=args.seed, limit=args.limit, per_cluster=args.per_cluster
            )
            result["tasks"] = [
                evaluation.of(loaded, choice, documents) for loaded, documents in tasks
            ]
            if args.control and world.is_first:
                trained_on = args.manifest or (weights.state or {}).get("manifest")
                control = Control(trained_on, opened.tokenizer, folder)
                result["control"] = control.of(tasks, choice)
        world.barrier()
        return result if world.is_first else None


def _writer(args: argparse.Namespace, opened: OpenModel) -> Write | None:
    """Writes answers to the prompts of tasks of generation; None for a family that writes nothing."""
    if args.no_generation or opened.model.config.family == "bert":
        return None

    def write(prompts: Sequence[str], task: GenerationTask) -> list[list[str]]:
        answers = []
        for prompt in prompts:
            samples = []
            for sample in range(task.samples):
                config = GenerationConfig(
                    max_new_tokens=task.max_new_tokens, temperature=task.temperature, seed=sample
                )
                (record,) = write_texts(opened, [fitting(opened, prompt, config)], config)
                samples.append(str(record["text"]))
            answers.append(samples)
        return answers

    return write


def _task_identity(args: argparse.Namespace, path: Path) -> str:
    """What names the weights, with all flags that change figures."""
    written = "nothing written" if args.no_generation else "answers written"
    tokenizer = "" if args.tokenizer is None else f", {args.tokenizer.resolve()}"
    objective = "" if args.objective is None else f", {args.objective}"
    return f"{weights_hash(path)[0]}, {args.read}, {written}{tokenizer}{objective}"


def _objective(weights: OpenWeights, asked: str | None, columns: Sequence[str]) -> ObjectiveConfig:
    """The objective of the command line, of the run, of a head for classes, or of the family."""
    if asked is None and weights.state is not None:
        return parse_objective(dict(weights.state["settings"].get("objective") or {}))
    shape = weights.source.config
    of_weights = "classify" if shape.num_classes else _OF_FAMILY.get(shape.family, "causal")
    name = asked or of_weights
    # A folder does not say where its classes are predicted; the rows do.
    at_tokens = name == "classify" and "token_labels" in columns and "class_label" not in columns
    return parse_objective({"name": name, "at": "tokens"} if at_tokens else {"name": name})
