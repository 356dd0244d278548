"""Train a tokenizer of any kind on counted clauses; the same clauses give the same bytes."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from refinery.vocabulary import documents
from refinery.vocabulary.bpe import control_tokens, write_tokenizer
from refinery.vocabulary.config import TrainConfig
from refinery.vocabulary.controls import guard_controls
from refinery.vocabulary.sentencepiece_model import parse_model, without_paths
from schemas.errors import ContractError

Clauses = Sequence[tuple[str, int]]
MIN_CLAUSES = 100
_CHUNK = 1000
_INNER = (
    0xF0000  # private-use code points stand for word-internal characters while WordPiece trains
)
_NORMALIZERS: dict[str, list[Any]] = {
    "identity": [],
    "nfc": [normalizers.NFC()],
    "nfkc": [normalizers.NFKC()],
    "nfkc_lower": [normalizers.NFKC(), normalizers.Lowercase()],
}
_SENTENCEPIECE_RULES = {
    "identity": "identity",
    "nfc": "identity",
    "nfkc": "nmt_nfkc",
    "nfkc_lower": "nmt_nfkc_cf",
}


def train_tokenizer(clauses: Clauses, config: TrainConfig, folder: Path) -> int:
    """Write a Hugging Face folder; returns the number of ids.

    Raises:
        ContractError: Too little text to train on, or less than the trainer needs for the size.
    """
    if len(clauses) < MIN_CLAUSES:
        raise ContractError(
            f"vocabulary: {len(clauses)} distinct clauses to train on; expected {MIN_CLAUSES} or more"
        )
    if config.kind in ("sentencepiece_bpe", "sentencepiece_unigram"):
        raw = train_sentencepiece(clauses, config)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.model").write_bytes(raw)
        document = documents.from_sentencepiece(parse_model(raw, "the trained model"))
        tokenizer = Tokenizer.from_str(json.dumps(guard_controls(document)))
    elif config.kind == "wordpiece":
        tokenizer = _train_wordpiece(clauses, config)
    else:
        tokenizer = _train_bpe(clauses, config)
    write_tokenizer(tokenizer, folder, config.sentinels)
    return int(tokenizer.get_vocab_size(with_added_tokens=True))


def _dumps(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document)


def train_sentencepiece(clauses: Clauses, config: TrainConfig) -> bytes:
    """The model file; control tokens are entries that text never gives.

    Raises:
        ContractError: The trainer refuses: too few characters or pieces for the size.
    """
    import sentencepiece

    kind = config.kind.removeprefix("sentencepiece_")
    with tempfile.TemporaryDirectory() as scratch:
        table, prefix = Path(scratch) / "clauses.tsv", Path(scratch) / "model"
        with table.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{clause}\t{count}\n" for clause, count in clauses)
        try:
            sentencepiece.SentencePieceTrainer.train(
                input=str(table),
                input_format="tsv",
                model_prefix=str(prefix),
                model_type=kind,
                vocab_size=config.size,
                character_coverage=config.character_coverage,
                split_digits=config.split_digits,
                byte_fallback=config.byte_fallback,
                normalization_rule_name=_SENTENCEPIECE_RULES[config.normalization],
                remove_extra_whitespaces=not config.keep_spaces,
                add_dummy_prefix=False,
                control_symbols=control_tokens(config.sentinels),
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
        return without_paths(prefix.with_suffix(".model").read_bytes())


def _train_bpe(clauses: Clauses, config: TrainConfig) -> Tokenizer:
    is_bytes = config.kind == "byte_level_bpe"
    tokenizer = Tokenizer(
        models.BPE() if is_bytes else models.BPE(unk_token="<unk>", fuse_unk=True)
    )
    if _NORMALIZERS[config.normalization]:
        tokenizer.normalizer = normalizers.Sequence(_NORMALIZERS[config.normalization])
    digits = [pre_tokenizers.Digits(individual_digits=True)] if config.split_digits else []
    if is_bytes:
        steps = [*digits, pre_tokenizers.ByteLevel(add_prefix_space=False)]
        tokenizer.decoder = decoders.ByteLevel()
    else:
        steps = [*digits, pre_tokenizers.Metaspace(prepend_scheme="never")]
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    special = control_tokens(config.sentinels)
    trainer = trainers.BpeTrainer(
        vocab_size=config.size,
        special_tokens=special if is_bytes else [*special, "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if is_bytes else [],
        limit_alphabet=max(256, config.size * 9 // 10),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_repeated(clauses), trainer)
    return tokenizer


def _repeated(clauses: Iterable[tuple[str, int]]) -> Iterator[list[str]]:
    """The library takes no counts: each clause as often as it occurs, in lists."""
    chunk: list[str] = []
    for clause, count in clauses:
        while count > 0:
            take = min(count, _CHUNK - len(chunk))
            chunk.extend([clause] * take)
            count -= take
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
    yield chunk


def _train_wordpiece(clauses: Clauses, config: TrainConfig) -> Tokenizer:
    """Plain BPE over words whose inner characters are private code points, renamed to `##`.

    The library's own WordPiece trainer numbers its tokens differently on every run.
    """
    lowercase = config.normalization == "nfkc_lower"
    bert = normalizers.BertNormalizer(
        lowercase=lowercase, strip_accents=False, handle_chinese_chars=config.isolate_ideographs
    )
    normalizer = normalizers.Sequence([*_NORMALIZERS[config.normalization], bert])
    splitter = pre_tokenizers.BertPreTokenizer()
    words: Counter[str] = Counter()
    for clause, count in clauses:
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(clause)):
            words[word] += count
    inner = sorted({character for word in words for character in word[1:]})
    codes = {character: chr(_INNER + place) for place, character in enumerate(inner)}
    names = {code: character for character, code in codes.items()}
    trainer = trainers.BpeTrainer(
        vocab_size=config.size,
        special_tokens=[*control_tokens(config.sentinels), "[UNK]"],
        limit_alphabet=max(100, config.size * 9 // 10),
        show_progress=False,
    )
    plain = Tokenizer(models.BPE())
    coded = [(w[0] + "".join(codes[c] for c in w[1:]), n) for w, n in sorted(words.items())]
    plain.train_from_iterator(_repeated(coded), trainer)
    vocab: dict[str, int] = {}
    for entry, number in sorted(plain.get_vocab().items(), key=lambda item: item[1]):
        text = "".join(names.get(character, character) for character in entry)
        vocab[f"##{text}" if entry[:1] in names else text] = number
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.add_special_tokens([*control_tokens(config.sentinels), "[UNK]"])
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer
