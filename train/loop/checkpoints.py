"""Checkpoints of a run: what is saved, what a resumed run must share with it, what is noted."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from schemas.errors import PipelineError, SettingsError
from schemas.manifest import Manifest
from train.checkpoint.durable import replace_text
from train.checkpoint.environment import changed_environment, environment_lock
from train.checkpoint.index import WEIGHTS_NAME, read_index
from train.checkpoint.pointer import LATEST_NAME
from train.checkpoint.state import collect_tensors, optimizer_states, restore_tensors
from train.checkpoint.state_file import index_sha256, read_state, refuse_other_run
from train.checkpoint.store import CheckpointStore, load_tensors
from train.loop.build import Built
from train.loop.certificate import Consumed
from train.loop.interventions import ROLLBACK, SWAP, Interventions
from train.loop.plan import RunPlan
from train.loop.replays import refuse_replay
from train.loop.trainer import Trainer
from train.objectives.config import OBJECTIVE_VERSIONS
from train.optim.schedules import warmup_length
from train.parallel.diloco import OuterLoop, inner_of
from train.plugins import without_plugin
from train.report.events import Events
from train.sections import learnt_seconds, section
from train.settings import TrainSettings
from train.stability.config import ActionConfig

logger = logging.getLogger(__name__)


# Parts of a run's identity that are lists by first samples.
_OF_SPANS = ("spans", "order_seeds")


class ManifestSpan(NamedTuple):
    """A manifest of a run, and the first sample of the run that it gives."""

    first_sample: int
    root: str


def run_identity(
    settings: TrainSettings,
    manifest: Manifest,
    built: Built,
    plan: RunPlan,
    spans: list[ManifestSpan],
) -> dict[str, Any]:
    """What a resumed run must share with the one that wrote the checkpoint, as JSON.

    Optimizer, schedule and objective may change where `checkpoint.accept_changes` names them.
    """
    diloco, schedule = settings.diloco, settings.schedule
    return {
        "manifest_root": manifest.root,
        "spans": [list(span) for span in spans],
        "tokenizer_sha256": manifest.tokenizer.sha256,
        "model": built.model_identity,
        "trainable": settings.trainable,
        "new_rows": None if built.new_rows is None else list(built.new_rows),
        "first_sample": settings.first_sample,
        "seed": settings.seed,
        "diloco": None if diloco is None else diloco.model_dump(mode="json"),
        "batch": settings.batch.model_dump(mode="json", exclude={"microbatch", "changes"}),
        "batch_changes": [[one.from_step, one.sequences] for one in settings.batch.changes],
        # What a null stands for: a default that another version has is another run.
        "optimizer": {
            **without_plugin(settings.optimizer.model_dump(mode="json")),
            "momentum": settings.optimizer.momentum_or_default,
        },
        "schedule": {
            **without_plugin(schedule.model_dump(mode="json", exclude={"warmup_fraction"})),
            "warmup": warmup_length(
                schedule,
                plan.total_steps if schedule.unit == "steps" else plan.total_samples * plan.seq_len,
            ),
            # The schedule counts with the length of the run: most curves bend with it.
            "total_steps": plan.total_steps if schedule.needs_end else None,
        },
        "objective": _identity_of(settings.objective),
        "order_seeds": [
            [one.first_sample, span.seed] for one, span in zip(spans, settings.spans, strict=True)
        ],
        **_order_of_sums(settings),
    }


def _read_before(spans: list[Any], consumed: int) -> list[Any]:
    """Those of a list by first samples that a run has read of: the first one always."""
    return [span for span in spans if span[0] < max(consumed, 1)]


def _order_of_sums(settings: TrainSettings) -> dict[str, Any]:
    """What decides the bits where the number of ranks does not; nothing for other runs.

    Threads split matrix products and sums: they are the one other thing that was found to change bits.
    """
    if settings.parallel.reduction != "tree":
        return {}
    rows, threads = settings.batch.microbatch, torch.get_num_threads()
    return {"reduction": {"name": "tree", "microbatch": rows, "threads_per_rank": threads}}


def _identity_of(objective: dict[str, Any]) -> dict[str, Any]:
    version = OBJECTIVE_VERSIONS.get(str(objective.get("name", "causal")))
    return objective if version is None else {**objective, "version": version}


@dataclass(kw_only=True)
class RunCheckpoints:
    """Saves a run, and resumes it.

    Attributes:
        store: The folder of the checkpoints.
        identity: What a resumed run must share with the one that wrote the checkpoint.
        recipe: The resolved settings as JSON; each checkpoint holds them.
        manifest_uri: Where the manifest lies; each checkpoint holds it.
        spans: The manifests of the run, in the order in which they are read.
        events: Where a start, a resume and each change of manifest are noted.
        outer: DiLoCo's outer optimizer; None where every step is all-reduced.
        velocity: [N] momentum of all parameter servers; None for other runs. Loading writes
            into it.
    """

    store: CheckpointStore
    trainer: Trainer
    identity: dict[str, Any]
    recipe: dict[str, Any]
    manifest_uri: str
    spans: list[ManifestSpan]
    events: Events
    outer: OuterLoop | None = None
    velocity: Tensor | None = None
    _saved_step: int | None = None

    def after_step(self, *, is_last: bool) -> None:
        """Save where the recipe asks for it, or where no step follows; all ranks call it."""
        if is_last or self.trainer.step % self.store.config.every_steps == 0:
            self.save()

    def after_left_step(self) -> None:
        """Save where the last update is not saved yet; all ranks call it.

        Before the first update there is nothing to save: the run starts anew.
        """
        if self.trainer.step not in (0, self._saved_step):
            self.save()

    def finish(self) -> None:
        """Wait until the last save is published; all ranks call it.

        No step follows that would try again where the disk was full: after a pause it is tried here.

        Raises:
            PipelineError: Too many saves in a row have failed.
        """
        with section("checkpoint"):
            self.store.finish()
            while self.store.failed:
                time.sleep(self.store.config.retry_seconds)
                self.save()
                self.store.finish()

    def save(self) -> Path:
        """Write a checkpoint of the state after the last update; all ranks call it."""
        trainer, world = self.trainer, self.store.world
        self._saved_step = trainer.step
        state = {
            "step": trainer.step,
            "consumed_samples": trainer.plan.span(trainer.step).start,
            "identity": self.identity,
            "scaler": trainer.scaler.state() if trainer.scaler is not None else None,
            "interventions": trainer.interventions.state(),
            "consumed": trainer.consumed.state(),
            "monitor": trainer.guard.monitor.state() if trainer.guard is not None else None,
            "settings": self.recipe,
            "manifest": self.manifest_uri,
            "environment": environment_lock(self.recipe),
            "world_size": world.size,
            "events": self.events.events,
        }
        if self.outer is not None:
            state["diloco"] = {"ranks": world.size, "has_met": self.outer.has_met}
        learnt = learnt_seconds()
        if learnt is not None:
            state["learnt_seconds"] = learnt
        with section("checkpoint"):
            return self.store.save(trainer.step, self._tensors(inner=world.rank), state)

    def resume(self, *, is_fresh: bool) -> None:
        """Load the last good checkpoint, where there is one, and note what changed since.

        Raises:
            SettingsError: There is one, and a fresh run was asked for.
            ContractError: It is of another run.
        """
        path = self.store.latest()
        self._refuse_replay()
        if path is None:
            self.events.append("start", step=0)
            self._note_manifests(from_sample=self.trainer.plan.first_sample)
            return
        if is_fresh:
            raise SettingsError(
                f"{path}: the output already holds a checkpoint, and --fresh was given"
            )
        state = read_state(path)
        settings_changed = self._refuse_other_run(path, state)
        self._load(path, state)
        self.store.branch.begin(path)
        self._saved_step = self.trainer.step
        self._take_course(state)
        environment_changed = changed_environment(
            state["environment"], environment_lock(self.recipe)
        )
        logger.info("resumed %s at step %d", path, self.trainer.step)
        self.events.restore(state.get("events", []))
        self.events.append(
            "resume",
            step=self.trainer.step,
            world_size=self.store.world.size,
            parallel=self.recipe["parallel"],
            settings_changed=settings_changed,
            environment_changed=environment_changed,
        )
        self._note_manifests(from_sample=int(state["consumed_samples"]))
        for change in environment_changed:
            logger.warning("the environment changed, bits may differ: %s", change)

    def load(self, path: Path) -> None:
        """Take the state of a checkpoint of this run and note nothing; all ranks call it.

        Raises:
            ContractError: It is of another run, or damaged.
        """
        state = read_state(path)
        self._refuse_other_run(path, state)
        self._load(path, state)
        self._take_course(state)

    def go_back(self, path: Path, action: ActionConfig) -> None:
        """Return to a checkpoint of this run, as whoever restarts it now would; all ranks call it.

        Args:
            path: The checkpoint.
            action: What is jumped over from there, and what becomes of the rate. Where it changes nothing, the
                batches up to now are jumped over: the same would come to pass.
        """
        state = read_state(path)
        before, actions = self.trainer.step, self.trainer.interventions.actions
        self._load(path, state)
        self.store.branch.begin(path)
        self._saved_step = self.trainer.step
        self.trainer.take_course(Interventions.of_state(state.get("interventions")))
        here = self.trainer.step
        changes_rate = action.rate_scale != 1.0 or action.rewarm_steps > 0
        batches = action.batches or (0 if changes_rate else before - here)
        self.events.append(
            ROLLBACK,
            step=here,
            from_step=before,
            skip=asdict(self.trainer.plan.skip_batches(here, batches)),
            batches=batches,
            rate_scale=action.rate_scale,
            rewarm_steps=action.rewarm_steps,
            actions=actions,
        )
        self._take_course(state)
        if self.store.world.is_first:
            replace_text(path.parent / LATEST_NAME, path.name)
        self.store.world.barrier()
        logger.warning("went back from step %d to %s", before, path)

    def _take_course(self, state: dict[str, Any]) -> None:
        """Take what was decided up to the checkpoint, and since then about its step."""
        trainer = self.trainer
        held = len(state.get("events", []))
        later = [one for one in self.events.events[held:] if one["kind"] in (ROLLBACK, SWAP)]
        course = Interventions.of_state(state.get("interventions"))
        course = course.decided_since(self.store.world.tell(later), step=trainer.step)
        trainer.take_course(course)
        trainer.consumed = Consumed.of_state(state.get("consumed"), step=trainer.step)
        if trainer.guard is not None and state.get("monitor") is not None:
            trainer.guard.monitor.restore(state["monitor"])

    def _refuse_replay(self) -> None:
        """See `refuse_replay`; the first rank has the events, all ranks leave together."""
        refusal = None
        try:
            refuse_replay(self.events.events)
        except PipelineError as error:
            refusal = error
        if self.store.world.any(refusal is not None):
            raise refusal or PipelineError()

    def _refuse_other_run(self, path: Path, state: dict[str, Any]) -> list[str]:
        """Refuse the checkpoint of another run; returns the accepted changes.

        Manifests that are still to come may change, one that begins at this checkpoint too; those that were read may not.
        """
        consumed, step = int(state["consumed_samples"]), int(state["step"])
        before = dict.fromkeys(_OF_SPANS, consumed) | {"batch_changes": step}
        expected, found = (
            {**one, **{key: _read_before(one[key], to) for key, to in before.items() if key in one}}
            for one in (
                self._identity_at(step),
                {"spans": [], "batch_changes": [], **state["identity"]},
            )
        )
        accepted = self.store.config.accept_changes
        return refuse_other_run(path, {**state, "identity": found}, expected, accepted=accepted)

    def _identity_at(self, step: int) -> dict[str, Any]:
        """What the run was after so many updates: before a swap it had another activation."""
        blend = self.recipe.get("activation_blend")
        if blend is None or step > blend["from_step"]:
            return self.identity
        return {
            **self.identity,
            "model": {**self.identity["model"], "activation": blend["before"]},
        }

    def _load(self, path: Path, state: dict[str, Any]) -> None:
        """Fill the step, the model, the optimizer and, where there are some, momenta and scale."""
        world, trainer, outer = self.store.world, self.trainer, self.outer
        inner = world.rank
        if outer is not None:
            inner = inner_of(world.rank, ranks=world.size, saved=state["diloco"], where=str(path))
        tensors = self._tensors(inner=inner)
        if "optimizer" in self.store.config.accept_changes:
            self._drop_unfit_states(path, tensors)
        load_tensors(path, tensors, world_size=world.size)
        if outer is not None:
            outer.restore(trainer.optimizer, tensors, inner=inner)
        else:
            restore_tensors(trainer.strategy.parts, trainer.optimizer, tensors)
        trainer.step = int(state["step"])
        if trainer.scaler is not None and state["scaler"] is not None:
            trainer.scaler.restore(state["scaler"])

    def _drop_unfit_states(self, path: Path, tensors: dict[str, Any]) -> None:
        """Ask of the checkpoint only the states that this optimizer has and that it holds."""
        index = read_index(path / WEIGHTS_NAME, sha256=index_sha256(path))
        for prefix, states in optimizer_states(tensors):
            lacking = [
                key for key, value in states.items() if not index.fits(prefix + key, value.size())
            ]
            for key in lacking:
                del states[key]
            stored = [key for key in index.tensors if key.startswith(prefix)]
            left = sum(key.removeprefix(prefix) not in states for key in stored)
            if self.store.world.is_first and (lacking or left):
                logger.warning(
                    "%s: the optimizer changed: %d of its states are taken, %d begin anew, %d of the "
                    "checkpoint's are dropped", path, len(states), len(lacking), left,
                )  # fmt: skip

    def _tensors(self, *, inner: int) -> dict[str, Any]:
        """The tensors of a checkpoint, as they are now; loading fills the momenta in place."""
        if self.outer is not None:
            return self.outer.collect(self.trainer.optimizer, inner=inner)
        tensors = collect_tensors(self.trainer.strategy.parts, self.trainer.optimizer)
        if self.velocity is not None:
            tensors["servers"] = {"velocity": self.velocity}
        return tensors

    def _note_manifests(self, *, from_sample: int) -> None:
        """Note the manifests that are still to come, unless they are noted already."""
        plan = self.trainer.plan
        manifests = [event for event in self.events.events if event["kind"] == "manifest"]
        noted = [(event["manifest_root"], event["from_tokens"]) for event in manifests]
        for number, (first, root) in enumerate(self.spans):
            tokens = max(first - plan.first_sample, 0) * plan.seq_len
            if (root, tokens) in noted or (number > 0 and first < from_sample):
                continue
            self.events.append(
                "manifest", step=plan.step_of(first), manifest_root=root, from_tokens=tokens
            )
