"""Verbs on an S3 store: a moto server in this process stands in for the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from jobs.command.main import main
from jobs.launch import _log_path
from refinery.datasets.open import open_dataset
from refinery.publish import storage
from refinery.publish.fetched import StoredFolder, input_path, output_path
from schemas.errors import ContractError, SettingsError
from schemas.yaml_files import read_yaml
from tests.jobs.command.test_export import write_run
from tests.jobs.command.test_whatif import write_ledger
from tests.refinery.datasets.test_runs import run_file, write_run_file
from tests.refinery.query.test_database import SCHEMAS, STAGES
from tests.support.datasets import write_dataset
from tests.support.object_store import moto_store
from tests.support.published import published_tables
from tests.support.small_tokenizers import folder_of


@pytest.fixture(scope="module")
def store() -> Iterator[None]:
    """One server for all tests here: s3fs keeps the endpoint of its first connection."""
    with pytest.MonkeyPatch.context() as patch, moto_store(patch):
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        try:
            yield
        finally:
            fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture
def bucket(store: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """URI of an empty bucket; the working directory is an empty folder, and stays so."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    storage._download.cache_clear()
    system, _ = storage.file_system("s3a://verbs")
    if system.exists("verbs"):
        system.rm("verbs", recursive=True)
    system.makedirs("verbs", exist_ok=True)
    yield "s3a://verbs"
    assert list(here.iterdir()) == [], "a URI was taken for a path"


def put(path: Path, uri: str) -> str:
    storage.upload(path, uri)
    return uri


