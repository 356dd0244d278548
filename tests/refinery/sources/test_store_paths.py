"""Folders of stores answer as local ones do."""

from __future__ import annotations

from pathlib import Path

import fsspec

from refinery.sources.store_paths import StorePath, any_path, files_below, parts_below


def test_a_folder_in_memory_is_listed_as_a_local_one(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    for name in ("a/b.txt", "a/c/d.txt", "e.txt"):
        system.pipe_file(f"/paths/{name}", name.encode())
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    stored, local = any_path("memory://paths"), any_path(str(tmp_path))

    assert isinstance(stored, StorePath)
    below = [[parts_below(path, root) for path in files_below(root)] for root in (stored, local)]
    assert below[0] == below[1] == [("a", "b.txt"), ("a", "c", "d.txt"), ("e.txt",)]
    assert sorted((p.name, p.is_dir(), p.is_file()) for p in stored.iterdir()) == [
        ("a", True, False), ("e.txt", False, True),
    ]  # fmt: skip
    with (stored / "e.txt").open("rb") as stream:
        assert stream.read() == b"e.txt"
