"""What is an input file: links followed once, side files passed over, odd names and entries listed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from refinery.sources.identities import remember, version_of, with_identities
from refinery.sources.listing import list_files, list_source, matches, partition_values
from schemas.errors import SettingsError
from tests.support.reading import rows_of, source_of


def write(path: Path, text: str = '{"text": "one"}\n') -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def names(folder: Path, **settings: object) -> list[str]:
    return [file.name for file in list_files(source_of(folder, "jsonl", **settings))]


def test_links_to_folders_are_followed_and_each_file_is_listed_once(tmp_path: Path) -> None:
    root = tmp_path / "in"
    write(root / "a.jsonl")
    write(tmp_path / "store" / "b.jsonl")
    (root / "linked").symlink_to(tmp_path / "store")
    (root / "again").symlink_to(tmp_path / "store")
    (root / "itself").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "same.jsonl").symlink_to(root / "a.jsonl")

    assert names(root) == ["a.jsonl", "again/b.jsonl"]


def test_what_is_no_file_is_a_reject_and_the_others_are_read(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl")
    (tmp_path / "gone.jsonl").symlink_to("nowhere")
    (tmp_path / "ring").symlink_to("ring")
    os.mkfifo(tmp_path / "pipe")

    tables = rows_of(source_of(tmp_path, "jsonl"))

    assert [row["file"] for row in tables["fetches"]] == ["a.jsonl"]
    assert [(row["file"], row["reason"]) for row in tables["rejects"]] == [
        ("gone.jsonl", "file:no_file"), ("pipe", "file:no_file"), ("ring", "file:no_file"),
    ]  # fmt: skip


def test_a_name_that_is_not_utf_8_is_shown_with_escapes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jsonl")).write_text('{"text": "one"}\n')

    tables = rows_of(source_of(tmp_path, "jsonl"))

    assert [row["file"] for row in tables["fetches"]] == ["caf\\xe9.jsonl"]
    assert tables["rejects"] == []


def test_side_files_of_spark_and_hidden_ones_are_no_input(tmp_path: Path) -> None:
    kept = ["_notes.jsonl", "date=2024-01-01/part-0.jsonl", "success.jsonl"]
    others = [
        "_SUCCESS", ".part-0.jsonl.crc", "_delta_log/00.json", "_committed_12", "_started_12",
        ".hidden/a.jsonl", "_temporary/0/a.jsonl", "date_$folder$", "_metadata", "x.crc",
    ]  # fmt: skip
    for name in (*kept, *others):
        write(tmp_path / name)

    listing = list_source(source_of(tmp_path, "jsonl"))

    assert [file.name for file in listing.files] == kept
    assert list(listing.passed_over) == sorted(others)


def test_a_file_that_the_recipe_names_itself_is_input_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path / "_SUCCESS")

    assert names(tmp_path / "_SUCCESS") == ["_SUCCESS"]


def test_partition_values_become_metadata(tmp_path: Path) -> None:
    name = "date=2024-01-01/lang=zh%2DHans/kind=__HIVE_DEFAULT_PARTITION__/a.jsonl"
    write(tmp_path / name, '{"text": "one", "lang": "zh"}\n')

    (row,) = rows_of(source_of(tmp_path, "jsonl"))["fetches"]

    assert partition_values(name) == {"date": "2024-01-01", "lang": "zh-Hans", "kind": None}
    assert row["meta"] == '{"date": "2024-01-01", "kind": null, "lang": "zh"}'


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("**", True), ("*.gz", True), ("**/*.gz", True), ("b/*", False), ("A.*", False)],
)
def test_a_pattern_with_two_stars_matches_files_of_the_root(pattern: str, expected: bool) -> None:  # noqa: FBT001
    assert matches("a.gz", pattern) == expected


def test_an_empty_source_is_refused_unless_it_may_be_empty(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no file matches '\*\*'.*0 files there"):
        names(tmp_path)

    assert names(tmp_path, may_be_empty=True) == []


def test_an_empty_file_is_counted_in_every_format(tmp_path: Path) -> None:
    write(tmp_path / "a", "")
    for kind in ("warc", "html", "jsonl", "parquet", "csv", "text"):
        tables = rows_of(source_of(tmp_path, kind))

        assert [(row["type"], row["count"]) for row in tables["records"]] == [("empty_file", 1)]
        assert tables["rejects"] == []


def test_a_known_file_is_not_read_to_know_that_it_is_the_same(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.jsonl")
    source = source_of(tmp_path / "in", "jsonl")
    cache = str(tmp_path / "cache.json")
    (file,) = list_files(source)

    (before,) = with_identities([file], [source], cache)
    (row,) = rows_of(source)["files"]
    remember([type(file)(**{**vars(file), "sha256": row["sha256"]})], cache)
    (after,) = with_identities([file], [source], cache)

    assert before.sha256 == ""
    assert after.sha256 == row["sha256"]


def test_the_stores_version_is_an_identity_by_choice(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.jsonl")
    source = source_of(tmp_path / "in", "jsonl", identity="version")
    (file,) = list_files(source)

    (known,) = with_identities([file], [source], str(tmp_path / "cache.json"))
    (row,) = rows_of(source)["files"]

    assert known.sha256 == version_of(file)
    assert row["sha256"] is None
