"""What settings cannot do together, as sentences: asked before anything is started or written.

One fault is one sentence that names the keys with their values and says what to set instead. Nothing
here needs torch, a process group or a file, so a recipe that cannot work costs less than a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.errors import SettingsError
from schemas.manifest import Manifest
from train.model.config import ModelConfig
from train.objectives.config import ClassifyConfig, PluginConfig, parse_objective
from train.objectives.requirements import ObjectiveContext, family_faults, objective_faults
from train.optim.peaks import ModelSize, with_peak
from train.parallel.config import ParallelConfig
from train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What settings are judged by.

    Attributes:
        model: Shape of the model that the settings and the weights to start from give.
        world_size: Number of ranks, or of servers and workers together.
        manifest: The dataset; None where a recipe is planned without one.
        has_weights: Whether the run starts from weights that exist.
        loaded_classes: Classes of the head that these weights bring; None for none.
    """

    model: ModelConfig
    world_size: int
    manifest: Manifest | None = None
    has_weights: bool = False
    loaded_classes: int | None = None


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
        *_asynchronous_faults(settings, facts),
        *_diloco_faults(settings),
        *_world_faults(settings, facts.world_size),
        *_model_faults(settings, facts),
        *_plugin_faults(settings, facts),
        *_wrapper_faults(settings, facts),
        *_batch_faults(settings, facts.world_size),
        *_row_faults(settings, facts),
        *_pipeline_faults(settings, facts),
        *_objective_faults(settings, facts),
        *_rate_faults(settings, facts),
        *_idle_faults(settings, facts),
        *_stability_faults(settings, facts),
        *_tree_faults(settings, facts),
    ]


def recipe_faults(settings: TrainSettings) -> list[str]:
    """Why the phases of a recipe cannot be one recipe; each phase is judged by `refusals`."""
    if settings.asynchronous is not None and settings.phases is not None:
        return ["asynchronous does not go with phases: write one recipe for each phase"]
    return []


def _asynchronous_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
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
        **_degrees_beyond_one(settings.parallel, "a worker holds the whole model"),
        f"parallel.dp_replicate {settings.parallel.dp_replicate}: asynchronous.workers says how "
        "many read rows; leave dp_replicate out": settings.parallel.dp_replicate not in (None, 1),
    }
    yield from (
        f"asynchronous does not go with {fault}" for fault, holds in faults.items() if holds
    )


def _diloco_faults(settings: TrainSettings) -> Iterator[str]:
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
        **_degrees_beyond_one(settings.parallel, "each data rank holds the whole model"),
    }
    yield from (f"diloco does not go with {fault}" for fault, holds in faults.items() if holds)


def _degrees_beyond_one(parallel: ParallelConfig, why: str) -> dict[str, bool]:
    degrees = {"dp_shard": parallel.dp_shard, "tp": parallel.tp, "pp": parallel.pp}
    return {
        f"parallel.{name} {degree}: {why}; set {name}: 1": degree > 1
        for name, degree in degrees.items()
    }


def _world_faults(settings: TrainSettings, world_size: int) -> Iterator[str]:
    """A world that has not as many ranks as the settings lay out."""
    try:
        if settings.asynchronous is not None:
            settings.asynchronous.check_world(world_size)
        else:
            settings.parallel.replicas(world_size)
    except SettingsError as error:
        yield str(error)


