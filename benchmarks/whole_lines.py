"""Files that grow by whole lines, written by several processes of which any may be killed at any moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from train.report.locks import wait_for_lock


def read_whole_lines(path: Path) -> list[str]:
    """The lines that are whole; what a killed process left of one is none. Empty where there is no file."""
    whole = path.read_bytes() if path.is_file() else b""
    return whole[: whole.rfind(b"\n") + 1].decode("utf-8").splitlines()


def append_lines(path: Path, lines: Callable[[], Sequence[str]]) -> None:
    """Add lines, in place of what a killed process left of one; other writers wait meanwhile.

    Args:
        path: The file; made where there is none.
        lines: Asked for them while nobody else writes, so that they may depend on what is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file, path.open("rb") as known:
        wait_for_lock(file)
        file.truncate(known.read().rfind(b"\n") + 1)
        file.write("".join(f"{line}\n" for line in lines()).encode())
