"""What is measured at a checkpoint beside tasks: held-out loss with intervals, and copying.

The first rank measures alone, so the figures do not depend on the number of ranks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.distributed.world import World
from train.evaluation.cache import code_hash
from train.evaluation.config import ProbeName
from train.evaluation.copy_score import copy_score
from train.evaluation.heldout_documents import heldout_with_intervals
from train.evaluation.open_heldout import HeldoutRequest
from train.evaluation.open_scorer import weights_hash
from train.generation.open_model import OpenModel, OpenWeights, open_weights, with_tokenizer
from train.model.transformer import Transformer
from train.objectives.config import parse_objective


def probe_checkpoint(
    path: Path, names: Sequence[ProbeName], folder: Path, device: torch.device
) -> dict[str, Any]:
    """Figures by name; what is in the folder for these weights and this code is not measured again.

    Args:
        path: The checkpoint.
        names: What is measured.
        folder: Where results are kept.
        device: Where it is measured.

    Raises:
        ContractError: The dataset of the run has no held-out rows.
        PipelineError: The held-out loss is not a number.
    """
    asked = {"weights": weights_hash(path)[0], "names": list(names), "code": code_hash()}
    kept = folder / f"probes-{sha256_hex(canonical_json(asked))[:24]}.json"
    if kept.is_file():
        known: dict[str, Any] = json.loads(kept.read_text("utf-8"))
        return known
    weights = open_weights(path)
    weights.model.to(device)
    found: dict[str, Any] = {}
    if "heldout" in names:
        found["heldout"] = _heldout(weights, device)
    if "copy" in names:
        found["copy"] = copy_of_weights(weights, with_tokenizer(weights))
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(kept, json_text(found, indent=1) + "\n")
    return found


def _heldout(weights: OpenWeights, device: torch.device) -> dict[str, Any]:
    assert weights.state is not None, "a checkpoint has a state"
    settings = dict(weights.state["settings"])
    if weights.manifest is not None and not weights.manifest.heldout.rows:
        raise ContractError(f"{weights.state['manifest']}: no held-out rows; leave out the probe")
    evaluation = settings.get("evaluation") or {}
    request = HeldoutRequest(
        manifest=str(weights.state["manifest"]),
        objective=parse_objective(dict(settings.get("objective") or {})),
        max_rows=evaluation.get("max_rows"),
    )
    return heldout_with_intervals(weights, request, World(rank=0, size=1, device=device))


def copy_of_weights(weights: OpenWeights, opened: OpenModel) -> dict[str, Any] | None:
    """The copy score of a decoder; None for other families, which do not read from left to right."""
    model, tokenizer = opened.model, opened.tokenizer
    mark = min(opened.ends, default=None)
    if not isinstance(model, Transformer) or mark is None:
        return None
    special = set(tokenizer.all_special_ids)
    most = model.config.max_positions
    if weights.manifest is not None:
        most = min(most, weights.manifest.seq_len)
    rows = min(len(tokenizer), model.config.vocab_size)
    ids = [number for number in range(rows) if number not in special]
    found = copy_score(model, ids, mark=mark, max_tokens=most)
    return None if found is None else found.as_dict()
