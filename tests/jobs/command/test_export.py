"""`refinery export`: the kept text of the newest run, checked against what was kept."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.command import export
from jobs.command.main import main
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from schemas.errors import ContractError, SettingsError
from tests.support.published import published_tables

CLEANED = pa.schema(
    [
        ("doc_id", pa.string()), ("url", pa.string()), ("source", pa.string()),
        ("lang", pa.string()), ("text", pa.string()), ("scores", pa.map_(pa.string(), pa.float64())),
    ]
)  # fmt: skip
EDIT = {"doc_id": "a", "start": 0, "end": 4, "replacement": ""}


def write_run(folder: Path, *, kept: int = 1) -> str:
    """A run of two documents, one of them kept; returns its recipe."""
    cleaned = [
        {"doc_id": name, "url": None, "source": "web", "lang": "en", "text": text, "scores": None}
        for name, text in (("a", "one two"), ("b", "dropped"))
    ]
    stages = {
        "clean": {"cleaned": cleaned, "edits": [EDIT]},
        "tokenise": {"tokens": [{"doc_id": "a", "split": "train"}]},
    }
    root = folder / "out" / "tables"
    records = published_tables(root, stages, schemas={"cleaned": CLEANED}).records
    store = Store(str(root))
    store.publish(records["clean"])
    tokens: StageRecord = records["tokenise"]
    rows = tokens.tables["tokens"].model_copy(update={"rows": kept})
    inputs = {"clean": records["clean"].fingerprint}
    store.publish(tokens.model_copy(update={"inputs": inputs, "tables": {"tokens": rows}}))
    recipe = folder / "r.yaml"
    source = {"name": "web", "uri": str(folder), "format": "text"}
    settings = {
        "recipe": {"name": "r", "sources": [source]},
        "runtime": {"output": str(folder / "out")},
    }
    recipe.write_text(json.dumps(settings), "utf-8")
    return str(recipe)


def test_kept_text_is_written_with_its_edits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "kept.jsonl"

    assert main(["export", "--recipe", write_run(tmp_path), "--out", str(out)]) == 0

    (row,) = [json.loads(line) for line in out.open(encoding="utf-8")]
    assert (row["id"], row["text"], row["split"]) == ("a", "two", "train")
    assert capsys.readouterr().out == f"{out}: 1 documents\n"
    assert [path.name for path in out.parent.iterdir()] == ["kept.jsonl"]


def test_another_number_of_documents_is_an_error(tmp_path: Path) -> None:
    recipe = write_run(tmp_path, kept=2)

    with pytest.raises(ContractError, match="1 documents written, 2 were kept"):
        main(["export", "--recipe", recipe, "--out", str(tmp_path / "kept.jsonl")])


def test_only_known_endings_are_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.jsonl or \.parquet"):
        main(["export", "--recipe", "r.yaml", "--out", str(tmp_path / "kept.csv")])
    assert set(export.WRITERS) == {".jsonl", ".parquet"}
