"""Functions of the user's own: found, fingerprinted by content, bundled, and guarded."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from refinery.publish.own_code import code_fingerprint, load_function, run_each, write_bundle
from schemas.errors import SettingsError

RULE = "def rule(documents):\n    return [None] * len(documents)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a module of a name that no other test uses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_function_of_a_file_in_the_working_folder_is_found(folder: Path) -> None:
    (folder / "own_code_a.py").write_text(RULE)

    assert load_function("own_code_a:rule")(["x", "y"]) == [None, None]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_code_nothing:rule", "no module 'own_code_nothing'"),
        ("own_code_b:rlue", "no function 'rlue'; did you mean 'rule'"),
        ("own_code_broken:rule", r"cannot be imported: ZeroDivisionError.*own_code_broken.py:1"),
        ("own_code_needs:rule", "cannot be imported: No module named 'no_such_library'"),
    ],
)
def test_what_cannot_be_had_is_said(folder: Path, name: str, message: str) -> None:
    (folder / "own_code_b.py").write_text(RULE)
    (folder / "own_code_broken.py").write_text("1 / 0\n")
    (folder / "own_code_needs.py").write_text("import no_such_library\n")

    with pytest.raises(SettingsError, match=message):
        load_function(name)


def test_content_is_the_fingerprint_wherever_it_lies(tmp_path: Path) -> None:
    """Each in a process of its own, since a module is imported once."""

    def fingerprint(folder: str, **files: str) -> str:
        for name, text in files.items():
            path = tmp_path / folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".py").write_text(text)
        code = "import refinery.publish.own_code as o; print(o.code_fingerprint('mine.rules:rule'))"
        return subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path / folder, check=True, capture_output=True, text=True
        ).stdout  # fmt: skip

    first = fingerprint("a", mine__rules=RULE, mine__other="X = 1\n")
    moved = fingerprint("b/c", mine__rules=RULE, mine__other="X = 1\n")
    changed = fingerprint("d", mine__rules=RULE, mine__other="X = 2\n")

    assert first == moved
    assert first != changed


def test_executors_get_a_zip_of_what_is_not_installed(folder: Path) -> None:
    (folder / "own_code_c").mkdir()
    for name in ("__init__", "rules", "words"):
        (folder / "own_code_c" / f"{name}.py").write_text(RULE)
    (folder / "own_code_c" / "words.txt").write_text("list")

    bundle = write_bundle(["own_code_c.rules:rule"], folder)

    assert bundle is not None
    assert sorted(zipfile.ZipFile(bundle).namelist()) == [
        "own_code_c/__init__.py",
        "own_code_c/rules.py",
        "own_code_c/words.py",
        "own_code_c/words.txt",
    ]
    assert write_bundle(["ftfy:fix_text"], folder) is None
    assert len(code_fingerprint("ftfy:fix_text")) == 64


def test_one_bad_item_does_not_take_its_batch_with_it() -> None:
    def halves(numbers: Sequence[int]) -> list[float]:
        return [10 / number for number in numbers]

    results, failures = run_each(halves, [1, 0, 5], name="mine:halves")

    assert results == [10.0, None, 2.0]
    assert list(failures) == [1]
    assert failures[1].startswith(
        "mine:halves: ZeroDivisionError: division by zero (test_own_code.py:"
    )


@pytest.mark.parametrize("error", [SystemExit(3), RecursionError("deep"), MemoryError()])
def test_whatever_is_raised_is_a_failure(error: BaseException) -> None:
    def fails(numbers: Sequence[int]) -> list[int]:
        raise error

    results, failures = run_each(fails, [1, 2], name="f")

    assert results == [None, None]
    assert set(failures) == {0, 1}


def test_too_few_answers_are_none() -> None:
    _, failures = run_each(lambda numbers: [], [1, 2], name="f")

    assert failures[0].startswith("f: WrongAnswerError: 0 answers to 1 documents")
