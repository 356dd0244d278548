"""`refinery explain RUN URL`: values, bounds, verdicts, edits, the pair and contamination of a document."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.command.explain_file import holds_many
from jobs.command.explain_record import Wanted, find_record
from jobs.command.explain_run import explain_run
from jobs.command.main import main
from refinery.clean.config import CleanConfig
from refinery.datasets.runs import open_run
from refinery.query.database import open_database
from refinery.query.explain_document import explain_documents
from refinery.sources.record import Fetch
from schemas.errors import SettingsError
from tests.refinery.datasets.test_runs import run_file, write_run_file
from tests.refinery.query.test_database import SCHEMAS, STAGES
from tests.support.published import published_tables

TEXT = "x\x1b[2Jyz rest of the page"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("run")
    cleaned = [{"doc_id": "a", "source": "web", "url": "https://www.Example.org/a/", "title": "A",
                "text": TEXT}]  # fmt: skip
    stages = {**STAGES, "clean": {**STAGES["clean"], "cleaned": cleaned}}
    settings = {"clean": {"clean": CleanConfig().model_dump(mode="json")}}
    tables = published_tables(output / "tables", stages, schemas=SCHEMAS, settings=settings)
    for record in tables.records.values():
        tables.store.publish(record)
    write_run_file(str(output), run_file(**dict.fromkeys(tables.records, 0)))
    return str(output)


def explained(capsys: pytest.CaptureFixture[str], run: str, *asked: str) -> list[dict[str, Any]]:
    assert main(["explain", run, *asked]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_kept_document_has_its_values_bounds_edits_and_who_resembles_it(capsys, run: str) -> None:
    (row,) = explained(capsys, run, "http://example.org/a")

    assert (row["fate"], row["title"], row["resembled_by"]) == ("kept", "A", 1)
    words = next(rule for rule in row["rules"] if rule["rule"] == "gopher:words")
    assert (words["measured"], words["minimum"], words["failed"]) == (9.0, 50.0, True)
    assert words["meaning"]
    assert [(e["reason"], e["removed"]) for e in row["edits"]] == [("pii:email", TEXT[1:4])]
    assert row["duplicate"] is None


def test_each_way_out_is_explained(capsys, run: str) -> None:
    rows = explained(capsys, run, "b", "c", "d", "example.org/r", "example.org/broken")

    assert [row["fate"] for row in rows] == [
        "dropped", "duplicate", "contaminated", "rejected", "rejected",
    ]  # fmt: skip
    assert rows[1]["duplicate"]["kept_url"] == "https://www.Example.org/a/"
    assert rows[2]["contamination"][0]["item"] == "7"
    assert rows[3]["rejects"][0]["message"] == "no text"
    assert (rows[4]["reason"], rows[4]["file"]) == ("archive:broken", "f.warc")


def test_an_address_that_is_not_there_names_its_neighbours(run: str) -> None:
    with pytest.raises(SettingsError, match=r"of that host: http://example.org/b"):
        main(["explain", run, "example.org/bb"])
    with pytest.raises(SettingsError, match="name an address or id"):
        main(["explain", run])


def test_people_read_the_verdict_first_and_no_control_characters(capsys, run: str) -> None:
    assert explain_run(run, ["a"], as_json=False) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "KEPT  https://www.Example.org/a/"
    assert any(line.startswith("  gopher:words") and line.endswith("FAILS") for line in lines)
    assert any("clean pii:email at 1: '\ufffd[2'" in line for line in lines)
    assert "\x1b" not in "".join(lines)


def test_a_run_without_settings_explains_what_it_has(run: str) -> None:
    opened = open_run(run)
    bare = {**opened.records, "clean": opened.records["clean"].model_copy(update={"settings": {}})}
    with open_database(opened) as database:
        (row,) = explain_documents(replace(opened, records=bare), database, "a")

    assert row["rules"] == []
    assert row["values"] == {"words": 9.0}


def test_records_are_found_without_the_verb(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": "two"}\n')

    found = find_record(str(path), Wanted(record=1))

    assert isinstance(found, Fetch)
    assert found.payload == b"two"
    assert holds_many("x.WARC.GZ")
    assert not holds_many("x.html")
