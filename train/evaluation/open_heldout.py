"""The held-out loss of weights that are not in training: of a run, a checkpoint or a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from schemas.errors import ContractError, PipelineError
from schemas.manifest import Manifest
from train.data.config import LoaderConfig
from train.data.cursor import RankShare
from train.data.loader import SplitReader, open_split, shard_files
from train.data.remote import ShardFiles, local_tokenizer, open_manifest
from train.distributed.world import World
from train.evaluation.chosen_rows import Int64s, choose_rows
from train.evaluation.heldout import EvaluationBatches, HeldoutLoss, heldout_loss
from train.generation.open_model import OpenWeights
from train.objectives.build import build_for_manifest
from train.objectives.causal import CausalObjective
from train.objectives.config import ObjectiveConfig
from train.vocabulary.extension import read_extension
from train.warm_start.tokenizers import vocabulary_grows

MICROBATCH = 8
# The heads that an objective of a bert reads; a decoder needs its head for any.
_HEADS = {
    "masked": ("transform", "head_bias"),
    "unilm": ("transform", "head_bias"),
    "classify": ("class_head",),
}


@dataclass(frozen=True, kw_only=True)
class HeldoutRequest:
    """What weights are judged on.

    Attributes:
        manifest: The dataset whose held-out split is read.
        objective: What is predicted; its augmentation is left out.
        max_rows: Rows that are read, from every source its share; None: the whole split.
        seed: Of what the objective draws; None: that of the run.
        split: The split that is read; the training split in the order of its shards.
    """

    manifest: str
    objective: ObjectiveConfig
    max_rows: int | None = None
    seed: int | None = None
    split: Literal["heldout", "train"] = "heldout"


@dataclass(kw_only=True)
class Listener:
    """The model of an evaluation, whose sums somebody looks at batch by batch.

    Attributes:
        model: Computes the sums of a batch.
        heard: Called with the sums of each batch, in the order of the rows.
    """

    model: Callable[[Any], Any]
    heard: Callable[[Any], None]
    share: RankShare
    copies: int = 1

    def evaluate(self, batch: Any) -> Any:
        sums = self.model(batch)
        self.heard(sums)
        return sums


@dataclass(frozen=True, kw_only=True)
class OpenHeldout:
    """A held-out split, open, with the objective that its rows are read by.

    Attributes:
        rows: Numbers of the rows that are read; None: all.
    """

    data: SplitReader
    batches: EvaluationBatches
    rows: Int64s | None


def open_heldout(weights: OpenWeights, request: HeldoutRequest) -> OpenHeldout:
    """Open what weights are to be judged on.

    Raises:
        ContractError: The ids of the rows are not those of the weights, or the rows are longer than the model reads.
    """
    files = shard_files(request.manifest, LoaderConfig())
    manifest, shape = open_manifest(files), weights.source.config
    _check_tokenizer(request.manifest, weights, manifest, files)
    if manifest.seq_len > shape.max_positions:
        raise ContractError(
            f"{request.manifest}: rows have {manifest.seq_len} tokens, the model of "
            f"{weights.source.path} has {shape.max_positions} positions; pack shorter rows"
        )
    weights.require(_HEADS.get(request.objective.name))
    plain = build_for_manifest(
        request.objective.model_copy(update={"augment": None}),
        manifest,
        family=shape.family,
        vocab_size=shape.vocab_size,
        max_positions=shape.max_positions if shape.positions == "learned" else None,
    )
    seed = request.seed
    if seed is None:
        seed = 0 if weights.state is None else int(weights.state["settings"].get("seed", 0))
    data = open_split(
        files, manifest, LoaderConfig(), split=request.split, seed=0, order="by_shard"
    )
    rows = None
    if request.max_rows is not None:
        rows = choose_rows(data.reader.tokens_by_source(), request.max_rows)
    batches = EvaluationBatches(
        make_batch=partial(plain.build, seed=seed),
        causal=plain if isinstance(plain, CausalObjective) else None,
    )
    return OpenHeldout(data=data, batches=batches, rows=rows)


def heldout_of_weights(
    weights: OpenWeights,
    split: OpenHeldout,
    world: World,
    *,
    heard: Callable[[Any], None] | None = None,
) -> HeldoutLoss:
    """The held-out loss of weights.

    Args:
        weights: On the device of the world.
        split: What they are judged on.
        world: All ranks; each reads its share.
        heard: Called with the sums of each batch, in the order of the rows.

    Raises:
        PipelineError: The loss is not a number.
    """
    share = RankShare(rank=world.rank, ranks=world.size)
    found = heldout_loss(
        weights.model,
        split.data,
        split.batches,
        world,
        microbatch=MICROBATCH,
        rows=split.rows,
        strategy=None if heard is None else Listener(model=weights.model, heard=heard, share=share),
    )
    if not found.is_finite:
        raise PipelineError(
            f"{weights.source.path}: the held-out loss is {found.totals.loss}, no number; nothing "
            "was written"
        )
    return found


def _check_tokenizer(
    where: str, weights: OpenWeights, manifest: Manifest, files: ShardFiles
) -> None:
    known = weights.source.tokenizer_sha256
    if known is not None:
        if manifest.tokenizer.sha256 != known:
            raise ContractError(
                f"{where}: its tokenizer is {manifest.tokenizer.sha256[:16]}..., "
                f"{weights.source.path} was trained with {known[:16]}..."
            )
        return
    folder = local_tokenizer(files)
    if vocabulary_grows(weights.source, manifest, folder, read_extension(folder)):
        raise ContractError(f"{where}: its tokenizer has tokens that {weights.source.path} lacks")
