"""Faults in a supervised run: noticed at once, started again, and the same weights come out."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import pytest

from benchmarks.train.chaos import FAULTS, PLACES, UNEQUAL, Bench, measured, summary
from train.report.events import read_events
from train.report.page import render
from train.supervisor.links import AgentLinks

pytestmark = [pytest.mark.distributed, pytest.mark.slow]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("chaos"), AgentLinks())
    yield made
    made.links.end(0)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("SIGKILL", "killed"),
        ("SIGSTOP", "stopped"),
        ("exception", "exception"),
        ("GIL held", "hang"),
        ("NaN in a gradient", "not_finite"),
        ("dead host", "host_lost"),
    ],
)
def test_the_run_ends_with_the_weights_of_the_undisturbed_one(
    bench: Bench, fault: str, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    trial = bench.try_fault(fault, 0, random.Random(f"1 {fault}"))

    assert (trial.causes, trial.exit_code, trial.attempts) == ([cause], 0, 2)
    assert trial.is_equal
    run = bench.folder / f"{fault.replace(' ', '-')}-0"
    (failed,) = [event for event in read_events(run / "events.jsonl") if event.get("cause")]
    if fault != "NaN in a gradient":  # which all ranks see together
        named = (failed["first"]["rank"], failed["first"]["host"])
        assert named == (trial.rank, f"host-{trial.rank}")
    if fault in ("SIGKILL", "SIGSTOP", "exception"):  # of these the last word always comes through
        position = (failed["first"]["section"], failed["first"]["step"])
        assert position == (trial.section, trial.step)
    if fault in ("SIGSTOP", "GIL held"):  # what was ended leaves its stack
        stack = run / "attempts" / "0000" / f"rank-{trial.rank}.stack"
        assert "chaos_faults.py" in stack.read_text(encoding="utf-8")
    assert cause in render(run)


def test_every_fault_has_its_place_in_the_certificate() -> None:
    assert len(FAULTS) == 17
    assert set(PLACES) | UNEQUAL <= set(FAULTS)
    assert summary([])["trials"] == 0
    assert measured([{"kind": "attempt", "time": 1.0}], 0.5)["attempts"] == 1
