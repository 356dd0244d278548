"""Safetensors of a Hugging Face folder, in one file or several with an index; never pickles."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from schemas.errors import ContractError
from schemas.plain_json import json_text

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD_BYTES = 5_000_000_000  # save_pretrained of transformers 4 has the same limit, "5GB"

State = dict[str, Tensor]


def write_weights(folder: Path, tensors: State, *, shard_bytes: int = SHARD_BYTES) -> None:
    """Write tensors in their order, a new file before one would exceed `shard_bytes`.

    A tensor that stands under two names (stacks that share their weights) is written twice: the
    format holds no aliases.
    """
    shards: list[State] = [{}]
    size = 0
    seen: set[int] = set()
    for name, tensor in tensors.items():
        value = tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(value.data_ptr())
        if shards[-1] and size + value.nbytes > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = value
        size += value.nbytes
    if len(shards) == 1:
        save_file(shards[0], folder / WEIGHTS, metadata={"format": "pt"})
        return
    file_of: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        file_of |= dict.fromkeys(shard, file)
    total = sum(value.nbytes for value in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": file_of}
    (folder / INDEX).write_text(json_text(index, indent=2) + "\n", encoding="utf-8")


def read_weights(folder: Path) -> State:
    """The tensors of all files of a folder, by their names there.

    Raises:
        ContractError: The folder holds no safetensors, or a file is missing or cannot be read.
    """
    index = folder / INDEX
    files = [WEIGHTS]
    if index.is_file():
        try:
            file_of = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise ContractError(f"{index}: not readable: {error}") from error
        files = sorted({str(name) for name in file_of.values()})
        for name in files:
            if name != Path(name).name or not name.endswith(".safetensors"):
                raise ContractError(f"{index}: {name!r} names no file of this folder")
    elif not (folder / WEIGHTS).is_file():
        pickles = sorted(path.name for path in folder.glob("*.bin"))
        raise ContractError(
            f"{folder}: not readable: neither {WEIGHTS} nor {INDEX}"
            + (f"; {pickles[0]} is a pickle, which is never read" if pickles else "")
        )
    state: State = {}
    for file in files:
        try:
            state |= load_file(folder / file)
        except (OSError, SafetensorError) as error:
            raise ContractError(f"{folder / file}: not readable: {error}") from error
    return state
