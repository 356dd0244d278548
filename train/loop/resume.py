"""Checkpoints of a run: what is saved, what a resumed run must share with it, what is noted."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError
from schemas.settings import Settings
from train.checkpoint.environment import changed_environment, environment_lock
from train.checkpoint.state import collect_tensors, restore_tensors
from train.checkpoint.store import load_tensors, read_state, refuse_other_run
from train.loop.open_run import Run
from train.loop.plan import RunPlan
from train.parallel.diloco import inner_of
from train.settings import TrainSettings

logger = logging.getLogger(__name__)


def identity(run: Run) -> dict[str, Any]:
    """What a resumed run must share with the one that wrote the checkpoint."""
    return {
        "manifest_root": run.manifest.root,
        "spans": _spans(run),
        "tokenizer_sha256": run.manifest.tokenizer.sha256,
        "model": run.built.model_identity,
        "trainable": run.settings.trainable,
        "new_rows": None if run.built.new_rows is None else list(run.built.new_rows),
        "first_sample": run.settings.first_sample,
        "seed": run.settings.seed,
        "diloco": None if run.outer is None else _block(run.settings.diloco),
        "batch": run.settings.batch.model_dump(mode="json", exclude={"microbatch"}),
        **_changeable(run.settings, run.trainer.plan),
    }


def _block(settings: Settings | None) -> dict[str, Any] | None:
    return None if settings is None else settings.model_dump(mode="json")


def _changeable(settings: TrainSettings, plan: RunPlan) -> dict[str, Any]:
    """Blocks that a resumed run may change where `checkpoint.accept_changes` names them.

    The schedule counts with the length of the run: most curves bend with it.
    """
    return {
        "optimizer": settings.optimizer.model_dump(mode="json"),
        "schedule": {
            **settings.schedule.model_dump(mode="json"),
            "total_steps": plan.total_steps if settings.schedule.needs_end else None,
        },
        "objective": settings.objective,
    }


def resume(run: Run, *, is_fresh: bool) -> None:
    """Load the last good checkpoint, where there is one, and note what changed since.

    Raises:
        SettingsError: There is one, and a fresh run was asked for.
        ContractError: It is of another run.
    """
    path = run.store.latest()
    if path is None:
        if run.events is not None:
            run.events.append("start", step=0)
            _note_manifests(run, from_sample=run.settings.first_sample)
        return
    if is_fresh:
        raise SettingsError(f"{path}: the output already holds a checkpoint, and --fresh was given")
    state = read_state(path)
    accepted = run.settings.checkpoint.accept_changes
    expected = identity(run)
    consumed = int(state["consumed_samples"])
    # What comes later may change; what was read may not.
    for spans in (expected, state["identity"]):
        spans["spans"] = [span for span in spans.get("spans", []) if span[0] <= consumed]
    changed = refuse_other_run(path, state, expected, accepted=accepted)
    trainer = run.trainer
    _load(run, path, state)
    trainer.step = int(state["step"])
    if trainer.scaler is not None and state["scaler"] is not None:
        trainer.scaler.restore(state["scaler"])
    changes = changed_environment(state["environment"], environment_lock())
    logger.info("resumed %s at step %d", path, trainer.step)
    if run.events is not None:
        run.events.restore(state.get("events", []))
        parallel = run.settings.parallel.model_dump(mode="json")
        run.events.append(
            "resume",
            step=trainer.step,
            world_size=run.world.size,
            parallel=parallel,
            settings_changed=changed,
            environment_changed=changes,
        )
        _note_manifests(run, from_sample=int(state["consumed_samples"]))
    for change in changes:
        logger.warning("the environment changed, bits may differ: %s", change)


def _load(run: Run, path: Path, state: dict[str, Any]) -> None:
    """Fill model, optimizer and, where ranks step alone or on servers, what these keep."""
    world, trainer = run.world, run.trainer
    inner = world.rank
    if run.outer is not None:
        inner = inner_of(world.rank, ranks=world.size, saved=state["diloco"], where=str(path))
    tensors = _tensors(run, inner=inner)
    load_tensors(path, tensors, world_size=world.size)
    if run.outer is not None:
        run.outer.restore(trainer.optimizer, tensors, inner=inner)
    else:
        restore_tensors(trainer.strategy.parts, trainer.optimizer, tensors)


def _tensors(run: Run, *, inner: int) -> dict[str, Any]:
    """What the weights of a checkpoint hold; loading fills the velocities in place."""
    if run.outer is not None:
        return run.outer.collect(run.trainer.optimizer, inner=inner)
    tensors = collect_tensors(run.trainer.strategy.parts, run.trainer.optimizer)
    if run.velocity is not None:
        tensors["servers"] = {"velocity": run.velocity}
    return tensors


def _spans(run: Run) -> list[list[Any]]:
    """First sample and root of each manifest."""
    return [[part.first_sample, part.data.manifest.root] for part in run.data.parts]


def _note_manifests(run: Run, *, from_sample: int) -> None:
    """Note the manifests that are still to come, unless they are noted already."""
    assert run.events is not None
    manifests = [event for event in run.events.events if event["kind"] == "manifest"]
    noted = [(event["manifest_root"], event["from_tokens"]) for event in manifests]
    for number, (first, root) in enumerate(_spans(run)):
        tokens = max(first - run.settings.first_sample, 0) * run.trainer.plan.seq_len
        if (root, tokens) in noted or (number > 0 and first < from_sample):
            continue
        step = run.trainer.plan.step_of(first)
        run.events.append("manifest", step=step, manifest_root=root, from_tokens=tokens)


def save(run: Run) -> Path:
    """Write a checkpoint of the state after the last update."""
    trainer = run.trainer
    state = {
        "step": trainer.step,
        "consumed_samples": trainer.plan.span(trainer.step).start,
        "identity": identity(run),
        "scaler": trainer.scaler.state() if trainer.scaler is not None else None,
        "settings": run.settings.model_dump(mode="json"),
        "manifest": run.files.base,
        "environment": environment_lock(),
        "world_size": run.world.size,
        "events": run.events.events if run.events is not None else [],
    }
    if run.outer is not None:
        state["diloco"] = {"ranks": run.world.size, "has_met": run.outer.has_met}
    return run.store.save(trainer.step, _tensors(run, inner=run.world.rank), state)
