"""Tokenizer folders that somebody hands over: read by transformers, none of their code run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from schemas.errors import ContractError


def open_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder, a class of transformers.

    Raises:
        ContractError: A file of it is missing or damaged, or it needs code of its own.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    # transformers and tokenizers raise whatever the parser of the day does, Exception itself too.
    except Exception as error:
        raise ContractError(f"{folder}: its tokenizer cannot be read: {error}") from error
