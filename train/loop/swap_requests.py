"""A request for other settings as a run takes it up: could this run, in this layout and with these data, become that?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from schemas.errors import ContractError
from train.data.presence import absent_shards
from train.data.spliced import open_spans
from train.loop.open_run import TrainingRun
from train.loop.swap_settings import Moment, with_swap
from train.loop.swaps import Swap, SwapQueue
from train.refusals.facts import RunFacts
from train.refusals.refuse import refuse


def take_request(run: TrainingRun, swaps: SwapQueue, *, is_there: bool) -> None:
    """Let all ranks know of the request that the first one sees, where there is one."""
    if not is_there:
        return
    first = run.world.is_first
    body = None
    if first:
        check = partial(_check_swap, run)
        body = swaps.take_request(run.events, step=run.trainer.step, check=check)
    body = run.world.tell(body)
    if body is not None:
        swaps.add(body)


def moment_of(run: TrainingRun) -> Moment:
    """Where a run is, as a swap needs to know it."""
    trainer, shape = run.trainer, run.built.model_config
    plan = trainer.plan
    samples = plan.span(trainer.step).start - plan.first_sample
    return Moment(
        step=trainer.step,
        tokens=samples * plan.seq_len,
        activation=None if shape is None else shape.activation,
        total_steps=plan.total_steps,
    )


def _check_swap(run: TrainingRun, swap: Swap) -> None:
    """See that a run can make a swap before it is accepted.

    Raises:
        PipelineError: Its settings, its layout or its data cannot be.
    """
    now = moment_of(run)
    moment = replace(now, step=max(swap.at or now.step, now.step))
    found = with_swap(run.settings, swap.overrides, moment, blend_steps=swap.blend_steps)
    if run.built.model_config is not None:
        facts = RunFacts(
            model=run.built.model_config,
            world_size=run.world.size,
            manifest=run.manifest,
            has_weights=found.start_request.loads_weights,
        )
        refuse(found, facts)
    if found.spans == run.settings.spans:
        return
    data = open_spans(
        found.spans, found.loader, seed=found.seed, first_sample=found.first_sample, order=run.order
    )
    last = data.parts[-1]
    faults = absent_shards(last.files, last.data.manifest.train.shards)
    if faults:
        raise ContractError(faults[0])