def _model_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """Shapes that ranks cannot share."""
    parallel, model = settings.parallel, facts.model
    if parallel.tp > 1:
        for name in ("z_loss", "label_smoothing"):
            if getattr(model, name):
                yield (
                    f"model.{name} {getattr(model, name):g} needs the logits of the whole vocabulary "
                    f"on one rank, and parallel.tp {parallel.tp} splits them; set model.{name}: 0 or "
                    "parallel.tp: 1"
                )
        sizes = {
            "num_heads": model.num_heads,
            "num_kv_heads": model.num_kv_heads,
            "mlp_width": model.mlp_width,
        }
        for name, size in sizes.items():
            if size % parallel.tp:
                yield (
                    f"parallel.tp: {parallel.tp} ranks do not divide {name} {size}; set parallel.tp "
                    f"to a divisor of model.{name}"
                )
    if parallel.tp > 1 and (model.qk_norm or model.embedding_width is not None):
        yield (
            f"parallel.tp {parallel.tp}: not for model.qk_norm {model.qk_norm} or embedding_width "
            f"{model.embedding_width}; use dp_shard or pp"
        )
    if model.share_stacks and parallel.dp_shard * parallel.tp * parallel.pp > 1:
        yield (
            "model.share_stacks: each weight serves two stacks, which sharding and pipelines "
            f"(dp_shard {parallel.dp_shard}, tp {parallel.tp}, pp {parallel.pp}) would split twice; "
            "use dp_replicate alone"
        )
    if model.norm == "batchnorm" and parallel.sequence_parallel:
        yield (
            "model.norm: batchnorm counts the tokens of whole rows, and sequence_parallel splits "
            "them; use one of them"
        )


def _plugin_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """What cuts or wraps our own blocks, around a model of the user's own."""
    parallel, model = settings.parallel, facts.model
    if model.plugin is None:
        return
    faults = {
        **{
            f"parallel.{name} {degree}": degree > 1
            for name in ("dp_shard", "tp", "pp")
            for degree in (getattr(parallel, name),)
        },
        f"recompute {settings.recompute}": settings.recompute != "none",
        "compile": settings.compile,
    }
    yield from (
        f"{fault} does not go with model.plugin {model.plugin}: it works on the blocks of our own "
        "models; use dp_replicate alone"
        for fault, holds in faults.items()
        if holds
    )


def _wrapper_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """What is put around a model, against the axes that cut it."""
    parallel = settings.parallel
    if settings.trainable != "all" and not facts.has_weights:
        yield f"trainable: {settings.trainable} needs weights that exist; give warm_start.source"
    if settings.trainable != "all" and parallel.pp > 1:
        yield (
            f"trainable: {settings.trainable} works with data and tensor ranks, not with "
            f"pp {parallel.pp}; pipelines serve the phase that trains all"
        )
    if settings.compile and parallel.tp > 1:
        yield f"compile: not together with tp {parallel.tp}; use one of them"


def _batch_sizes(settings: TrainSettings) -> list[int]:
    """Every global batch that the run will see, in rows."""
    ramp = settings.batch.ramp
    sizes = {settings.batch.sequences}
    if ramp is not None:
        sizes |= set(range(ramp.start_sequences, settings.batch.sequences, ramp.quantum))
    return sorted(sizes)


def _data_ranks(settings: TrainSettings, world_size: int) -> int | None:
    """Ranks that read different rows; None where the degrees do not fit the world."""
    try:
        return settings.parallel.data_ranks(world_size)
    except SettingsError:
        return None


def _batch_faults(settings: TrainSettings, world_size: int) -> Iterator[str]:
    """Batches that sharded ranks cannot share, for they talk in every forward pass; too few rows."""
    data_ranks = _data_ranks(settings, world_size)
    if settings.parallel.dp_shard == 1 or data_ranks is None:
        return
    for size in _batch_sizes(settings):
        if size % data_ranks:
            yield (
                f"batch: {size} sequences do not split over {data_ranks} data ranks with "
                f"dp_shard > 1; use a multiple of {data_ranks}"
            )


def _row_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """A dataset whose rows a single step would read more than once, or that has nothing held out."""
    manifest = facts.manifest
    if manifest is None:
        return
    rows, batch = manifest.train.rows, settings.batch.sequences
    if rows < batch:
        yield (
            f"batch.sequences {batch}: the training split of {manifest.name} has {rows} rows, so one "
            f"step would read them {batch / max(rows, 1):.1f} times; use at most {rows}, or pack more"
        )
    if settings.evaluation is not None and not manifest.heldout.rows:
        yield (
            f"evaluation: {manifest.name} has no held-out rows; set evaluation: null, or pack some"
        )


