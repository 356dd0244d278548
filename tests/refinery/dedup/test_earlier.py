"""What an earlier run must be so that this one can be compared with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from refinery.dedup.config import DedupConfig
from refinery.dedup.earlier import EarlierRun, check_earlier, earlier_runs, num_dumps
from refinery.dedup.facts import CurveFacts, DedupFacts
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from schemas.errors import ContractError, SettingsError

CURVE = CurveFacts(
    bands=14, rows=8, threshold=0.8, false_negative_area=0.0, false_positive_area=0.0, points=()
)
SCHEME, BUCKETS = "affine32-test", DedupConfig().index_buckets


def earlier_run(
    name: str, *before: str, scheme: str = SCHEME, buckets: int | None = BUCKETS
) -> EarlierRun:
    facts = DedupFacts(s_curve=CURVE, scheme=scheme, index_buckets=buckets, earlier=before)
    record = StageRecord(
        stage="dedup", fingerprint=name, attempt="1", tables={}, artefacts={}, inputs={},
        counts={"dumps": 2}, facts=facts.model_dump(mode="json"), seconds=1.0,
        started_at="2026-01-01T00:00:00+00:00", code_version="1",
    )  # fmt: skip
    return EarlierRun(name, Store("unused"), record)


def test_runs_that_were_each_made_after_the_ones_before_fit() -> None:
    runs = [earlier_run("a"), earlier_run("b", "a"), earlier_run("c", "a", "b")]

    check_earlier(runs, SCHEME, BUCKETS)

    assert num_dumps(runs) == 6


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (earlier_run("a", buckets=None), r"earlier\[0\] \(a\): published without an index; .*keep_index"),
        (earlier_run("a", scheme="other"), r"scheme other, this recipe makes affine32-test; "),
        (earlier_run("a", buckets=9), r"9 index buckets, recipe.dedup.index_buckets is 64"),
        (earlier_run("a", "older"), r"was compared with 1 earlier runs, .* the 0 listed before it"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_compared_is_refused_with_the_reason(
    run: EarlierRun, message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        check_earlier([run], SCHEME, BUCKETS)


def test_runs_in_another_order_are_refused() -> None:
    with pytest.raises(ContractError, match=r"earlier\[0\] \(b\)"):
        check_earlier([earlier_run("b", "a"), earlier_run("a")], SCHEME, BUCKETS)


def test_the_newest_record_below_an_output_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "tables" / "dedup"
    folder.mkdir(parents=True)
    for name, started in (("old", "2026-01-01"), ("new", "2026-02-01"), ("older", "2025-12-01")):
        record = earlier_run(name).record.model_copy(update={"started_at": started})
        (folder / f"{name}.json").write_text(record.model_dump_json())

    (run,) = earlier_runs((str(tmp_path),))

    assert (run.output, run.record.fingerprint) == (str(tmp_path), "new")
    assert run.table_uri("edges").startswith(str(tmp_path))


def test_an_output_without_dedup_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="stage 'dedup' has published nothing yet"):
        earlier_runs((str(tmp_path),))
