import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, models

from refinery.packing.config import NoiseConfig, PackingConfig
from refinery.packing.noise import DropoutBpe, generator, noise_batch, noisy_text
from refinery.vocabulary.bpe import train_bpe
from refinery.vocabulary.config import VocabularyConfig
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


def test_noise_and_marks_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="sentence_starts are lost"):
        PackingConfig(layout="sentences", noise=NoiseConfig(case=0.1))
