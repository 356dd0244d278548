"""What `refinery vocabulary extend` and `view` print."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from rich.console import Console

from jobs.command import vocabulary_extend, vocabulary_view
from refinery.vocabulary.config import ExtendConfig
from schemas.errors import SettingsError
from schemas.vocabulary import BaseTokenizer, ExtendedVocabulary, NewToken, Proof
from tests.support.extended import write_two_datasets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tokenizer of words `t0` to `t96`."""
    return write_two_datasets(tmp_path).base / "tokenizer"


def view(*tokenizers: Path, **changed: object) -> argparse.Namespace:
    plain = {"tokenizers": list(tokenizers), "text": [], "file": None, "find": [], "html": None}
    return argparse.Namespace(**{**plain, **changed})


def test_a_view_wants_something_to_show(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give --text, --file or --find"):
        vocabulary_view.view_texts(view(folder))
    with pytest.raises(SettingsError, match="cannot be read"):
        vocabulary_view.view_texts(view(folder, file=tmp_path / "none.txt"))


def test_an_existing_folder_is_not_extended_over(folder: Path) -> None:
    args = argparse.Namespace(out=folder)

    with pytest.raises(SettingsError, match="exists already"):
        vocabulary_extend.extend_folder(args, ExtendConfig())


def test_proofs_refusals_and_fertility_are_printed() -> None:
    measures = {"tokens_per_character": 0.5, "tokens_per_word": 1.0, "bytes_per_token": 2.0,
                "unknown_fraction": 0.0}  # fmt: skip
    vocabulary = ExtendedVocabulary(
        kind="wordpiece",
        base=BaseTokenizer(name="base", size=1, fingerprint="0"),
        size=3,
        tokens=tuple(
            NewToken(id=n, text=f"[t{n}]", piece="p", origin=origin, base_ids=(0,), frequency=n)
            for n, origin in ((1, "new"), (2, "support"))
        ),
        unk_id=None,
        never_mean=(),
        proofs=tuple(
            Proof(name=name, holds=holds, allowed=allowed, checked=1000, failures=0, detail="d")
            for name, holds, allowed in (
                ("ids", True, False), ("text", False, True), ("bad", False, False),
            )
        ),
        refused={"too long": 7, "never": 0},
        fertility={"zh": {"base": measures}},
    )  # fmt: skip
    console = Console(record=True, width=120, highlight=False)

    vocabulary_extend.print_summary(vocabulary, console)

    shown = console.export_text()
    lines = {line.split()[1]: line for line in shown.splitlines() if "1,000" in line}
    assert [name in lines[key] for key, name in (("ids", "yes"), ("text", "allowed"), ("bad", "NO"))] == [
        True, True, True
    ]  # fmt: skip
    assert "left out:       7  too long" in shown
    assert "never" not in shown
    assert "new tokens 1, support tokens 1" in shown
    assert "most frequent: '[t2]' 2  '[t1]' 1" in shown
    assert "0.5000" in shown
