"""Code of the user's own: found, refused with a reason, versioned by content."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from schemas.own_code import code_fingerprint, is_import_path, load_own, source_files

RULE = "def rule(documents):\n    return [None] * len(documents)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a module of a name that no other test uses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_function_of_a_file_in_the_working_folder_is_found(folder: Path) -> None:
    (folder / "own_code_a.py").write_text(RULE)

    assert load_own("own_code_a:rule")(["x", "y"]) == [None, None]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_code_nothing:rule", "no module 'own_code_nothing'"),
        ("own_code_b:rlue", "no function or class 'rlue'; did you mean 'rule'"),
        ("own_code_b:VALUE", "no function or class 'VALUE'"),
        ("own_code_broken:rule", r"cannot be imported: ZeroDivisionError.*own_code_broken.py:1"),
        ("own_code_needs:rule", "cannot be imported: No module named 'no_such_library'"),
    ],
)
def test_what_cannot_be_had_is_said(folder: Path, name: str, message: str) -> None:
    (folder / "own_code_b.py").write_text(f"VALUE = 1\n{RULE}")
    (folder / "own_code_broken.py").write_text("1 / 0\n")
    (folder / "own_code_needs.py").write_text("import no_such_library\n")

    with pytest.raises(SettingsError, match=message):
        load_own(name)
    with pytest.raises(SettingsError, match=f"^optimizer.plugin: {name}: "):
        load_own(name, where="optimizer.plugin")


def test_content_is_the_fingerprint_wherever_it_lies(tmp_path: Path) -> None:
    """Each in a process of its own, since a module is imported once."""

    def fingerprint(folder: str, **files: str) -> str:
        for name, text in files.items():
            path = tmp_path / folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".py").write_text(text)
        code = "import schemas.own_code as o; print(o.code_fingerprint('mine.rules:rule'))"
        return subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path / folder, check=True, capture_output=True, text=True
        ).stdout  # fmt: skip

    first = fingerprint("a", mine__rules=RULE, mine__other="X = 1\n")
    moved = fingerprint("b/c", mine__rules=RULE, mine__other="X = 1\n")
    changed = fingerprint("d", mine__rules=RULE, mine__other="X = 2\n")

    assert first == moved
    assert first != changed


def test_a_version_is_asked_for_without_importing(folder: Path) -> None:
    (folder / "own_code_d.py").write_text("1 / 0\n")

    before = code_fingerprint("own_code_d:rule")
    (folder / "own_code_d.py").write_text("2 / 0\n")

    assert code_fingerprint("own_code_d:rule") != before
    assert "own_code_d" not in sys.modules
    with pytest.raises(SettingsError, match="no module 'own_code_gone'"):
        code_fingerprint("own_code_gone.deep:rule")


def test_libraries_and_caches_are_no_source(folder: Path) -> None:
    package = folder / "own_code_e"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text(RULE)
    before = code_fingerprint("own_code_e:rule")

    for name in ("__pycache__/x.py", "fast.so", "fast.so.1.2", ".hidden", "old.pyc"):
        (package / name).write_bytes(b"x")

    assert code_fingerprint("own_code_e:rule") == before
    (package / "words.txt").write_text("x")
    assert code_fingerprint("own_code_e:rule") != before


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a:b", True), ("a.b_2.c:D", True), ("adamw", False), ("a.b", False), ("a:b:c", False),
        ("a/b:c", False), (":b", False), ("a:", False), ("s3://bucket:x", False), ("a:b\n", False),
        ("规则.新闻:打分", True), ("2a:b", False), ("a:2", False), ("a:b c", False),
    ],
)  # fmt: skip
def test_an_import_path_has_a_module_and_a_name(name: str, *, is_one: bool) -> None:
    assert is_import_path(name) is is_one


def test_a_folder_is_read_where_its_copy_in_a_zip_comes_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "own_code_sent.py").write_text(RULE)
    with zipfile.ZipFile(folder / "sent.zip", "w") as sent:
        sent.write(folder / "own_code_sent.py", "own_code_sent.py")
    alone = code_fingerprint("own_code_sent:rule")
    monkeypatch.syspath_prepend(str(folder / "sent.zip"))

    assert source_files("own_code_sent:rule") == {"own_code_sent.py": folder / "own_code_sent.py"}
    assert code_fingerprint("own_code_sent:rule") == alone
