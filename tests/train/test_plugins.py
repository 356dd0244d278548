"""Parts that a recipe names by import path: found, versioned by content, refused with a reason."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from schemas.errors import ContractError, SettingsError
from train.plugins import (
    code_sha256,
    is_import_path,
    load_plugin,
    plugin_versions,
    refuse_untrusted,
)


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, with a module of its own and a package of two modules."""
    (tmp_path / "lone_part.py").write_text("def make():\n    return 1\n")
    (tmp_path / "packed_parts").mkdir()
    (tmp_path / "packed_parts" / "__init__.py").write_text("")
    (tmp_path / "packed_parts" / "parts.py").write_text("from packed_parts.more import make\n")
    (tmp_path / "packed_parts" / "more.py").write_text("def make():\n    return 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("lone_part", "packed_parts", "packed_parts.parts", "packed_parts.more"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a:b", True), ("a.b_2.c:D", True), ("adamw", False), ("a.b", False), ("a:b:c", False),
        ("a/b:c", False), (":b", False), ("a:", False), ("s3://bucket:x", False), ("文:x", False),
    ],
)  # fmt: skip
def test_an_import_path_has_a_module_and_a_name(name: str, *, is_one: bool) -> None:
    assert is_import_path(name) is is_one


def test_a_plugin_is_what_its_path_names(code: Path) -> None:
    assert load_plugin("lone_part:make", where="optimizer.name")() == 1
    assert load_plugin("packed_parts.parts:make", where="optimizer.name")() == 2


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gone_part:make", "optimizer.name: gone_part:make: no module 'gone_part'"),
        ("lone_part:other", "lone_part.py has no name 'other'"),
    ],
)
def test_what_is_not_there_is_refused_with_where_it_was_sought(
    code: Path, path: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        load_plugin(path, where="optimizer.name")


def test_a_plugin_s_version_is_the_content_of_its_file(code: Path) -> None:
    before = code_sha256("lone_part:make")

    (code / "lone_part.py").write_text("def make():\n    return 3\n")
    (code / "unrelated.py").write_text("")

    assert code_sha256("lone_part:make") != before
    (code / "lone_part.py").write_text("def make():\n    return 1\n")
    assert code_sha256("lone_part:make") == before


def test_a_helper_in_the_same_package_counts(code: Path) -> None:
    before = code_sha256("packed_parts.parts:make")

    (code / "packed_parts" / "more.py").write_text("def make():\n    return 4\n")

    assert code_sha256("packed_parts.parts:make") != before


def test_the_plugins_of_a_recipe_are_found_at_any_depth(code: Path) -> None:
    recipe = {
        "optimizer": {"name": "lone_part:make"},
        "metrics": {"sinks": [{"name": "packed_parts.parts:make"}, {"name": "wandb"}]},
        "manifest": "no_such_module:looks_like_one",
        "seed": 1,
    }

    assert plugin_versions(recipe) == {
        "lone_part:make": code_sha256("lone_part:make"),
        "packed_parts.parts:make": code_sha256("packed_parts.parts:make"),
    }


def test_the_plugin_of_a_checkpoint_runs_only_where_it_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TRAIN_TRUSTED_PLUGINS", raising=False)
    with pytest.raises(ContractError, match="TRAIN_TRUSTED_PLUGINS=evil:model"):
        refuse_untrusted("evil:model", where="a/checkpoint")

    monkeypatch.setenv("TRAIN_TRUSTED_PLUGINS", "mine:model, evil:model")
    refuse_untrusted("evil:model", where="a/checkpoint")
