"""A few training steps of a selftest's case, through the same code as a run."""

from __future__ import annotations

from typing import Any

import torch

from train.data.packed import PackedRows
from train.distributed.world import World
from train.loop.plan import RunPlan
from train.loop.stream import microbatches
from train.loop.trainer import Trainer
from train.model.presets import resolve_model
from train.model.transformer import build_model
from train.objectives.build import build_objective
from train.objectives.config import parse_objective
from train.optim.groups import build_optimizer
from train.parallel.compose import build_strategy
from train.refusals.facts import RunFacts
from train.refusals.refuse import refusals
from train.selftest.cases import (
    ROWS,
    SEQ_LEN,
    SOURCES,
    SPECIAL,
    STEPS,
    VOCAB,
    Case,
    Family,
    make_rows,
)
from train.settings import TrainSettings

Items = dict[int, list[Any]]


class _Rows:
    """A dataset whose rows are a function of their sample's number."""

    def read(self, samples: Any) -> PackedRows:
        """Rows of the samples."""
        return make_rows(samples)


def settings_of(family: Family, case: Case, changes: dict[str, Any] | None = None) -> TrainSettings:
    """The recipe of a case."""
    return TrainSettings.model_validate(
        {
            "manifest": "none",
            "output": "none",
            "model": family.model,
            "objective": family.objective,
            "batch": {"sequences": ROWS, "microbatch": case.microbatch},
            "stop": {"steps": STEPS},
            "schedule": {"lr_scheduler_type": "constant", "peak_lr": 0.003},
            "optimizer": {"max_grad_norm": 0.5},
            "parallel": case.parallel,
            # Layouts are compared far more closely than bf16 holds, whatever the hardware would take.
            "precision": {"compute": "fp32"},
            **(changes or {}),
        }
    )


def is_refused(family: Family, case: Case, world_size: int) -> bool:
    """Whether a recipe of this case would be refused."""
    settings = settings_of(family, case)
    model = resolve_model(settings.model, vocab_size=VOCAB, seq_len=SEQ_LEN)
    return bool(refusals(settings, RunFacts(model=model, world_size=world_size)))


def build_trainer(
    family: Family,
    case: Case,
    world: World,
    dtype: str,
    *,
    seed: int = 3,
    changes: dict[str, Any] | None = None,
) -> tuple[Trainer, Items]:
    """A trainer of the case, and this rank's micro-batches of each step."""
    settings = settings_of(family, case, changes)
    config = resolve_model(settings.model, vocab_size=VOCAB, seq_len=SEQ_LEN)
    objective = build_objective(
        parse_objective(settings.objective),
        SPECIAL,
        family=config.family,
        vocab_size=VOCAB,
        seq_len=SEQ_LEN,
    )
    model = build_model(config, seed=seed).to(getattr(torch, dtype))
    strategy = build_strategy(settings.strategy_request, model, world)
    plan = RunPlan(batch=settings.batch, stop=settings.stop, seq_len=SEQ_LEN, rows_per_pass=1 << 20)
    trainer = Trainer(
        plan=plan,
        schedule=settings.schedule,
        max_grad_norm=settings.optimizer.max_grad_norm,
        strategy=strategy,
        optimizer=build_optimizer(strategy.parts, settings.optimizer),
        world=world,
        sources=SOURCES,
        scaler=None,
    )
    items: Items = {}
    for item in microbatches(
        plan,
        _Rows(),
        strategy.share,
        lambda rows: objective.build(rows, seed=1),
        microbatch=case.microbatch,
        start_step=0,
    ):
        items.setdefault(item.step, []).append(item)
    return trainer, items


def train_steps(trainer: Trainer, items: Items, steps: int) -> list[float]:
    """Do some steps; returns the loss of each."""
    losses = []
    for _ in range(steps):
        outcome = trainer.update(lambda span: iter(items.get(span.step, [])), stop_asked=False)
        losses.append(outcome.totals.mean)
    return losses