def _pipeline_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    parallel, model = settings.parallel, facts.model
    if parallel.pp == 1:
        return
    if parallel.pipeline_schedule == "zero_bubble":
        yield from _zero_bubble_faults(settings, model)
    is_counted_apart = model.family == "t5" or settings.recompute != "none"
    if model.norm == "batchnorm" and is_counted_apart:
        yield (
            f"model.norm: batchnorm in a {model.family} with recompute {settings.recompute} would "
            f"count the padding of other micro-batches on pp {parallel.pp}; use another norm or pp: 1"
        )
    layers = model.num_layers * (2 if model.family == "t5" else 1)
    if parallel.num_stages > layers:
        yield (
            f"parallel.pp: {parallel.num_stages} stages, but the model has {layers} layers; lower "
            "parallel.pp or parallel.stages_per_rank"
        )
    data_ranks = _data_ranks(settings, facts.world_size)
    if data_ranks is not None:
        yield from _microbatch_faults(settings, data_ranks)


def _zero_bubble_faults(settings: TrainSettings, model: ModelConfig) -> Iterator[str]:
    """What cannot follow a backward pass that is split: first to the inputs, later to the weights."""
    parallel = settings.parallel
    if model.family == "t5":
        yield (
            "parallel.pipeline_schedule: zero_bubble splits the backward pass, which torch cannot do "
            "for stages with cross attention or a shared bias; for t5 use gpipe, 1f1b or interleaved"
        )
    if parallel.dp_shard > 1:
        yield (
            "parallel.pipeline_schedule: zero_bubble splits the backward pass, which FSDP2's hooks "
            f"cannot follow; for pp {parallel.pp} with dp_shard {parallel.dp_shard} use gpipe, 1f1b "
            "or interleaved"
        )
    if parallel.sequence_parallel:
        yield (
            "parallel.pipeline_schedule: zero_bubble splits the backward pass at the stages' outputs, "
            "which sequence_parallel joins from the parts of tensor ranks; use gpipe, 1f1b or "
            "interleaved, or sequence_parallel: false"
        )
    if settings.recompute == "selective":
        yield (
            "recompute: selective keeps what one backward pass reads, and "
            "parallel.pipeline_schedule zero_bubble goes through each block twice; use "
            "recompute: full, or 1f1b"
        )


