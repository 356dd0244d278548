"""Tokenizers of every kind, trained in a second on generated English or Chinese lines."""

from __future__ import annotations

import functools
import random
import tempfile
from pathlib import Path

from refinery.vocabulary.config import TrainConfig, TrainKind
from refinery.vocabulary.train.counted_clauses import count_clauses
from refinery.vocabulary.train.train import train_tokenizer

ENGLISH = "the quick brown fox jumps over a lazy dog while seven wizards quietly mix bright potions"
HAN = "数据清洗分词模型训练语言文本处理系统中国人民学习研究历史地理经济社会发展科学技术"
KINDS: list[TrainKind] = [
    "byte_level_bpe", "wordpiece", "sentencepiece_bpe", "sentencepiece_unigram",
]  # fmt: skip


def english_lines() -> list[str]:
    chance = random.Random(1)
    words = ENGLISH.split()
    return [" ".join(chance.choices(words, k=8)) + f" {n}" for n in range(400)]


def chinese_lines() -> list[str]:
    chance = random.Random(2)
    words = [HAN[n : n + chance.randint(1, 4)] for n in range(0, len(HAN), 2)]
    return ["".join(chance.choices(words, k=10)) + "。" for _ in range(400)]


@functools.cache
def folder_of(kind: TrainKind, language: str) -> Path:
    lines = english_lines() if language == "en" else chinese_lines()
    folder = Path(tempfile.mkdtemp()) / f"{language}-{kind}"
    config = TrainConfig(
        kind=kind, size=600, sentinels=3, isolate_ideographs=False, split_digits=False
    )
    train_tokenizer(count_clauses(lines, config), config, folder)
    return folder
