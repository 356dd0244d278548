"""Run the code of a page of `docs/` as a reader would, in a folder of its own.

Fenced blocks by their language:

- `console`: lines after `$ ` are run by bash; what they print must be what the page shows.
- `python`: run in one namespace for the page; a `text` block behind it shows what it prints.
- any language with `file=NAME`: written to that file; with `append=NAME`: added to its end.
- `diff`: applied to the folder by `git apply`.

Others (`bash`, `yaml` without a file ...) are for the eye alone. Numbers differ between machines and
versions of Python, so any number stands for any other; `...` stands for any text.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w+)?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND_SECONDS = 1200
# Frames of tables; hashes; numbers with separators and units of thousands.
_FRAME = re.compile(r"[─-╿]+")
_NUMBER = re.compile(r"\b[0-9a-f]{12,}\b|\d[\d,.:]*(?:e[-+]\d+)?(?:[kMG]|(?: [kMG]B\b))?")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its language, the words behind it as options, its first line in the page."""

    language: str
    options: Mapping[str, str]
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """What stands behind a prompt, and what the page says that it prints."""

    text: str
    output: str


def read_blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(
            language=match[1] or "",
            options=dict(word.partition("=")[::2] for word in match[2].split()),
            text=match[3],
            line=text.count("\n", 0, match.start()) + 1,
        )
        for match in FENCE.finditer(text)
    ]


def commands_of(text: str) -> Iterator[Command]:
    r"""Commands with their output; a command goes on over lines that end in `\`."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        match = re.match(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", part, re.DOTALL)
        assert match is not None
        yield Command(match[1], match[2])


def same_words(shown: str, printed: str) -> bool:
    """Whether two outputs differ in numbers, frames and white space alone."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(_words(shown), _words(printed), flags)


def _words(text: str) -> str:
    plain = _NUMBER.sub("#", _FRAME.sub(" ", text))
    return " ".join(plain.split()) + "\n"


def environment() -> dict[str, str]:
    """What activating the virtual environment of this checkout gives, with one thread each."""
    from jobs.spark.java import find_java

    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "JAVA_HOME": str(find_java().home),
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "COLUMNS": "100",
    }


class PageRun:
    """One page in one folder; blocks run in their order, and leave their Python `names`."""

    def __init__(self, page: str, folder: Path, *, python_path: Path = ROOT) -> None:
        self._page = ROOT / "docs" / page
        self._folder = folder
        self._environment = environment() | {"PYTHONPATH": str(python_path)}
        self.names: dict[str, Any] = {"__name__": "page"}

    def run(self) -> list[Command]:
        """Run all blocks; returns what the commands printed."""
        printed: list[Command] = []
        blocks = read_blocks(self._page)
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            where = f"{self._page.name}:{block.line}"
            if "file" in block.options or "append" in block.options:
                self._write(block)
            elif block.language == "console":
                printed += [self._command(one, where) for one in commands_of(block.text)]
            elif block.language == "diff":
                self._patch(block.text, where)
            elif block.language == "python":
                shown = following.text if following and following.language == "text" else None
                self._python(block, shown, where)
        return printed

    def apply_diffs(self) -> list[str]:
        """Apply the diffs alone, to copies of the files that they name; returns these."""
        diffs = [block for block in read_blocks(self._page) if block.language == "diff"]
        names = [name for block in diffs for name in re.findall(r"^--- a/(.*)$", block.text, re.M)]
        for name in dict.fromkeys(names):
            target = self._folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text((ROOT / name).read_text("utf-8"), "utf-8")
        for block in diffs:
            self._patch(block.text, f"{self._page.name}:{block.line}")
        return names

    def _write(self, block: Block) -> None:
        path = self._folder / block.options.get("file", block.options.get("append", ""))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if "file" in block.options else "a", encoding="utf-8") as file:
            file.write(block.text)

    def _command(self, command: Command, where: str) -> Command:
        result = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command.text],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert result.returncode == 0, f"{where}: {command.text}\n{result.stdout}"
        if command.output.strip():
            assert same_words(command.output, result.stdout), (
                f"{where}: {command.text}\nshown:\n{command.output}\nprinted:\n{result.stdout}"
            )
        return Command(command.text, result.stdout)

    def _patch(self, diff: str, where: str) -> None:
        result = subprocess.run(
            ["git", "apply", "--recount", "-C1", "--verbose", "-"],
            cwd=self._folder,
            env=self._environment | {"GIT_CEILING_DIRECTORIES": str(self._folder.parent)},
            input=diff,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{where}: {result.stderr}"

    def _python(self, block: Block, shown: str | None, where: str) -> None:
        code = compile(block.text, where, "exec")
        with contextlib.chdir(self._folder), contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, self.names)
        if shown is not None:
            printed = out.getvalue()
            assert same_words(shown, printed), f"{where}: shown:\n{shown}\nprinted:\n{printed}"
