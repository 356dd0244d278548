"""From weights on disk to their scorer and their identity."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_file, sha256_hex
from schemas.manifest import Manifest
from train.evaluation.cache import RESULT_NAME
from train.evaluation.items import Reading
from train.evaluation.readings import TextMarks, make_scorer
from train.evaluation.scoring import RowScorer
from train.generation.open_model import OpenModel, OpenWeights
from train.objectives.config import ObjectiveConfig

_MASKED_HEAD = ("transform", "head_bias")


def weights_hash(model: Path) -> tuple[str, Path]:
    """What the weights are, as a hash, and the file of their evaluation.

    Raises:
        ContractError: The path holds neither a checkpoint nor weights.
    """
    from train.checkpoint.pointer import STATE_NAME, find_checkpoint

    if not model.is_dir():
        raise ContractError(f"{model}: no such folder; expected a run, a checkpoint or a model")
    files = [path for path in sorted(model.iterdir()) if path.suffix in (".json", ".safetensors")]
    if any(path.suffix == ".safetensors" for path in files):
        named = [[path.name, sha256_file(path)] for path in files if path.name != RESULT_NAME]
        return sha256_hex(canonical_json(named)), Path(f"evaluation-{model.resolve().name}.json")
    checkpoint = find_checkpoint(model)
    return sha256_file(checkpoint / STATE_NAME), checkpoint.parent.parent / RESULT_NAME


def open_scorer(
    weights: OpenWeights,
    opened: OpenModel,
    *,
    objective: ObjectiveConfig | None,
    reading: Reading,
    manifest: Manifest | None = None,
) -> RowScorer:
    """The scorer of a run's or a folder's weights.

    Args:
        weights: Where they come from.
        opened: The same with their tokenizer.
        objective: What they were trained with; None for published weights.
        reading: How candidates are read.
        manifest: That of the run, where it is not found by the run itself.

    Raises:
        ContractError: A bert has no head for masked tokens.
        SettingsError: The model cannot be read so.
    """
    shape = weights.source.config
    weights.require(_MASKED_HEAD if shape.family == "bert" else None)
    read = weights.manifest or (manifest if weights.state is not None else None)
    # Positions that no row of the run reached are untrained, whatever the shape allows.
    trained = shape.max_positions
    if read is not None and shape.family != "t5":
        trained = min(trained, read.seq_len)
    pad = opened.tokenizer.pad_token_id
    return make_scorer(
        weights.model,
        opened.tokenizer,
        TextMarks(
            pad=0 if pad is None else pad,
            start=opened.start_id,
            end=min(opened.ends, default=None),
            before=opened.before,
            first=opened.tokenizer.bos_token_id if weights.state is None else None,
        ),
        objective=objective,
        max_tokens=trained,
        reading=reading,
    )
