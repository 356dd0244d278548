"""`refinery export`: the kept text of the newest run, checked against what was kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.command.export_with_spark import refuse_existing
from jobs.command.main import main
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from schemas.errors import ContractError, SettingsError
from tests.support.published import published_tables
from tests.support.small_tokenizers import folder_of

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


def test_a_run_is_named_by_its_output_too(tmp_path: Path) -> None:
    recipe, output = write_run(tmp_path), str(tmp_path / "out")

    assert main(["export", output, "--out", str(tmp_path / "a.jsonl")]) == 0

    (line,) = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["text"] == "two"
    for more, message in (
        (["--recipe", recipe], "name one run"),
        (["--set", "recipe.seed=1"], "--set changes a recipe"),
    ):
        with pytest.raises(SettingsError, match=message):
            main(["export", output, *more, "--out", str(tmp_path / "b.jsonl")])


def test_another_number_of_documents_is_an_error(tmp_path: Path) -> None:
    recipe = write_run(tmp_path, kept=2)

    with pytest.raises(ContractError, match="1 documents written, 2 were kept"):
        main(["export", "--recipe", recipe, "--out", str(tmp_path / "kept.jsonl")])


def test_only_known_endings_are_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.jsonl, \.jsonl\.gz, \.jsonl\.zst or \.parquet"):
        main(["export", "--recipe", "r.yaml", "--out", str(tmp_path / "kept.csv")])


def test_a_folder_for_the_hub_is_written_whole_and_never_over_another(tmp_path: Path) -> None:
    arguments = ["export", write_run(tmp_path), "--format", "huggingface", "--out"]

    assert main([*arguments, str(tmp_path / "hub")]) == 0

    assert sorted(path.name for path in (tmp_path / "hub").rglob("*.*")) == [
        "README.md", "train-00000.parquet",
    ]  # fmt: skip
    with pytest.raises(SettingsError, match="is there already"):
        main([*arguments, str(tmp_path / "hub")])


def test_token_ids_need_the_tokenizer_of_a_finished_run(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no tokenizer there"):
        main(["export", write_run(tmp_path), "--format", "npy", "--out", str(tmp_path / "ids")])


@pytest.mark.parametrize(("kind", "files"), [("megatron", 4), ("npy", 4)])
def test_token_ids_are_written_by_split(tmp_path: Path, kind: str, files: int) -> None:
    recipe = write_run(tmp_path)
    table = tmp_path / "out" / "tables" / "tokenise" / "run" / "table=tokens" / "0.parquet"
    rows = [{"doc_id": "a", "split": "train", "input_ids": [1, 2, 3]}]
    pq.write_table(pa.Table.from_pylist(rows), table)
    shutil.copytree(folder_of("byte_level_bpe", "en"), tmp_path / "out" / "dataset" / "tokenizer")
    arguments = [
        "export",
        recipe,
        "--format",
        kind,
        "--end-id",
        "0",
        "--out",
        str(tmp_path / "ids"),
    ]

    assert main(arguments) == 0

    assert len(list((tmp_path / "ids").iterdir())) == files


def test_an_end_id_is_for_ids_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="only for megatron or npy"):
        main(["export", "r.yaml", "--end-id", "1", "--out", str(tmp_path / "a.jsonl")])


def test_spark_never_writes_over_an_export(tmp_path: Path) -> None:
    refuse_existing(tmp_path / "new")
    with pytest.raises(SettingsError, match="is there already"):
        refuse_existing(tmp_path)
