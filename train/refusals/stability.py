"""What a policy for spikes cannot do."""

from __future__ import annotations

from collections.abc import Iterator

from train.refusals.facts import RunFacts
from train.settings import TrainSettings


def stability_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """What a policy for spikes cannot do in a layout, or with the checkpoints that stay."""
    config, parallel, kept = settings.stability, settings.parallel, settings.checkpoint
    if config is None:
        return
    reach = (kept.keep_last - 1) * kept.every_steps
    back = config.action.steps_back
    pipeline = f"parallel.pp {parallel.pp}: the ranks of other stages do not see it; use pp: 1"
    faults = {
        "does not go with asynchronous: workers step one by one; leave it out": (
            settings.asynchronous is not None
        ),
        "does not go with diloco: ranks that step alone would each decide for themselves; leave it out": (
            settings.diloco is not None
        ),
        f"watches row_loss, with {pipeline}": config.reads_rows and parallel.pp > 1,
        "watches row_loss, which a model of the user's own does not give; watch loss": (
            config.reads_rows and facts.model.plugin is not None
        ),
        f"scales the embedding's gradient, with {pipeline}": (
            config.embedding_gradient_scale is not None and parallel.pp > 1
        ),
        "scales the embedding's gradient, which has no name in a model of the user's own; leave "
        "embedding_gradient_scale out": (
            config.embedding_gradient_scale is not None and facts.model.plugin is not None
        ),
        f"goes {back} steps back, but checkpoint.keep_last {kept.keep_last} every {kept.every_steps} "
        f"steps may reach back {reach} only; raise keep_last or keep_every_steps": (
            config.action.kind == "roll_back" and reach < back and kept.keep_every_steps is None
        ),
    }
    yield from (f"stability {fault}" for fault, holds in faults.items() if holds)
