"""`refinery query`: answers for people and programs, and refusals that say what to type."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from jobs.command import query, query_output
from jobs.command.main import main
from jobs.command.query_output import shown, table_lines
from schemas.errors import SettingsError
from tests.refinery.datasets.test_runs import run_file, write_run_file
from tests.refinery.query.test_database import SCHEMAS, STAGES
from tests.support.published import published_tables


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("run")
    tables = published_tables(output / "tables", STAGES, schemas=SCHEMAS)
    for record in tables.records.values():
        tables.store.publish(record)
    write_run_file(str(output), run_file(**dict.fromkeys(tables.records, 0)))
    return str(output)


def test_a_select_is_answered_under_its_columns(run: str, capsys) -> None:
    assert main(["query", run, "SELECT source, sum(num_bytes)::INT AS size FROM ledger GROUP BY 1 ORDER BY 1"]) == 0  # fmt: skip

    assert capsys.readouterr().out.splitlines() == ["source  size", "news     110", "web      150"]


def test_csv_holds_all_rows_with_lists_and_maps_as_text(run: str, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"

    main(["query", run, 'SELECT doc_id, reasons, "values" FROM ledger ORDER BY doc_id', "--format", "csv", "--out", str(out)])  # fmt: skip

    rows = pa_csv.read_csv(io.BytesIO(out.read_bytes())).to_pylist()
    assert rows[0] == {"doc_id": "a", "reasons": "", "values": "words=9"}
    assert rows[1] == {"doc_id": "b", "reasons": "gopher:words, x:y", "values": ""}


def test_parquet_keeps_types_and_needs_a_file(run: str, tmp_path: Path) -> None:
    asked = ["query", run, "SELECT doc_id, reasons FROM ledger WHERE doc_id = 'b'", "--format", "parquet"]  # fmt: skip

    with pytest.raises(SettingsError, match="--out"):
        main(asked)
    main([*asked, "--out", str(tmp_path / "a.parquet")])

    table = pq.read_table(tmp_path / "a.parquet")
    assert table.to_pylist() == [{"doc_id": "b", "reasons": ["gopher:words", "x:y"]}]


def test_ready_questions_take_their_values_and_no_others(run: str, capsys) -> None:
    main(["query", run, "--ask", "why-dropped", "--url", "example.org/b"])
    assert "gopher:words" in capsys.readouterr().out
    with pytest.raises(SettingsError, match="needs --url"):
        main(["query", run, "--ask", "why-dropped"])
    with pytest.raises(SettingsError, match="takes no --threshold"):
        main(["query", run, "--ask", "why-dropped", "--url", "x", "--threshold", "1"])
    with pytest.raises(SettingsError, match="did you mean 'why-dropped'"):
        main(["query", run, "--ask", "why-droped"])
    with pytest.raises(SettingsError, match="one SELECT, or --ask"):
        main(["query", run])
    main(["query", run, "--ask", "list"])
    assert "duplicates-by-sources" in capsys.readouterr().out


def test_a_narrow_terminal_gets_a_line_per_column() -> None:
    schema = pa.schema([("name", pa.string()), ("number", pa.int64())])
    rows = [("数据", 1234)]

    assert table_lines(schema, rows, None) == ["name  number", "数据   1,234"]
    assert table_lines(schema, rows, 8)[1:] == ["name    数据", "number  1,234"]
    assert table_lines(schema, [], 8) == ["no rows"]


def test_web_text_cannot_move_the_cursor() -> None:
    assert shown("a\x1b[2Jb\nc\u202ed") == "a\ufffd[2Jb⏎c\ufffdd"
    assert len(shown("x" * 10_000)) == query_output.SHOWN_CHARS + 1


def test_a_table_says_that_it_is_cut(run: str, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_output, "SHOWN_ROWS", 2)

    main(["query", run, "SELECT doc_id FROM ledger ORDER BY doc_id"])

    assert capsys.readouterr().out.splitlines() == [
        "doc_id", "a", "b", "... only the first 2 rows; --format csv has all",
    ]  # fmt: skip


def test_every_value_of_a_ready_question_is_an_option() -> None:
    parser = argparse.ArgumentParser()

    query.add_arguments(parser)

    values = vars(parser.parse_args(["run", "--limit", "3", "--url", "u", "--score", "s"]))
    assert (values["limit"], values["url"], values["score"]) == ("3", "u", "s")
