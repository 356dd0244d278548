from __future__ import annotations

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from refinery.tokenizers.identity import identify_tokenizer, load_tokenizer
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import special_tokens, train_bpe, write_tokenizer
from schemas.errors import ContractError, SettingsError

TEXTS = [
    "The spine of a book holds its pages together.",
    "预训练数据的质量决定模型的上限。",
    "Pages, pages and more pages: a book of pages.",
    "数据清洗、去重与质量过滤。",
    "def main() -> int:\n    return 0\n",
] * 20
HOSTILE = "a <eos> b [MASK] c <extra_id_0> <pad>\u0000 👩‍👩‍👧 é\u0301 \ufeff\n\n\t 全角　空格"
CONFIG = VocabularyConfig(size=450)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vocabulary") / "tokenizer"
    write_tokenizer(train_bpe(TEXTS, CONFIG), folder, CONFIG.sentinels)
    return folder


def test_order_of_texts_does_not_change_a_byte(folder: Path, tmp_path: Path) -> None:
    shuffled = list(TEXTS)
    random.Random(3).shuffle(shuffled)

    write_tokenizer(train_bpe(shuffled, CONFIG), tmp_path, CONFIG.sentinels)

    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_control_tokens_have_the_first_ids(folder: Path) -> None:
    identity = identify_tokenizer(folder, relative_path="tokenizer")
    ids = identity.special_ids

    assert (ids.pad, ids.eos, ids.cls, ids.sep, ids.mask) == (0, 1, 2, 3, 4)
    assert ids.sentinels == tuple(range(5, 105))
    assert identity.vocab_size == 450


@pytest.mark.parametrize("text", [HOSTILE, *special_tokens(100)])
def test_text_never_becomes_a_control_token(folder: Path, text: str) -> None:
    ids = load_tokenizer(folder).encode(text, add_special_tokens=False).ids

    assert min(ids) >= 105


@pytest.mark.parametrize("text", [HOSTILE, *TEXTS[:5], "  two  spaces  ", "\r\n", ""])
def test_decoding_gives_the_text_back(folder: Path, text: str) -> None:
    tokenizer = load_tokenizer(folder)

    ids = tokenizer.encode(text, add_special_tokens=False).ids

    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_transformers_loads_the_folder_with_equal_ids(folder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    loaded = transformers.AutoTokenizer.from_pretrained(folder)

    assert loaded.eos_token_id == 1
    assert loaded.mask_token_id == 4
    assert loaded.convert_tokens_to_ids("<extra_id_99>") == 104
    for text in TEXTS[:5]:
        ours = load_tokenizer(folder).encode(text, add_special_tokens=False).ids
        assert loaded(text, add_special_tokens=False)["input_ids"] == ours


def test_folder_without_tokenizer_json_says_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"")

    with pytest.raises(SettingsError, match=r"no tokenizer\.json \(\['tokenizer\.model'\]\)"):
        load_tokenizer(tmp_path)


def test_tokenizer_without_an_end_mark_is_refused(tmp_path: Path) -> None:
    from tokenizers import models

    Tokenizer(models.BPE({"a": 0}, [])).save(str(tmp_path / "tokenizer.json"))

    with pytest.raises(ContractError, match="names no eos_token or sep_token"):
        identify_tokenizer(tmp_path, relative_path="tokenizer")
