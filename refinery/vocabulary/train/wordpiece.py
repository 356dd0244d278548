"""WordPiece from counted clauses, as plain BPE over the symbols of words.

The library's own WordPiece trainer numbers its tokens differently on every run. Here a symbol is a
character at a word's start or inside a word; symbols are ranked by (count, text) and written as code
points in that order, merged by plain BPE, and written back with `##`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from refinery.vocabulary.config import TrainConfig
from refinery.vocabulary.train.byte_level_bpe import special_tokens
from refinery.vocabulary.train.merges import (
    Clauses,
    choose_alphabet,
    cut_outside,
    normalizer_steps,
    repeated,
)

UNKNOWN, INNER = "[UNK]", "##"
# Symbols are coded from here on: a million code points and no surrogate among them.
_FIRST_CODE = 0x10000
_LAST_CODE = 0x10FFFF


def train_wordpiece(clauses: Clauses, config: TrainConfig) -> Tokenizer:
    """Train a WordPiece model on words as BERT splits them; equal clauses give equal ids."""
    bert = normalizers.BertNormalizer(
        lowercase=config.normalization == "nfkc_lower",
        strip_accents=False,
        handle_chinese_chars=config.isolates_ideographs,
    )
    tokenizer = Tokenizer(models.WordPiece({UNKNOWN: 0}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([*normalizer_steps(config), bert])
    splits: list[Any] = [pre_tokenizers.BertPreTokenizer()]
    if config.split_digits:
        splits.append(pre_tokenizers.Digits(individual_digits=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    special = [*special_tokens(config.sentinels), UNKNOWN]
    vocab = _number(_count_words(clauses, tokenizer), config, special)
    tokenizer.model = models.WordPiece(vocab, unk_token=UNKNOWN)
    tokenizer.add_special_tokens(special)
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _count_words(clauses: Clauses, tokenizer: Tokenizer) -> Counter[str]:
    words: Counter[str] = Counter()
    normalise, split = tokenizer.normalizer.normalize_str, tokenizer.pre_tokenizer.pre_tokenize_str
    for clause, count in clauses:
        for word, _ in split(normalise(clause)):
            words[word] += count
    return words


def _number(words: Mapping[str, int], config: TrainConfig, special: list[str]) -> dict[str, int]:
    """The vocabulary: special tokens, symbols by rank, then merged ones by count and rank."""
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for symbol in _symbols(word):
            counts[symbol] += count
    ranked = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    ranked = ranked[: _LAST_CODE - _FIRST_CODE]
    codes = {symbol: chr(_FIRST_CODE + rank) for rank, symbol in enumerate(ranked)}
    coded = list(_coded(sorted(words.items()), codes))
    alphabet = choose_alphabet(coded, config, room=config.size - len(special))
    trainer = trainers.BpeTrainer(
        vocab_size=config.size,
        special_tokens=special,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    plain = Tokenizer(models.BPE())
    plain.train_from_iterator(repeated(cut_outside(coded, set(alphabet))), trainer)
    names = {code: symbol for symbol, code in codes.items()}
    entries = sorted(plain.get_vocab().items(), key=lambda item: item[1])
    return {t if t in special else _written(t, names): number for t, number in entries}


def _symbols(word: str) -> list[str]:
    return [word[0], *(INNER + character for character in word[1:])]


def _coded(words: Iterable[tuple[str, int]], codes: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    for word, count in words:
        yield "".join(codes.get(symbol, "\0") for symbol in _symbols(word)), count


def _written(entry: str, names: Mapping[str, str]) -> str:
    symbols = [names[code] for code in entry]
    return symbols[0] + "".join(symbol.removeprefix(INNER) for symbol in symbols[1:])
