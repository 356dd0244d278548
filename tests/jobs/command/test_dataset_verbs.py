"""`refinery verify` and `refinery trace` on a small dataset."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from jobs.command import trace, verify
from schemas.errors import SettingsError
from schemas.manifest import read_manifest
from tests.support.datasets import write_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "dataset").parent


def run_verify(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    verify.add_arguments(parser)
    return verify.run(parser.parse_args(arguments))


def run_trace(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    trace.add_arguments(parser)
    return trace.run(parser.parse_args(arguments))


def traced_row(dataset: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    run_trace(str(dataset), "--row", "41")
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_cut_shard_is_named_on_stderr_with_exit_3(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = dataset / "shard-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])

    assert run_verify(str(dataset)) == 3

    said = capsys.readouterr()
    assert "shard-00001.parquet" in said.err
    assert "shard-00000.parquet" not in said.err
    assert said.out == ""


def test_a_row_is_traced_across_shards(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = traced_row(dataset, capsys)

    # The first shard has forty rows: number 41 is the second of the next.
    assert row["shard"] == "shard-00001.parquet"
    segments = row["segments"]
    assert isinstance(segments, list)
    assert sum(segment["length"] for segment in segments) <= read_manifest(dataset).seq_len


def test_the_documents_of_a_row_lead_back_to_it(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segments = traced_row(dataset, capsys)["segments"]
    assert isinstance(segments, list)

    assert run_trace(str(dataset), "--doc", segments[0]["doc_id"]) == 0

    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["row"] for answer in answers] == [41]


def test_an_unknown_document_is_refused(dataset: Path) -> None:
    with pytest.raises(SettingsError, match="no row holds document 'nobody'"):
        run_trace(str(dataset), "--doc", "nobody")
