"""Ranks that step alone: parameter servers and DiLoCo."""

from __future__ import annotations

from collections.abc import Iterator

from train.refusals.facts import RunFacts
from train.refusals.parallel import degrees_beyond_one
from train.settings import TrainSettings


def asynchronous_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """What parameter servers cannot do."""
    config, optimizer = settings.asynchronous, settings.optimizer
    if config is None:
        return
    faults = {
        f"optimizer.name {optimizer.name}: servers step with sgd": optimizer.name != "sgd",
        f"optimizer.l1 {optimizer.l1} and l2 {optimizer.l2}: servers have weight_decay only; set "
        "both to null": optimizer.l1 is not None or optimizer.l2 is not None,
        f"optimizer.max_grad_norm: each of {config.servers} servers sees a part of the gradient; use "
        "servers: 1 or max_grad_norm: null": config.servers > 1
        and optimizer.max_grad_norm is not None,
        f"precision.compute {settings.precision.compute}: a loss scale needs common steps; use "
        "bf16 or fp32": settings.precision.compute == "fp16",
        f"trainable {settings.trainable}: servers hold all weights; set trainable: all": (
            settings.trainable != "all"
        ),
        "diloco: use one of the two": settings.diloco is not None,
        "evaluation.tasks: parameter servers score none; evaluate the run with train evaluate": (
            settings.evaluation is not None and settings.evaluation.tasks is not None
        ),
        "evaluation.every_steps: the first server evaluates at the end only; set every_steps: null": (
            settings.evaluation is not None and settings.evaluation.every_steps is not None
        ),
        f"model.mup_base_width {facts.model.mup_base_width}: muP has a rate for each kind of "
        "matrix, servers have one for all; leave mup_base_width out": (
            facts.model.width_ratio != 1.0 or facts.model.mup_base_depth is not None
        ),
        **degrees_beyond_one(settings.parallel, "a worker holds the whole model"),
        f"parallel.dp_replicate {settings.parallel.dp_replicate}: asynchronous.workers says how "
        "many read rows; leave dp_replicate out": settings.parallel.dp_replicate not in (None, 1),
    }
    yield from (
        f"asynchronous does not go with {fault}" for fault, holds in faults.items() if holds
    )


def diloco_faults(settings: TrainSettings) -> Iterator[str]:
    """What ranks that step alone between their exchanges cannot do."""
    config = settings.diloco
    if config is None:
        return
    every = settings.checkpoint.every_steps
    evaluated = settings.evaluation.every_steps if settings.evaluation else None
    faults = {
        f"checkpoint.every_steps {every}: ranks agree every {config.inner_steps} steps; use a "
        "multiple of diloco.inner_steps": every % config.inner_steps != 0,
        f"evaluation.every_steps {evaluated}: ranks agree every {config.inner_steps} steps; use a "
        "multiple of diloco.inner_steps": (
            evaluated is not None and evaluated % config.inner_steps != 0
        ),
        f"precision.compute {settings.precision.compute}: a loss scale needs common steps; use "
        "bf16 or fp32": settings.precision.compute == "fp16",
        **degrees_beyond_one(settings.parallel, "each data rank holds the whole model"),
    }
    yield from (f"diloco does not go with {fault}" for fault, holds in faults.items() if holds)
