"""Models and worlds that ranks cannot share."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.errors import SettingsError
from train.parallel.config import ParallelConfig
from train.refusals.facts import RunFacts
from train.settings import TrainSettings


def degrees_beyond_one(parallel: ParallelConfig, why: str) -> dict[str, bool]:
    degrees = {"dp_shard": parallel.dp_shard, "tp": parallel.tp, "pp": parallel.pp}
    return {
        f"parallel.{name} {degree}: {why}; set {name}: 1": degree > 1
        for name, degree in degrees.items()
    }


def world_faults(settings: TrainSettings, world_size: int) -> Iterator[str]:
    """A world that has not as many ranks as the settings lay out."""
    try:
        if settings.asynchronous is not None:
            settings.asynchronous.check_world(world_size)
        else:
            settings.parallel.replicas(world_size)
    except SettingsError as error:
        yield str(error)


def model_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
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


def plugin_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
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


def wrapper_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
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


def tree_faults(settings: TrainSettings, facts: RunFacts) -> Iterator[str]:
    """Where gradients cannot be added in the tree of the micro-batches."""
    if settings.parallel.reduction != "tree":
        return
    faults = {
        "asynchronous: servers add gradients as they come": settings.asynchronous is not None,
        "diloco: ranks step by their own gradients": settings.diloco is not None,
        "model.norm batchnorm: its statistics are those of the rows that a rank has read": (
            facts.model.norm == "batchnorm"
        ),
        **degrees_beyond_one(settings.parallel, "a micro-batch has its gradient on one rank"),
    }
    yield from (
        f"parallel.reduction tree does not go with {fault}; use reduction: flat"
        for fault, holds in faults.items()
        if holds
    )
