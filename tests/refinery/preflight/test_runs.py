"""Sources that are runs: which ones a name or a pattern gives, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from refinery.preflight.runs import check_runs, find_runs
from refinery.sources.config import SourceConfig
from schemas.errors import SettingsError
from tests.support.published import write_run


def source(uri: str) -> SourceConfig:
    return SourceConfig(name="days", uri=uri, format="run")


def test_a_run_is_named_by_its_folder_wherever_it_lies(tmp_path: Path) -> None:
    for place in ("here", "there"):
        write_run(tmp_path / place / "monday")

    here, there = (find_runs(source(f"{tmp_path}/{place}/monday/")) for place in ("here", "there"))

    assert list(here.texts) == list(there.texts) == ["monday"]
    assert here.texts["monday"].num_documents == 1
    assert here.texts["monday"].fingerprint == there.texts["monday"].fingerprint


def test_a_pattern_gives_all_finished_runs_and_tells_the_others(tmp_path: Path) -> None:
    for day in ("2024/01", "2024/02", "2025/01"):
        write_run(tmp_path / day)
    write_run(tmp_path / "2025/02", last="clean")

    found = find_runs(source(f"{tmp_path}/*/0?"))

    assert list(found.texts) == ["2024/01", "2024/02", "2025/01"]
    assert found.unfinished == (f"{tmp_path}/2025/02",)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("nothing", "source 'days'.*nothing"),
        ("folder", "folder is no output of a run: it holds no run.json"),
        ("half", "stage 'tokenise' has published nothing yet; run `refinery refine --until tokenise`"),
        ("hal*", r"no finished run matches .*hal\*; 1 there have not ended"),
        ("none*", "no finished run matches"),
    ],
)  # fmt: skip
def test_what_has_no_kept_texts_is_refused(tmp_path: Path, uri: str, told: str) -> None:
    (tmp_path / "folder").mkdir()
    write_run(tmp_path / "half", last="clean")

    with pytest.raises(SettingsError, match=told):
        find_runs(source(f"{tmp_path}/{uri}"))


def test_a_run_does_not_read_itself(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_run(tmp_path / name)

    check_runs(source(f"{tmp_path}/*"), f"{tmp_path}/union")
    with pytest.raises(SettingsError, match=r"names .*two/, which is runtime\.output itself"):
        check_runs(source(f"{tmp_path}/*"), f"{tmp_path}/two/")
