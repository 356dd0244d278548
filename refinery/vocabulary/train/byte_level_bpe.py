"""Train a byte-level BPE tokenizer that any objective can use, and write its folder.

Special tokens are entries of the vocabulary that plain text can never give: encoding splits on no
special token, so "<eos>" or "[MASK]" in a page stays text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from refinery.vocabulary.config import VocabularyConfig

TRAINER_VERSION = 1
PAD, EOS, CLS, SEP, MASK = "<pad>", "<eos>", "[CLS]", "[SEP]", "[MASK]"


def special_tokens(num_sentinels: int) -> list[str]:
    """Special tokens in the order of their ids, from 0."""
    return [PAD, EOS, CLS, SEP, MASK, *(f"<extra_id_{i}>" for i in range(num_sentinels))]


def train_bpe(texts: Iterable[str], config: VocabularyConfig) -> Tokenizer:
    """Train on texts; the result does not depend on their order or on threads.

    Source: Sennrich et al. 2016; bytes as in Radford et al. 2019.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.size,
        special_tokens=special_tokens(config.sentinels),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def write_tokenizer(tokenizer: Tokenizer, folder: Path, num_sentinels: int) -> None:
    """Write the folder that transformers' AutoTokenizer loads."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {
        "pad_token": PAD,
        "eos_token": EOS,
        "cls_token": CLS,
        "sep_token": SEP,
        "mask_token": MASK,
    }
    sentinels = [f"<extra_id_{i}>" for i in range(num_sentinels)]
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1_000_000,
        **names,
        "additional_special_tokens": sentinels,
    }
    _write_json(folder / "tokenizer_config.json", config)
    _write_json(
        folder / "special_tokens_map.json", {**names, "additional_special_tokens": sentinels}
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
