"""Files that grow by whole lines: a torn end is no line, and the next one takes its room."""

from __future__ import annotations

from pathlib import Path

from benchmarks.whole_lines import append_lines, read_whole_lines


def test_a_torn_end_is_no_line_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lines.jsonl"
    assert read_whole_lines(path) == []
    append_lines(path, lambda: ["one", "其二"])
    with path.open("ab") as file:
        file.write("其三".encode()[:4])  # within a character

    assert read_whole_lines(path) == ["one", "其二"]
    append_lines(path, lambda: [f"after {len(read_whole_lines(path))}"])

    assert path.read_text("utf-8") == "one\n其二\nafter 2\n"
