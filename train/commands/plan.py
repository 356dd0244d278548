"""`train plan`: what a recipe will do, before it does it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from schemas.errors import SettingsError
from schemas.manifest import Manifest
from schemas.terminal import open_console
from train.commands.arguments import add_recipe_arguments, positive, settings_of
from train.loop.plan import RunPlan
from train.objectives.config import parse_objective
from train.optim.peaks import ModelSize, published_peak, with_peak
from train.optim.schedules import learning_rate
from train.recipe_facts import DataSizes, JudgedPhase, judge_recipe, ranks_of
from train.refusals.facts import RunFacts
from train.settings import TrainSettings

_LINES, _DRAWN = 12, 400
# Shares of the peak that the published runs of section 5 of Chowdhery et al. 2022 lie between.
_LIKELY_MFU = (0.3, 0.5)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_arguments(parser)
    parser.add_argument(
        "--world", type=positive, help="ranks; by default what `parallel:` multiplies to"
    )
    parser.add_argument("--seq-len", type=positive, help="plan without a manifest: tokens of a row")
    parser.add_argument("--vocab-size", type=positive, help="and ids of its tokenizer")
    parser.add_argument("--page", type=Path, help="draw the curves into an HTML page")
    parser.add_argument(
        "--fit-microbatch",
        action="store_true",
        help="find the largest micro-batch that fits on this machine, by trying",
    )


def run(args: argparse.Namespace) -> int:
    """Print steps, tokens, checkpoints, curves, memory, messages and time."""
    settings = settings_of(args)
    console = open_console()
    sizes = None
    if (args.seq_len is None) != (args.vocab_size is None):
        raise SettingsError("--seq-len and --vocab-size: give both to plan without a manifest")
    if args.page is not None and not args.page.parent.is_dir():
        raise SettingsError(f"--page {args.page}: there is no folder {args.page.parent}")
    if args.seq_len is not None:
        sizes = DataSizes(vocab_size=args.vocab_size, seq_len=args.seq_len)
    phases = judge_recipe(settings, args.world or ranks_of(settings), sizes=sizes)
    for number, phase in enumerate(phases, start=1):
        page = args.page
        if len(phases) > 1:
            planned = phase.settings
            console.print(f"phase {number}: trainable {planned.trainable}, {planned.output}")
            page = None if page is None else page.with_stem(f"{page.stem}-{number}")
        whole = _with_peak(console, phase)
        if phase.facts.manifest is not None:
            _show_course(console, whole, phase.facts.manifest, page)
    last = phases[-1].facts
    seq_len = args.seq_len if last.manifest is None else last.manifest.seq_len
    _show_groups(console, settings, last)
    _show_ranks(console, settings, last, seq_len)
    if args.fit_microbatch:
        from train.planning.fitting import largest_microbatch

        fit = largest_microbatch(settings, last.model, seq_len=seq_len)
        console.print(fit.describe())
    return 0


def _with_peak(console: Console, phase: JudgedPhase) -> TrainSettings:
    """The settings of a phase with a number for the peak of its rate; prints one that they leave open."""
    settings, size = phase.settings, ModelSize.of(phase.facts.model)
    schedule = with_peak(settings.schedule, settings.optimizer, size)
    if settings.schedule.peak_lr is None:
        source = published_peak(settings.optimizer, size).source
        console.print(
            f"peak rate {schedule.peak:g} for {settings.optimizer.name} and {size.parameters:,} parameters, "
            f"{size.embeddings:,} of them embeddings: {source}"
        )
    return settings.model_copy(update={"schedule": schedule})


def _show_course(
    console: Console, settings: TrainSettings, manifest: Manifest, page: Path | None
) -> None:
    plan = RunPlan.of(manifest, settings.batch, settings.stop, first_sample=settings.first_sample)
    total = plan.total_steps
    every = settings.checkpoint.every_steps
    console.print(
        f"{total:,} steps, {plan.total_samples:,} rows of {plan.seq_len} tokens = "
        f"{plan.total_samples * plan.seq_len:,} tokens, "
        f"{plan.total_samples / plan.rows_per_pass:.2f} passes over {manifest.name} "
        f"({manifest.root[:12]}), {math.ceil(total / every)} checkpoints, one every {every} steps"
    )
    table = Table("step", "tokens", "batch", "weight decay", "learning rate", "")
    for step in sorted({round(i * (total - 1) / _LINES) for i in range(_LINES + 1)}):
        rate = learning_rate(plan.progress(step), settings.schedule)
        span = plan.span(step)
        bar = "#" * round(40 * rate / settings.schedule.peak)
        tokens = (span.start - plan.first_sample) * plan.seq_len
        decay = f"{settings.optimizer.weight_decay:g}"
        table.add_row(f"{step:,}", f"{tokens:,}", str(span.count), decay, f"{rate:.3e}", bar)
    console.print(table)
    if page is not None:
        page.write_text(_page(settings, plan), encoding="utf-8")
        console.print(f"curves: {page}")


def _page(settings: TrainSettings, plan: RunPlan) -> str:
    from pages.charts import LineChart, Series, line_chart
    from pages.frame import Page, PageSection
    from pages.tables import facts

    total = plan.total_steps
    steps = sorted({round(i * (total - 1) / _DRAWN) for i in range(_DRAWN + 1)})
    rates = [learning_rate(plan.progress(s), settings.schedule) for s in steps]
    tokens = [(plan.span(s).start - plan.first_sample) * plan.seq_len for s in steps]
    curves: dict[str, Sequence[float]] = {
        "Learning rate": rates,
        "Batch (rows)": [plan.span(s).count for s in steps],
        "Weight decay x learning rate": [rate * settings.optimizer.weight_decay for rate in rates],
        "Tokens": tokens,
    }
    axes = {"step": steps, "tokens": tokens}
    charts = "".join(
        line_chart(LineChart(title=title, series=[Series(name="", x=axes, y=values)]))
        for title, values in curves.items()
    )
    every = settings.checkpoint.every_steps
    numbers = {
        "steps": f"{total:,}",
        "tokens": f"{plan.total_samples * plan.seq_len:,}",
        "passes over the data": f"{plan.total_samples / plan.rows_per_pass:.2f}",
        f"checkpoints, one every {every:,} steps": f"{math.ceil(total / every):,}",
    }
    section = PageSection(key="curves", title="Curves", body=f'<div class="charts">{charts}</div>')
    return Page(
        title="Plan", kind="training plan", head=facts(numbers), sections=[section]
    ).render()


def _show_groups(console: Console, settings: TrainSettings, facts: RunFacts) -> None:
    """Print which parameters decay, which update they get, and their share of the rate."""
    from train.planning.groups import planned_groups

    optimizer = settings.optimizer
    table = Table(
        "parameters", "tensors", "numbers", "update", "weight decay", "rate", "for example"
    )
    objective = parse_objective(settings.objective)
    for group in planned_groups(facts.model, optimizer, objective):
        is_other = optimizer.name == "muon" and not group.kind.is_orthogonal
        table.add_row(
            str(group.role),
            f"{group.tensors:,}",
            f"{group.parameters:,}",
            "adamw" if is_other else optimizer.name,
            f"{optimizer.weight_decay * group.kind.decay_scale:g}" if group.kind.decays else "none",
            f"x {group.kind.lr_scale:g}",
            group.example,
        )
    console.print(table)


def _readable(size: int) -> str:
    unit, name = (1e9, "G") if size >= 1e9 else (1e6, "M")
    return f"{size / unit:.3g}{name}"


def _show_ranks(console: Console, settings: TrainSettings, facts: RunFacts, seq_len: int) -> None:
    """Print memory and messages of each pipeline rank, and the time, from the meta device."""
    from train.planning.estimate import estimate

    config, world = facts.model, facts.world_size
    need = estimate(settings, config, world=world, seq_len=seq_len)
    console.print(
        f"{need.parameters:,} parameters on {world:,} rank{'s' if world > 1 else ''}, {need.microbatches} "
        f"micro-batches per rank and step, bubble {100 * need.bubble:.1f} %"
    )
    table = Table(
        "stage", "layers", "weights", "grads", "states", "activ.", "all",
        "tensor", "data", "pipeline", title="bytes of a rank: held, and sent in a step",
    )  # fmt: skip
    shown = need.ranks if len(need.ranks) <= 4 else [*need.ranks[:2], *need.ranks[-2:]]
    for load in shown:
        sizes_of = (
            load.weights_bytes, load.gradients_bytes, load.states_bytes, load.activations_bytes,
            load.memory_bytes, load.tensor_bytes, load.data_bytes, load.pipeline_bytes,
        )  # fmt: skip
        cells = [_readable(size) for size in sizes_of]
        table.add_row(str(load.pipeline_rank), str(load.layers), *cells)
    console.print(table)
    peak = settings.metrics.peak_flops
    if peak is None:
        console.print("time: give metrics.peak_flops (per rank) for an estimate")
        return
    per_token = config.flops_per_token(seq_len) * (1 + (settings.recompute == "full") / 3)
    step_tokens = settings.batch.sequences * seq_len
    seconds = [per_token * step_tokens / (world * peak * mfu) for mfu in _LIKELY_MFU]
    low, high = (one * (1 + need.bubble) for one in reversed(seconds))
    console.print(
        f"time: {low:.3g} to {high:.3g} s a step at {_LIKELY_MFU[0]:.0%} to {_LIKELY_MFU[1]:.0%} "
        f"of {peak:.3g} FLOP/s a rank"
    )
    if settings.stop.steps is not None:
        ends = [timedelta(seconds=round(one * settings.stop.steps)) for one in (low, high)]
        console.print(f"the run: {ends[0]} to {ends[1]}")
