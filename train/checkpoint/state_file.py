"""`state.json` of a checkpoint: cursor, identity, settings, environment; read without torch.

It holds its own SHA-256 and that of the index of the weights, so that a checkpoint is whole or the file that is not is
named.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.errors import ContractError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from train.aliases import with_current_keys, with_current_model_keys
from train.checkpoint.config import CHANGEABLE
from train.checkpoint.durable import write_durably
from train.checkpoint.index import WEIGHTS_NAME, CheckpointDamageError, verify_weights
from train.checkpoint.pointer import STATE_NAME

FORMAT_VERSION = 2
PICKLED_VERSION = 1  # its index of the weights is a pickle, and it has no checksums
_SHA256, _INDEX_SHA256 = "sha256", "index_sha256"


def write_state(path: Path, state: dict[str, Any], *, index_sha256: str) -> None:
    """Write the state of a checkpoint whose weights are there."""
    body = {"format_version": FORMAT_VERSION, **state, _INDEX_SHA256: index_sha256}
    # As JSON reads it: tuples are lists there, NaN is null, and the hash is over what is read.
    body = json.loads(json_text(body))
    whole = {**body, _SHA256: sha256_hex(canonical_json(body))}
    write_durably(path / STATE_NAME, json_text(whole, indent=1))


def read_state(path: Path) -> dict[str, Any]:
    """The `state.json` of a checkpoint.

    Raises:
        ContractError: It is no checkpoint, one of another format, or damaged.
    """
    file = path / STATE_NAME
    try:
        state = json.loads(file.read_bytes())
    except OSError as error:
        raise ContractError(f"{path}: no checkpoint there ({error.strerror})") from error
    except ValueError as error:
        raise CheckpointDamageError(f"{file}: damaged: {error}", path) from error
    version = state.get("format_version") if isinstance(state, dict) else None
    if version == PICKLED_VERSION:
        raise ContractError(
            f"{path}: its list of tensors is a pickle, which is never read (format "
            f"{PICKLED_VERSION}, of version 0.2 and earlier); python -m train upgrade {path} writes one that is "
            "not, without running anything of it"
        )
    if version != FORMAT_VERSION:
        raise ContractError(f"{path}: format {version}, expected {FORMAT_VERSION}")
    body = {key: value for key, value in state.items() if key != _SHA256}
    if sha256_hex(canonical_json(body)) != state.get(_SHA256):
        raise CheckpointDamageError(
            f"{file}: damaged: its SHA-256 is not the one that it holds", path
        )
    return with_current_names(state)


def with_current_names(state: dict[str, Any]) -> dict[str, Any]:
    """Give what an earlier version stored of settings and model the names of this version."""
    identity = with_current_keys(state.get("identity", {}))
    if isinstance(identity.get("model"), dict):
        identity["model"] = with_current_model_keys(identity["model"])
    settings = with_current_keys(state.get("settings", {}))
    return {**state, "identity": identity, "settings": settings}


def index_sha256(path: Path) -> str:
    """SHA-256 of the index of a checkpoint's weights, as its state says it."""
    sha256: str = read_state(path)[_INDEX_SHA256]
    return sha256


def verify_checkpoint(path: Path, *, share: tuple[int, int] = (0, 1)) -> None:
    """Read a checkpoint, or a rank's share of it, and compare all with its SHA-256.

    Args:
        path: Folder of the checkpoint.
        share: This rank's number, and how many share the work.

    Raises:
        ContractError: Something is missing or damaged; the message names the file.
    """
    verify_weights(path / WEIGHTS_NAME, sha256=index_sha256(path), share=share)


def is_whole(path: Path) -> bool:
    """Whether nothing of a checkpoint is missing or damaged."""
    try:
        verify_checkpoint(path)
    except ContractError:
        return False
    return True


def refuse_other_run(
    path: Path, state: dict[str, Any], expected: dict[str, Any], *, accepted: Sequence[str] = ()
) -> list[str]:
    """Compare what must be equal for a resumed run to be the same run.

    Args:
        path: Folder of the checkpoint, for messages.
        state: What the checkpoint's state.json holds.
        expected: The identity of this run.
        accepted: Names of identity entries that may differ.

    Returns:
        One sentence for each difference that is accepted.

    Raises:
        ContractError: Another manifest, tokenizer or model; it names both sides of each difference.
    """
    stored = state["identity"]
    changed = [key for key in expected if key in stored and stored[key] != expected[key]]
    sentences = {key: "; ".join(_differences(key, stored[key], expected[key])) for key in changed}
    refused = [key for key in changed if key not in accepted]
    if refused:
        raise ContractError(
            f"{path}: is of another run: {'; '.join(sentences[key] for key in refused)}"
            + _remedy(refused, accepted)
        )
    return list(sentences.values())


def _differences(key: str, stored: Any, here: Any) -> list[str]:
    """One sentence for each setting that differs, however deep it lies."""
    if isinstance(stored, dict) and isinstance(here, dict):
        names = sorted({*stored, *here})
        return [
            sentence
            for name in names
            if stored.get(name) != here.get(name)
            for sentence in _differences(f"{key}.{name}", stored.get(name), here.get(name))
        ]
    return [f"{key} is {json_text(stored)} in the checkpoint, {json_text(here)} here"]


def _remedy(refused: list[str], accepted: Sequence[str]) -> str:
    """What to set where all that differs may change; else nothing."""
    if not set(refused) <= set(CHANGEABLE):
        return ""
    names = ", ".join(sorted({*refused, *accepted}))
    return f" (to go on with the change: --set checkpoint.accept_changes='[{names}]')"
