"""Parts that a recipe names by import path: versioned, and refused where a checkpoint names them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from schemas.errors import ContractError
from schemas.own_code import code_fingerprint
from train.plugins import plugin_versions, refuse_untrusted


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


def test_a_helper_in_the_same_package_counts(code: Path) -> None:
    before = plugin_versions({"name": "packed_parts.parts:make"})

    (code / "unrelated.py").write_text("")
    assert plugin_versions({"name": "packed_parts.parts:make"}) == before
    (code / "packed_parts" / "more.py").write_text("def make():\n    return 4\n")

    assert plugin_versions({"name": "packed_parts.parts:make"}) != before


def test_the_plugins_of_a_recipe_are_found_at_any_depth(code: Path) -> None:
    recipe = {
        "optimizer": {"name": "lone_part:make"},
        "metrics": {"sinks": [{"name": "packed_parts.parts:make"}, {"name": "wandb"}]},
        "manifest": "no_such_module:looks_like_one",
        "seed": 1,
    }

    assert plugin_versions(recipe) == {
        "lone_part:make": code_fingerprint("lone_part:make"),
        "packed_parts.parts:make": code_fingerprint("packed_parts.parts:make"),
    }


def test_the_plugin_of_a_checkpoint_runs_only_where_it_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TRAIN_TRUSTED_PLUGINS", raising=False)
    with pytest.raises(ContractError, match="TRAIN_TRUSTED_PLUGINS=evil:model"):
        refuse_untrusted("evil:model", where="a/checkpoint")

    monkeypatch.setenv("TRAIN_TRUSTED_PLUGINS", "mine:model, evil:model")
    refuse_untrusted("evil:model", where="a/checkpoint")
