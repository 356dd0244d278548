from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from schemas.errors import ContractError
from schemas.manifest import (
    FORMAT_VERSION,
    SCHEMA_PATH,
    content_root,
    manifest_json_schema,
    read_manifest,
)
from tests.support.datasets import write_dataset

DOCS = Path(__file__).resolve().parents[2] / "docs" / "manifest.md"


def test_checked_in_schema_is_current() -> None:
    assert SCHEMA_PATH.read_text("utf-8") == manifest_json_schema(), (
        "write it anew: python -m schemas.manifest > schemas/manifest.schema.json"
    )


def test_written_manifest_obeys_the_schema(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)

    jsonschema.validate(json.loads(path.read_text()), json.loads(SCHEMA_PATH.read_text()))


def test_every_field_of_the_schema_is_documented() -> None:
    schema = json.loads(SCHEMA_PATH.read_text())
    text = DOCS.read_text("utf-8")
    models = [schema, *schema["$defs"].values()]

    missing = {name for model in models for name in model["properties"] if f"`{name}`" not in text}

    assert missing == set()


def test_root_is_the_documented_hash() -> None:
    # Made with the steps of docs/manifest.md by hand: canonical JSON, then SHA-256.
    import hashlib

    text = (
        '{"format_version":1,"lanes":48,"seq_len":2048,"shards":{"heldout":[],"train":["bb"]},'
        '"tokenizer":"aa","vocab_size":5}'
    )

    root = content_root(
        tokenizer_sha256="aa",
        vocab_size=5,
        seq_len=2048,
        lanes=48,
        shards={"train": ["bb"], "heldout": []},
    )

    assert FORMAT_VERSION == 1
    assert root == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("change", ["rename", "times"])
def test_names_and_times_are_outside_the_root(tmp_path: Path, change: str) -> None:
    path = write_dataset(tmp_path)
    data = json.loads(path.read_text())
    before = data["root"]
    if change == "rename":
        data["train"]["shards"][0]["path"] = "elsewhere.parquet"
    else:
        data["created_at"] = "2030-01-01T00:00:00Z"
    path.write_text(json.dumps(data))

    assert read_manifest(path).root == before


def test_swapped_shards_change_the_root(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    data = json.loads(path.read_text())
    data["train"]["shards"].reverse()
    path.write_text(json.dumps(data))

    with pytest.raises(ContractError, match="edited after it was written"):
        read_manifest(path)


def test_missing_manifest_says_that_there_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="a folder without one is no dataset"):
        read_manifest(tmp_path)


def test_unknown_field_is_named(tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    data = json.loads(path.read_text()) | {"seqlen": 3}
    path.write_text(json.dumps(data))

    with pytest.raises(ContractError, match="seqlen: unknown key; did you mean 'seq_len'"):
        read_manifest(path)


@pytest.mark.parametrize(
    "path", ["../other", "a/../../b", "/etc/passwd", "", "a::file:///etc/passwd"]
)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    file = write_dataset(tmp_path)
    data = json.loads(file.read_text())

    for place in (data["tokenizer"], data["train"]["shards"][0]):
        kept = place["path"]
        place["path"] = path
        file.write_text(json.dumps(data))
        with pytest.raises(ContractError, match=r"expected a path below the manifest, got '"):
            read_manifest(file)
        place["path"] = kept
