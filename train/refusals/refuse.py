"""What settings cannot do together, as sentences: asked before anything is started or written.

One fault is one sentence that names the keys with their values and says what to set instead. Nothing
here needs torch, a process group or a file, so a recipe that cannot work costs less than a second.
"""

from __future__ import annotations

from schemas.errors import SettingsError
from train.refusals.batches import batch_faults, pipeline_faults, row_faults
from train.refusals.facts import RunFacts
from train.refusals.lone_steps import asynchronous_faults, diloco_faults
from train.refusals.objectives import run_objective_faults
from train.refusals.parallel import (
    model_faults,
    plugin_faults,
    tree_faults,
    world_faults,
    wrapper_faults,
)
from train.refusals.rates import idle_faults, rate_faults
from train.refusals.stability import stability_faults
from train.settings import TrainSettings


def refuse(settings: TrainSettings, facts: RunFacts) -> None:
    """Raise what `refusals` finds.

    Raises:
        SettingsError: With every fault on a line of its own.
    """
    faults = refusals(settings, facts)
    if faults:
        raise SettingsError("\n  ".join(faults))


def refusals(settings: TrainSettings, facts: RunFacts) -> list[str]:
    """Every reason why the settings cannot run on this model, dataset and world."""
    return [
        *asynchronous_faults(settings, facts),
        *diloco_faults(settings),
        *world_faults(settings, facts.world_size),
        *model_faults(settings, facts),
        *plugin_faults(settings, facts),
        *wrapper_faults(settings, facts),
        *batch_faults(settings, facts.world_size),
        *row_faults(settings, facts),
        *pipeline_faults(settings, facts),
        *run_objective_faults(settings, facts),
        *rate_faults(settings, facts),
        *idle_faults(settings, facts),
        *stability_faults(settings, facts),
        *tree_faults(settings, facts),
    ]


def recipe_faults(settings: TrainSettings) -> list[str]:
    """Why the phases of a recipe cannot be one recipe; each phase is judged by `refusals`."""
    if settings.asynchronous is not None and settings.phases is not None:
        return ["asynchronous does not go with phases: write one recipe for each phase"]
    return []
