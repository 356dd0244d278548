"""Files of documents that a recipe takes down."""

from __future__ import annotations

from pathlib import Path

import pytest

from refinery.sources import exclusions
from refinery.sources.config import ExcludeConfig
from refinery.sources.exclusions import Exclusions, listed_ids
from schemas.errors import ContractError


def test_ids_are_read_once_each_from_what_triage_wrote(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.jsonl"
    path.write_text('{"doc_id": "a", "loss": 9.1}\n\n{"doc_id": "b"}\n{"doc_id": "a"}\n')

    assert listed_ids(str(path)) == ("a", "b")
    config = ExcludeConfig(documents=(str(path),))
    assert Exclusions(config).names == [f"documents {path}"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", "line 2: expected an object with doc_id"),
        ("[]", "line 2: expected an object with doc_id"),
        ('{"id": "a"}', "line 2: expected an object with doc_id"),
        ('{"doc_id": 7}', "line 2: doc_id is 7, expected a text"),
    ],
)
def test_a_line_that_names_no_document_is_refused(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "quarantine.jsonl"
    path.write_text(f'{{"doc_id": "a"}}\n{line}\n')

    with pytest.raises(ContractError, match=message):
        listed_ids(str(path))


def test_more_ids_than_are_taken_down_one_by_one_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exclusions, "MOST_LISTED", 1)
    path = tmp_path / "many.jsonl"
    path.write_text('{"doc_id": "a"}\n{"doc_id": "b"}\n')

    with pytest.raises(ContractError, match="2 ids, at most 1"):
        listed_ids(str(path))


def test_a_recipe_without_such_files_keeps_its_fingerprint() -> None:
    assert "documents" not in ExcludeConfig().model_dump(mode="json")
    assert ExcludeConfig(documents=("a",)).model_dump()["documents"] == ("a",)
