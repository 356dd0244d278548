"""Functions of the user's own: bundled for executors, and guarded."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from refinery.publish.own_code import run_each, write_bundle

RULE = "def rule(documents):\n    return [None] * len(documents)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a module of a name that no other test uses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


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


def test_one_bad_item_does_not_take_its_batch_with_it() -> None:
    def halves(numbers: Sequence[int]) -> list[float]:
        return [10 / number for number in numbers]

    results, failures = run_each(halves, [1, 0, 5], name="mine:halves")

    assert results == [10.0, None, 2.0]
    assert list(failures) == [1]
    assert failures[1].message.startswith(
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

    assert failures[0].message.startswith("f: WrongAnswerError: 0 answers to 1 documents")


def test_batches_are_bounded_and_a_bad_item_costs_its_batch_alone() -> None:
    sizes = []

    def call(numbers: Sequence[int]) -> list[float]:
        sizes.append(len(numbers))
        return [1 / number for number in numbers]

    results, failures = run_each(call, [*range(1, 80), 0, *range(1, 100)], name="f")

    assert (len(results), list(failures)) == (179, [79])
    assert sizes == [64, 64, *[1] * 64, 51]
