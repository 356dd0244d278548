from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, models

from refinery.packing.config import NoiseConfig
from refinery.packing.noise import DropoutBpe, generator, noise_batch, noisy_text
from refinery.text.boundaries import tokens_at
from refinery.tokenizers.identity import load_tokenizer
from refinery.tokenizers.spelling import spell
from refinery.tokenizers.tokenise import MARKS
from refinery.vocabulary.config import TrainConfig, TrainKind, VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe
from refinery.vocabulary.train.counted_clauses import count_clauses
from refinery.vocabulary.train.train import train_tokenizer
from schemas.errors import SettingsError

TEXT = "The quick brown foxes jumped over lazy dogs, 数据质量很好。 " * 40


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    made = train_bpe(
        [TEXT, "quick words, other words and more of them"], VocabularyConfig(size=500)
    )
    made.encode_special_tokens = True
    return made


def test_without_dropout_the_ids_are_those_of_the_library(tokenizer: Tokenizer) -> None:
    text = TEXT + "unseen spelllings <eos> 新词 👍"

    found = DropoutBpe(tokenizer, 0.0).encode(text, generator(0, "a", 1))

    assert found.tolist() == tokenizer.encode(text, add_special_tokens=False).ids


def test_dropout_changes_pieces_and_never_the_text(tokenizer: Tokenizer) -> None:
    bpe = DropoutBpe(tokenizer, 0.1)
    first, again, other = (bpe.encode(TEXT, generator(0, "a", copy)).tolist() for copy in (1, 1, 2))

    plain = tokenizer.encode(TEXT, add_special_tokens=False).ids
    assert first == again
    assert first != other
    assert len(plain) < len(first) < 2 * len(plain)
    assert tokenizer.decode(first, skip_special_tokens=False) == TEXT


def test_full_dropout_leaves_single_characters(tokenizer: Tokenizer) -> None:
    found = DropoutBpe(tokenizer, 0.999999).encode("quick", generator(0, "a", 1))

    assert len(found) == 5


def test_each_kind_of_noise_changes_its_share() -> None:
    rng = np.random.default_rng(0)
    text = "abcdefghij" * 2000

    case = noisy_text(text, NoiseConfig(case=0.1), rng)
    width = noisy_text(text, NoiseConfig(width=0.1), rng)
    spelling = noisy_text(text, NoiseConfig(spelling=0.1), rng)

    assert case.lower() == text
    assert sum(map(str.isupper, case)) / len(text) == pytest.approx(0.1, abs=0.01)
    folded = [chr(ord(c) - 0xFEE0) if ord(c) > 0xFF00 else c for c in width]
    assert "".join(folded) == text
    assert sum(ord(c) > 0xFF00 for c in width) / len(text) == pytest.approx(0.1, abs=0.01)
    assert spelling != text
    assert len(spelling) / len(text) == pytest.approx(1.0, abs=0.01)
    assert noisy_text("数据。", NoiseConfig(case=0.9, spelling=0.9), rng) == "数据。"


def test_copies_from_the_first_on_are_noised_and_counted(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(TEXT, add_special_tokens=False).ids
    batch = pa.RecordBatch.from_pydict(
        {
            "doc_id": ["a", "a", "a"],
            "copy": [0, 1, 2],
            "input_ids": pa.array([ids] * 3, pa.list_(pa.int32())),
            "num_tokens": pa.array([len(ids)] * 3, pa.int32()),
        }
    )

    found = noise_batch(
        batch, tokenizer, NoiseConfig(bpe_dropout=0.1, spelling=0.05), 7
    ).to_pylist()

    assert found[0]["input_ids"] == ids
    assert found[1]["input_ids"] != found[2]["input_ids"] != ids
    assert [row["num_tokens"] for row in found] == [len(row["input_ids"]) for row in found]


def test_other_models_than_bpe_are_refused() -> None:
    with pytest.raises(SettingsError, match="this one is WordLevel"):
        DropoutBpe(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")), 0.1)


def test_words_and_sentences_are_found_again_under_dropout(tokenizer: Tokenizer) -> None:
    text = "Foxes ran. The dogs, 今天雨。新词多。 Then more!\nAnd words."
    encoding = tokenizer.encode(text, add_special_tokens=False)
    marks = {
        name: tokens_at(find(text), np.array(encoding.offsets)[:, 1])
        for name, find in MARKS.items()
    }
    batch = pa.RecordBatch.from_pydict(
        {
            "doc_id": ["a", "b"],
            "copy": [0, 1],
            "input_ids": pa.array([encoding.ids] * 2, pa.list_(pa.int32())),
            "num_tokens": pa.array([len(encoding.ids)] * 2, pa.int32()),
            **{n: pa.array([m.tolist()] * 2, pa.list_(pa.int32())) for n, m in marks.items()},
        }
    )

    first, noised = noise_batch(batch, tokenizer, NoiseConfig(bpe_dropout=0.4), 7).to_pylist()

    assert len(noised["input_ids"]) > len(first["input_ids"])
    for name, find in MARKS.items():
        assert first[name] == marks[name].tolist()
        # Dropout leaves the text: each place begins in the bytes that tokens from there on spell.
        rest = [tokenizer.decode(noised["input_ids"][i:]) for i in noised[name]]
        assert [len(text) - len(r.lstrip()) for r in rest] == find(text).tolist()


@pytest.mark.parametrize("kind", ["byte_level_bpe", "wordpiece", "sentencepiece_unigram"])
def test_spelled_tokens_lie_where_the_library_says(kind: TrainKind, tmp_path: Path) -> None:
    lines = [f"{TEXT[:60]} word{number} 数据{number}质量" for number in range(200)]
    config = TrainConfig(kind=kind, size=500, sentinels=2)
    train_tokenizer(count_clauses(lines, config), config, tmp_path)
    made = load_tokenizer(tmp_path)
    text = "The quick brown foxes word12 数据1质量3质量 word3 foxes"
    if kind != "wordpiece":
        text += " 👍 unseen"  # whose tokens are bytes
    encoding = made.encode(text, add_special_tokens=False)

    found = spell(made, np.array(encoding.ids, np.int32))

    # The tokenizer puts a space before the first word, WordPiece before every one.
    assert found.text.replace(" ", "") == text.replace(" ", "")
    spaces = [found.text[:end].count(" ") for end in found.offsets[:, 1]]
    ends = [end - text[:end].count(" ") for _, end in encoding.offsets]
    assert (found.offsets[:, 1] - spaces).tolist() == ends
