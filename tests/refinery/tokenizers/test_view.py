from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command.main import main
from refinery.tokenizers.view import open_tokenizers, view_page
from refinery.vocabulary.config import TrainConfig
from refinery.vocabulary.train.counted_clauses import count_clauses
from refinery.vocabulary.train.train import train_tokenizer
from schemas.vocabulary import BaseTokenizer, ExtendedVocabulary, NewToken, write_vocabulary


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = TrainConfig(kind="byte_level_bpe", size=400, sentinels=1)
    texts = [f"word{n} other" for n in range(300)]
    size = train_tokenizer(count_clauses(texts, config), config, tmp_path / "plain")
    write_vocabulary(
        ExtendedVocabulary(
            kind="byte_level_bpe",
            base=BaseTokenizer(name="b", size=size - 1, fingerprint="f"),
            size=size,
            unk_id=None,
            never_mean=(),
            tokens=(
                NewToken(
                    id=size - 1, text="x", piece="x", origin="support", base_ids=(1,), frequency=0
                ),
            ),
        ),
        tmp_path / "plain",
    )
    return tmp_path / "plain"


def test_boxes_cover_the_text_and_name_their_bytes(folder: Path) -> None:
    (viewed,) = open_tokenizers([folder])

    boxes = viewed.boxes("word 中")

    assert "".join(box.text for box in boxes) == "word 中"
    assert bytes.fromhex("".join(box.bytes_hex for box in boxes)) == "word 中".encode()
    assert {box.origin for box in boxes} == {"base"}


def test_tokens_are_found_by_text_and_id_with_their_origin(folder: Path) -> None:
    (viewed,) = open_tokenizers([folder])

    (by_id,) = viewed.find(str(viewed.folder.size - 1))

    assert by_id.origin == "support"
    assert by_id.id in {box.id for box in viewed.find(by_id.piece.replace("Ġ", " "))}
    assert viewed.find("no such token") == []


def test_page_escapes_text_and_needs_no_network(folder: Path) -> None:
    page = view_page(open_tokenizers([folder, folder]), ["</script><b>bold"])

    assert "</script><b>bold" not in page
    assert "http" not in page


def test_terminal_shows_ids(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vocabulary", "view", str(folder), "--text", "word", "--find", "268"]) == 0

    shown = capsys.readouterr().out
    assert "tokens for 4 characters" in shown
    assert "id 268" in shown
