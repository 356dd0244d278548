"""What a tokenizer's folder says of its new tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ContractError
from schemas.vocabulary import BaseTokenizer, ExtendedVocabulary, NewToken, write_vocabulary
from train.vocabulary.extension import read_extension, without_text


def extension(*pieces: tuple[int, ...], unk_id: int | None = 2) -> ExtendedVocabulary:
    tokens = tuple(
        NewToken(
            id=10 + n, text=f"t{n}", piece=f"t{n}", origin="new", base_ids=ids, frequency=1
        )
        for n, ids in enumerate(pieces)
    )  # fmt: skip
    return ExtendedVocabulary(
        kind="wordpiece",
        base=BaseTokenizer(name="base", size=10, fingerprint="0"),
        size=10 + len(pieces),
        tokens=tokens,
        unk_id=unk_id,
        never_mean=(0, 9),
    )


def test_a_folder_without_the_file_extends_nothing(tmp_path: Path) -> None:
    assert read_extension(tmp_path) is None


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_vocabulary(extension((3, 4), (9,)), tmp_path)

    assert read_extension(tmp_path) == extension((3, 4), (9,))


@pytest.mark.parametrize("piece", [-1, 10])
def test_pieces_that_the_base_does_not_have_are_refused(tmp_path: Path, piece: int) -> None:
    write_vocabulary(extension((3,), (4, piece)), tmp_path)

    with pytest.raises(ContractError, match=f"token 11 't1' has the base piece {piece}, .* 0 to 9"):
        read_extension(tmp_path)


def test_rows_without_text_are_unknown_spare_and_sentinels() -> None:
    assert without_text(extension((3,))) == {0, 2, 9}
    assert without_text(extension((3,), unk_id=None)) == {0, 9}
