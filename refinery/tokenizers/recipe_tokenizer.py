"""A tokenizer that a recipe names, in the form that all stages read."""

from __future__ import annotations

from pathlib import Path

from refinery.tokenizers.folder import read_tokenizer, write_folder
from refinery.tokenizers.identity import identify_tokenizer
from schemas.errors import ContractError, SettingsError


def complete_tokenizer_folder(path: Path, scratch: Path) -> Path:
    """A folder with all that is needed: the recipe's own where it is complete, else one made of it.

    Bare SentencePiece models, OpenAI's `encoder.json` with `vocab.bpe`, and `vocab.txt` have no
    `tokenizer.json`; some configurations name no end mark.

    Args:
        path: What the recipe names.
        scratch: Folder that may be written.

    Raises:
        SettingsError: Nothing there that is a tokenizer.
        ContractError: The tokenizer has no end mark; documents could not be told apart.
    """
    try:
        identify_tokenizer(path, relative_path=path.name)
    except (SettingsError, ContractError):
        base = read_tokenizer(path)
        raw = None
        if base.model is not None:
            files = [path] if path.is_file() else [path / base.model_name]
            raw = files[0].read_bytes()
        write_folder(base.definition, base=base, model_bytes=raw, folder=scratch)
        return scratch
    return path