def _microbatch_faults(settings: TrainSettings, data_ranks: int) -> Iterator[str]:
    """Numbers of micro-batches that a pipeline's schedule cannot order."""
    parallel = settings.parallel
    unit = data_ranks * settings.batch.microbatch
    for size in _batch_sizes(settings):
        if size % unit:
            yield (
                f"batch: {size} sequences are no multiple of {data_ranks} data ranks x "
                f"microbatch {settings.batch.microbatch}, as pp {parallel.pp} needs"
            )
            continue
        count = size // unit
        if parallel.pipeline_schedule != "gpipe" and count < parallel.pp:
            yield (
                f"parallel.pipeline_schedule: {parallel.pipeline_schedule} needs at least {parallel.pp} micro-batches "
                f"per rank and step for pp {parallel.pp}, got {count}; lower batch.microbatch or "
                "raise batch.sequences"
            )
        looped = parallel.pipeline_schedule in ("interleaved", "zero_bubble")
        if looped and count % max(1, count // parallel.pp):
            yield (
                f"parallel.pipeline_schedule: {parallel.pipeline_schedule} with pp {parallel.pp} takes multiples of "
                f"{parallel.pp} micro-batches per rank and step, got {count}; change "
                "batch.sequences or batch.microbatch"
            )


def _rate_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """A peak that the recipe leaves open and nobody has published."""
    model, schedule = facts.model, settings.schedule
    if schedule.peak_lr is None and (model.width_ratio, model.depth_ratio) != (1.0, 1.0):
        yield (
            f"schedule.peak_lr: with model.mup_base_width {model.mup_base_width} it is the rate of the model "
            "of that width (and of mup_base_depth, where that is given); give a number"
        )
        return
    try:
        with_peak(schedule, settings.optimizer, ModelSize.of(model))
    except SettingsError as error:
        yield str(error)


# Constants of an optimizer, and which optimizers read them.
_READERS = {
    "eps": ("adamw",),
    "betas": ("adamw", "lion", "muon"),
    "momentum": ("sgd", "muon"),
}
_OLD_MOMENTUM = 0.9  # version 0.2 wrote it into the settings of every run


def _idle_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """Settings that would do nothing, which somebody wrote because they should."""
    optimizer, schedule = settings.optimizer, settings.schedule
    for name, readers in _READERS.items():
        value = getattr(optimizer, name)
        is_written = value is not None and (name, value) != ("momentum", _OLD_MOMENTUM)
        if is_written and optimizer.name not in readers:
            yield (
                f"optimizer.{name} {value}: {optimizer.name} has none; leave it out "
                f"({', '.join(readers)} read it)"
            )
    if schedule.decay_every is not None and schedule.lr_scheduler_type != "linear_warmup_step_lr":
        yield (
            f"schedule.decay_every {schedule.decay_every}: {schedule.lr_scheduler_type} has no decays; "
            "leave it out, or use linear_warmup_step_lr"
        )
    length = _run_length(settings, facts)
    if length is not None and schedule.warmup is not None and schedule.warmup > length:
        yield (
            f"schedule.warmup {schedule.warmup}: longer than the run of {length} {schedule.unit}, which "
            "would never reach schedule.peak_lr; shorten it"
        )


def _stability_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
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


def _tree_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """Where gradients cannot be added in the tree of the micro-batches."""
    if settings.parallel.reduction != "tree":
        return
    faults = {
        "asynchronous: servers add gradients as they come": settings.asynchronous is not None,
        "diloco: ranks step by their own gradients": settings.diloco is not None,
        "model.norm batchnorm: its statistics are those of the rows that a rank has read": (
            facts.model.norm == "batchnorm"
        ),
        **_degrees_beyond_one(settings.parallel, "a micro-batch has its gradient on one rank"),
    }
    yield from (
        f"parallel.reduction tree does not go with {fault}; use reduction: flat"
        for fault, holds in faults.items()
        if holds
    )


def _run_length(settings: TrainSettings, facts: RunFacts) -> int | None:
    """Length of the run in the schedule's unit, where it follows without a plan; else None."""
    stop, manifest, batch = settings.stop, facts.manifest, settings.batch
    if settings.schedule.unit == "steps" and stop.steps is not None:
        return stop.steps
    if manifest is None:
        return None
    tokens = stop.tokens
    if stop.epochs is not None:
        tokens = round(stop.epochs * manifest.train.rows * manifest.seq_len)
    if settings.schedule.unit == "tokens":
        per_step = batch.sequences * manifest.seq_len
        return stop.steps * per_step if stop.steps is not None and batch.ramp is None else tokens
    if tokens is None or batch.ramp is not None:
        return None
    return -(-tokens // (batch.sequences * manifest.seq_len))


def _objective_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    model = facts.model
    try:
        objective = parse_objective(settings.objective)
    except SettingsError as error:
        yield str(error)
        return
    if facts.manifest is None:
        yield from family_faults(objective, model.family)
    else:
        context = ObjectiveContext.of(
            facts.manifest,
            family=model.family,
            vocab_size=model.vocab_size,
            max_positions=model.max_positions if model.positions == "learned" else None,
        )
        yield from objective_faults(objective, context)
    if model.family == "bert" and not isinstance(objective, PluginConfig):
        yield from _class_faults(settings, facts, is_read=isinstance(objective, ClassifyConfig))


def _class_faults(settings: TrainSettings, facts: RunFacts, *, is_read: bool) -> Iterator[str]:
    """A head for classes that is not there, or that would stay as it was drawn."""
    classes, is_new = facts.model.num_classes, facts.model.num_classes != facts.loaded_classes
    if is_read and classes is None:
        yield (
            "objective.name: 'classify' needs a head for classes, and model.num_classes is null; set "
            "model.num_classes to their number"
        )
    elif is_read and is_new and settings.trainable == "new_embeddings":
        yield (
            "trainable: new_embeddings trains rows of tokens alone, and objective.name: classify would "
            f"read a head for {classes} classes that is drawn and never trained; set trainable: all, "
            "or begin from weights with this head"
        )
    elif not is_read and is_new and classes is not None:
        yield (
            f"model.num_classes {classes}: objective.name: {settings.objective.get('name', 'causal')} "
            "never trains a head for classes; leave it out, or set objective.name: classify"
        )
