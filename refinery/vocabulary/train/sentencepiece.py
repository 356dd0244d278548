"""SentencePiece models from counted clauses."""

from __future__ import annotations

import tempfile
from pathlib import Path

from refinery.tokenizers.sentencepiece_file import finished_model
from refinery.vocabulary.config import TrainConfig
from refinery.vocabulary.train.byte_level_bpe import special_tokens
from refinery.vocabulary.train.merges import Clauses
from schemas.errors import ContractError

_RULES = {"identity": "identity", "nfkc": "nmt_nfkc", "nfkc_lower": "nmt_nfkc_cf"}


def train_sentencepiece(clauses: Clauses, config: TrainConfig) -> bytes:
    """The model file; special tokens are entries that text never gives.

    Raises:
        ContractError: The trainer refuses: too few characters or pieces for the size.
    """
    import sentencepiece

    with tempfile.TemporaryDirectory() as scratch:
        table, prefix = Path(scratch) / "clauses.tsv", Path(scratch) / "model"
        with table.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{clause}\t{count}\n" for clause, count in clauses)
        try:
            sentencepiece.SentencePieceTrainer.train(
                input=str(table),
                input_format="tsv",
                model_prefix=str(prefix),
                model_type=config.kind.removeprefix("sentencepiece_"),
                vocab_size=config.size,
                character_coverage=config.coverage,
                split_digits=config.split_digits,
                byte_fallback=config.falls_back_on_bytes,
                normalization_rule_name=_RULES[config.normalization],
                # The space before a clause marks a word's start: none is lost while training.
                remove_extra_whitespaces=False,
                add_dummy_prefix=False,
                control_symbols=special_tokens(config.sentinels),
                unk_id=0,
                bos_id=-1,
                eos_id=-1,
                pad_id=-1,
                hard_vocab_limit=False,
                num_threads=config.threads,
                input_sentence_size=0,
                shuffle_input_sentence=False,
                minloglevel=2,
            )
        except (RuntimeError, OSError) as error:
            raise ContractError(
                f"vocabulary: SentencePiece cannot train {config.size:,} ids on {len(clauses):,} "
                f"clauses: {error}"
            ) from error
        raw = prefix.with_suffix(".model").read_bytes()
    return finished_model(raw, removes_spaces=not config.keeps_spaces)
