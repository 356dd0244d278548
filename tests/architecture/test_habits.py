"""Habits that decay unnoticed: words, docstrings that say nothing, modules that no test imports.

A number here is a ratchet: it may fall, it never rises. Whoever brings it down writes the new one.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("refinery", "train", "jobs", "schemas", "pages", "tools")
# The old names of settings stay in the table that translates them.
OLD_NAMES = {"train/aliases.py"}
PLACE = re.compile(r"(?<![a-z])places?(?![a-z])", re.IGNORECASE)
# "in place" is the field's own word: an operation that overwrites its argument.
OVERWRITES = re.compile(r"(?<![a-z])in[-_ ]place(?![a-z])", re.IGNORECASE)

# The column of that name in the published indexes of earlier runs.
NUM_PLACES = 2
NUM_SHORT_DOCSTRINGS = 0
NUM_UNTESTED_MODULES = 0


def _modules(*packages: str) -> Iterator[tuple[str, str]]:
    """Paths from the root, with the text of each file."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Names, comments and strings of a file with their lines."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NAME, tokenize.COMMENT, tokenize.STRING):
            yield token.start[0], OVERWRITES.sub("", token.string)


def test_place_is_no_name() -> None:
    """One word had nine meanings: docs/glossary.md has the nine words."""
    uses = [
        f"{path}:{line}"
        for path, text in _modules(*SOURCES)
        if path not in OLD_NAMES
        for line, word in _words(text)
        for _ in PLACE.finditer(word)
    ]

    assert len(uses) <= NUM_PLACES, uses


def test_a_docstring_says_more_than_the_name() -> None:
    """Three words say no unit, no order, no error: a function that needs none has no docstring."""
    short = [
        f"{path}:{node.lineno} {docstring!r}"
        for path, text in _modules(*SOURCES)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        and (docstring := ast.get_docstring(node)) is not None
        and len(docstring.split()) <= 3
    ]

    assert len(short) <= NUM_SHORT_DOCSTRINGS, short


def _imported(text: str) -> Iterator[str]:
    """Names after `import`, and strings that a test hands to `import_module` or to an interpreter."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_module_is_imported_by_a_test() -> None:
    """A module that is reached through whole runs alone breaks far from the test that says so."""
    modules = {
        path.removesuffix(".py").replace("/", ".")
        for path, _ in _modules(*SOURCES)
        if not path.endswith(("__init__.py", "__main__.py"))
    }
    imported = {name for _, text in _modules("tests") for name in _imported(text)}

    untested = sorted(modules - imported)

    assert len(untested) <= NUM_UNTESTED_MODULES, untested


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("norm_place = 1", 1),
        ("# changed in place", 0),
        ("replaced = placements", 0),
        ("'the places'", 1),
    ],
)
def test_uses_of_the_word_are_seen(text: str, count: int) -> None:
    assert sum(len(PLACE.findall(word)) for _, word in _words(text)) == count
