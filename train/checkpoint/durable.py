"""Small files that are whole or not there, also after the machine goes down."""

from __future__ import annotations

import os
from pathlib import Path

ASIDE = ".incomplete"


def write_durably(path: Path, text: str) -> None:
    """Write a text, its newlines as they are, and wait until the disk has it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def replace_text(path: Path, text: str) -> None:
    """Replace a file at once: a reader finds the old text or the new one."""
    aside = path.with_name(path.name + ASIDE)
    write_durably(aside, text)
    aside.replace(path)
