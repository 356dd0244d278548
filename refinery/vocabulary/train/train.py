"""Train a tokenizer of any kind on counted clauses; the same clauses give the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer

from refinery.tokenizers import tokenizer_json
from refinery.tokenizers.sentencepiece_file import parse_model
from refinery.tokenizers.special_tokens import guard_special_tokens
from refinery.vocabulary.config import TrainConfig
from refinery.vocabulary.train.byte_level_bpe import write_tokenizer
from refinery.vocabulary.train.merges import Clauses, train_merges
from refinery.vocabulary.train.sentencepiece import train_sentencepiece
from refinery.vocabulary.train.wordpiece import train_wordpiece
from schemas.errors import ContractError

MIN_CLAUSES = 100
TRAINING_VERSION = 2


def train_tokenizer(clauses: Clauses, config: TrainConfig, folder: Path) -> int:
    """Write a Hugging Face folder; returns the number of ids.

    Raises:
        ContractError: Too little text to train on, or less than the trainer needs for the size.
    """
    if len(clauses) < MIN_CLAUSES:
        raise ContractError(
            f"vocabulary: {len(clauses)} distinct clauses to train on; expected {MIN_CLAUSES} or more"
        )
    if config.is_sentencepiece:
        raw = train_sentencepiece(clauses, config)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.model").write_bytes(raw)
        definition = tokenizer_json.from_sentencepiece(parse_model(raw, "the trained model"))
        tokenizer = Tokenizer.from_str(json.dumps(guard_special_tokens(definition)))
    elif config.kind == "wordpiece":
        tokenizer = train_wordpiece(clauses, config)
    else:
        tokenizer = train_merges(clauses, config)
    write_tokenizer(tokenizer, folder, config.sentinels)
    return int(tokenizer.get_vocab_size(with_added_tokens=True))
