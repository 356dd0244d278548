"""Every setting acts in every kind or is refused, and the same clauses give the same bytes anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from tokenizers import Tokenizer

from refinery.tokenizers.identity import load_tokenizer
from refinery.vocabulary.config import TrainConfig, TrainKind
from refinery.vocabulary.train.counted_clauses import count_clauses
from refinery.vocabulary.train.train import train_tokenizer
from schemas.errors import ContractError

KINDS = get_args(TrainKind)
TEXT_KINDS = [kind for kind in KINDS if kind != "byte_level_bpe"]
ROOT = Path(__file__).parents[4]
RARE = "ꙮ"  # once in all texts


def some_lines() -> list[str]:
    """Words, numbers and ideographs; two hundred characters are equally frequent."""
    chance = random.Random(7)
    words = ["sorting", "moves", "apples", "while", "café", "owners", "count", "1234", "of", "them"]
    lines = [" ".join(chance.choices(words, k=6)) for _ in range(300)]
    lines += [f"{chr(0x4E00 + n)}{chr(0x5000 + n)}{chr(0x4E00 + n)}" for n in range(200)]
    return [*lines, f"one {RARE}"]


def train(kind: str, folder: Path, **settings: Any) -> Tokenizer:
    config = TrainConfig.model_validate({"kind": kind, "size": 900, "sentinels": 2, **settings})
    train_tokenizer(count_clauses(some_lines(), config), config, folder)
    return load_tokenizer(folder)


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    found: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return found


def hash_of_kinds(folder: Path) -> str:
    """Trains every kind; called in other processes. Few ids, so that characters compete for them."""
    digest = hashlib.sha256()
    for kind in KINDS:
        size = 900 if kind.startswith("sentencepiece") else 400
        train(kind, folder / kind, size=size)
        for path in sorted((folder / kind).iterdir()):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.mark.slow
def test_other_processes_hash_seeds_and_thread_counts_give_the_same_bytes(tmp_path: Path) -> None:
    code = f"import sys; from {__name__} import *; print(hash_of_kinds(Path(sys.argv[1])))"
    found = set()
    for run in (1, 2, 3):
        changed = {"PYTHONHASHSEED": str(run), "RAYON_NUM_THREADS": str(run)}
        environment = {**os.environ, **changed, "TOKENIZERS_PARALLELISM": "true"}
        command = [sys.executable, "-c", code, str(tmp_path / str(run))]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout.strip())

    assert len(found) == 1


def test_wordpiece_numbers_characters_by_count_and_text(tmp_path: Path) -> None:
    tokenizer = train("wordpiece", tmp_path, split_digits=False, isolate_ideographs=False)

    ideographs = [chr(0x4E00 + n) for n in range(200)]
    vocab = tokenizer.get_vocab()
    numbers = [vocab[text] for text in ideographs]
    assert numbers == sorted(numbers)
    assert vocab["m"] < vocab["一"]


@pytest.mark.parametrize("kind", KINDS)
def test_normalization_acts(kind: str, tmp_path: Path) -> None:
    tokenizer = train(kind, tmp_path, normalization="nfkc_lower")

    assert ids(tokenizer, "ＡＰＰＬＥＳ Apples") == ids(tokenizer, "apples apples")


@pytest.mark.parametrize("kind", KINDS)
def test_nfc_acts_or_is_refused(kind: str, tmp_path: Path) -> None:
    if kind.startswith("sentencepiece"):
        with pytest.raises(ValidationError, match="normalization=nfc: SentencePiece has no such"):
            train(kind, tmp_path, normalization="nfc")
    else:
        composed = train(kind, tmp_path / "nfc", normalization="nfc")
        plain = train(kind, tmp_path / "identity")
        assert ids(composed, "cafe\u0301") == ids(composed, "café")
        assert ids(plain, "cafe\u0301") != ids(plain, "café")


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_coverage_leaves_out_the_rarest(kind: str, tmp_path: Path) -> None:
    whole = train(kind, tmp_path / "whole", character_coverage=1)
    most = train(kind, tmp_path / "most", character_coverage=0.9995)

    assert RARE in whole.get_vocab()
    assert RARE not in most.get_vocab()


@pytest.mark.parametrize("kind", KINDS)
def test_digits_are_split_or_not(kind: str, tmp_path: Path) -> None:
    split = train(kind, tmp_path / "split", split_digits=True)
    joined = train(kind, tmp_path / "joined", split_digits=False)

    assert len(ids(split, "1234")) == 4
    assert len(ids(joined, " 1234")) < 4


@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_spaces_stay_or_go(kind: str, tmp_path: Path) -> None:
    tidy = train(kind, tmp_path / "tidy", keep_spaces=False)

    assert ids(tidy, "  apples   owners ") == ids(tidy, "apples owners")
    # Words in the middle of a text begin with their space.
    assert len(ids(tidy, "apples owners while")) <= 5
    if kind == "wordpiece":
        with pytest.raises(ValidationError, match="keep_spaces=True: WordPiece splits"):
            train(kind, tmp_path / "kept", keep_spaces=True)
    else:
        kept = train(kind, tmp_path / "kept", keep_spaces=True)
        assert kept.decode(ids(kept, "apples   owners")) == "apples   owners"


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_bytes_stand_for_rare_characters_or_nothing_does(kind: str, tmp_path: Path) -> None:
    settings = {"character_coverage": 0.9995}
    without = train(kind, tmp_path / "without", byte_fallback=False, **settings)
    unknown = {without.token_to_id(text) for text in ("<unk>", "[UNK]")} - {None}
    assert unknown & set(ids(without, f"apples {RARE}"))

    if kind == "wordpiece":
        with pytest.raises(ValidationError, match=r"byte_fallback=True: WordPiece has \[UNK\]"):
            train(kind, tmp_path / "bytes", byte_fallback=True)
        return
    tokenizer = train(kind, tmp_path / "bytes", byte_fallback=True, **settings)
    assert tokenizer.get_vocab_size() <= 900
    assert tokenizer.decode(ids(tokenizer, f"apples {RARE}")) == f"apples {RARE}"
    # The name of a byte piece in a page is text.
    assert tokenizer.token_to_id("<0x41>") not in ids(tokenizer, "<0x41>")


def test_bytes_need_room(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="size 340 leaves -5 ids for characters"):
        train("bpe", tmp_path, size=340, sentinels=83, byte_fallback=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"character_coverage": 0.99}, "character_coverage=0.99: all text is bytes"),
        ({"byte_fallback": False}, "byte_fallback=False: every byte is an entry already"),
        ({"isolate_ideographs": True}, "isolate_ideographs=True: only WordPiece"),
    ],
)
def test_what_bytes_cannot_do_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig.model_validate({"kind": "byte_level_bpe", **settings})


def test_ideographs_are_isolated_or_not(tmp_path: Path) -> None:
    alone = train("wordpiece", tmp_path / "alone", isolate_ideographs=True)
    joined = train("wordpiece", tmp_path / "joined", isolate_ideographs=False)

    longest = {
        name: max(len(t.removeprefix("##")) for t in tokenizer.get_vocab() if "一" in t)
        for name, tokenizer in (("alone", alone), ("joined", joined))
    }
    assert longest["alone"] == 1
    assert longest["joined"] > 1


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_and_the_folder_agree(kind: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    settings = {"byte_fallback": True} if kind == "bpe" else {}
    ours = train(kind, tmp_path, **settings)

    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for line in some_lines()[::40]:
        assert loaded(line, add_special_tokens=False)["input_ids"] == ids(ours, line)
    assert json.loads((tmp_path / "tokenizer.json").read_text())["model"]["vocab"]
