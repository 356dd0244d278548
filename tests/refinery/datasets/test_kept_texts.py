"""The texts that a run kept: where they lie, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from refinery.datasets.kept_texts import find_kept_texts
from refinery.publish.runs import stages_of
from schemas.errors import ContractError, SettingsError
from tests.support.published import write_run


def test_tables_and_counts_of_what_was_kept(tmp_path: Path) -> None:
    write_run(tmp_path / "run")

    found = find_kept_texts(stages_of(str(tmp_path / "run")))

    assert found.num_documents == 1
    assert found.cleaned == f"{tmp_path}/run/tables/clean/run/table=cleaned"
    assert found.fetches is None


def test_a_run_that_has_not_decided_what_it_keeps_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "run", last="clean")

    with pytest.raises(SettingsError, match="stage 'tokenise' has published nothing yet"):
        find_kept_texts(stages_of(str(tmp_path / "run")))


def test_texts_that_were_removed_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    table = tmp_path / "run/tables/clean/run/table=cleaned"
    table.rename(tmp_path / "elsewhere")

    with pytest.raises(ContractError, match=r"run: its texts are gone: nothing at .*cleaned"):
        find_kept_texts(stages_of(str(tmp_path / "run")))