def test_a_dataset_is_verified_and_traced_where_it_lies(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_dataset(tmp_path / "dataset").parent
    uri = put(folder, f"{bucket}/one/dataset")

    # The tokenizer of this small dataset is an empty folder, which no object store has.
    only = "tokenizer: tokenizer folder is missing, the manifest says a folder\n"
    for name in (uri, f"{uri}/manifest.json"):
        assert main(["verify", name]) == 3
        said = capsys.readouterr().err.splitlines(keepends=True)
        assert [line for line in said if "HTTP/1.1" not in line] == [only]
    main(["trace", uri, "--row", "41"])
    there = json.loads(capsys.readouterr().out)
    main(["trace", str(folder), "--row", "41"])
    assert there == json.loads(capsys.readouterr().out)

    system, path = storage.file_system(uri)
    system.pipe_file(f"{path}/shard-00001.parquet", b"no shard")
    system.pipe_file(f"{path}/stray.parquet", b"")
    assert main(["verify", uri]) == 3
    said = capsys.readouterr().err
    assert "shard-00001.parquet: size is 8 bytes" in said
    assert "stray.parquet" in said


def test_a_folder_without_a_manifest_is_told_as_one_line(bucket: str) -> None:
    with pytest.raises(ContractError, match=r"s3a://verbs/nothing: no manifest\.json there"):
        open_dataset(f"{bucket}/nothing")


def test_a_page_and_a_recipe_are_explained_from_the_store(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, recipe = tmp_path / "page.txt", tmp_path / "r.yaml"
    page.write_text("The council met in May and planted ten trees along the river. " * 9)
    recipe.write_text(
        "recipe:\n  name: a\n  sources: [{name: s, uri: x, format: text}]\n"
        "  clean: {rules: {enabled: false}, language: {languages: [en, no]}}\n"
        "runtime: {output: 's3a://verbs/out'}\n"
    )
    arguments = [put(page, f"{bucket}/page.txt"), "--recipe", put(recipe, f"{bucket}/r.yaml")]

    main(["explain", *arguments, "--html", f"{bucket}/seen/page.html"])

    row = json.loads(capsys.readouterr().out)
    assert row["drop_reason"] is None
    assert b"The council met in May" in storage.read_bytes(f"{bucket}/seen/page.html")


def test_tokenizers_are_read_from_the_store_and_a_page_is_written_there(
    bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = put(folder_of("byte_level_bpe", "en"), f"{bucket}/tokenizer")

    main(["vocabulary", "view", uri, "--text", "two words", "--html", f"{bucket}/view.html"])

    assert b"two" in storage.read_bytes(f"{bucket}/view.html")
    with pytest.raises(SettingsError, match="exists already"):
        main(["vocabulary", "view", uri, "--text", "x", "--html", f"{bucket}/view.html"])


@pytest.mark.parametrize("verb", [["gate"], ["verify"], ["check"], ["explain"], ["rules"]])
def test_what_is_not_there_is_one_line(bucket: str, verb: list[str]) -> None:
    with pytest.raises((SettingsError, ContractError), match=r"s3a://verbs/nothing\.yaml"):
        main([*verb, f"{bucket}/nothing.yaml"])


def test_a_scheme_without_a_client_is_named() -> None:
    with pytest.raises(SettingsError, match="nosuch://"):
        input_path("nosuch://bucket/file")


def _write_half(uri: str) -> None:
    with output_path(uri) as path:
        path.write_text(f"half of it {1 // 0}")


def test_only_what_went_well_is_put_on_the_store(bucket: str) -> None:
    with output_path(f"{bucket}/good/file.txt") as path:
        path.write_text("good")
    with pytest.raises(ZeroDivisionError):
        _write_half(f"{bucket}/bad.txt")

    assert storage.read_bytes(f"{bucket}/good/file.txt") == b"good"
    assert not storage.exists(f"{bucket}/bad.txt")


def test_a_fetched_file_is_removed_after_its_use(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    put(tmp_path / "a.txt", f"{bucket}/folder/a.txt")
    folder = StoredFolder(f"{bucket}/folder/")

    with folder.file("a.txt") as path:
        assert path.read_text() == "text"
    assert not path.exists()
    with folder.file("b.txt") as path:
        assert not path.exists()
    assert folder.names(".txt") == ["a.txt"]


def test_sparks_log_of_a_run_on_a_store_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert _log_path("s3a://bucket/some/run/") == tmp_path / "runs" / "run" / "spark.log"
    assert _log_path("out") == tmp_path / "out" / "spark.log"


def test_a_folder_of_a_store_becomes_a_recipe(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "raw"
    (folder / "rows").mkdir(parents=True)
    (folder / "rows" / "a.jsonl").write_text('{"body": "Some words of a text.", "id": 1}\n')
    (folder / "page.html").write_text("<html><p>x")
    put(folder, f"{bucket}/raw")

    assert main(["init", f"{bucket}/raw", "--out", str(tmp_path / "r.yaml")]) == 0

    sources = read_yaml(tmp_path / "r.yaml")["recipe"]["sources"]
    assert {(one["uri"], one["format"]) for one in sources} == {
        (f"{bucket}/raw/rows", "jsonl"), (f"{bucket}/raw", "html"),
    }  # fmt: skip
    assert [one["fields"]["text"] for one in sources if "fields" in one] == ["body"]


def test_doctor_writes_to_the_store_and_leaves_nothing(
    bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["doctor", "--output", f"{bucket}/run"])

    assert f"ok       output: {bucket}/run: can be written" in capsys.readouterr().out
    assert not storage.exists(f"{bucket}/run/.refinery-doctor")
    main(["doctor", "--output", "s3a://no-such-bucket-of-ours/run"])
    told = "problem  output: s3a://no-such-bucket-of-ours/run: cannot be written"
    assert told in capsys.readouterr().out


def test_a_run_is_asked_and_reported_where_it_lies(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = {name: STAGES[name] for name in ("ingest", "clean")}
    tables = published_tables(tmp_path / "run" / "tables", stages, schemas=SCHEMAS)
    for record in tables.records.values():
        tables.store.publish(record)
    write_run_file(str(tmp_path / "run"), run_file(**dict.fromkeys(tables.records, 0)))
    uri = put(tmp_path / "run", f"{bucket}/run")

    assert main(["query", uri, "SELECT count(*)::INT AS rows FROM ledger"]) == 0
    asked = capsys.readouterr().out
    main(["query", str(tmp_path / "run"), "SELECT count(*)::INT AS rows FROM ledger"])
    assert asked == capsys.readouterr().out

    assert main(["report", uri]) == 0
    assert b"<html" in storage.read_bytes(f"{uri}/report/index.html")[:2000]


def test_other_bounds_are_tried_on_a_ledger_of_the_store(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bounds = ["--set", "rules.bounds.gopher:words={minimum: 1}"]
    ledger = write_ledger(tmp_path / "ledger")
    here = main(["whatif", str(ledger), *bounds]), capsys.readouterr().out

    uri = put(ledger, f"{bucket}/ledger")

    assert (main(["whatif", uri, *bounds]), capsys.readouterr().out) == here


def test_kept_texts_are_exported_from_a_store_to_it(bucket: str, tmp_path: Path) -> None:
    recipe = Path(write_run(tmp_path))
    put(tmp_path / "out", f"{bucket}/out")
    out = f"{bucket}/kept/a.jsonl"

    assert main(["export", str(recipe), "--set", f"runtime.output={bucket}/out", "--out", out]) == 0

    (row,) = [json.loads(line) for line in storage.read_bytes(out).splitlines()]
    assert (row["id"], row["text"]) == ("a", "two")
